//! The bytes of one slot of the counter file.
//!
//! | offset | bytes | field | value |
//! |---|---|---|---|
//! | 0 | 4 | magic | `NMCT` |
//! | 4 | 8 | sequence | increases by one with each save, little-endian |
//! | 12 | 4 | length *n* | of the counters, little-endian |
//! | 16 | *n* | counters | JSON, so that another version of the program can read the fields it knows |
//! | 16 + *n* | to 4092 | padding | zeros |
//! | 4092 | 4 | checksum | CRC-32 of all preceding bytes, little-endian |

use super::counters::Counters;

/// Size of a slot in bytes: one block on nearly every disk.
pub const LEN: usize = 4096;
const MAGIC: [u8; 4] = *b"NMCT";
const HEADER_LEN: usize = 16;
const CHECKED_LEN: usize = LEN - 4;

/// Encodes a slot; `None` if the counters don't fit, which they do even with twenty digits each.
pub fn encode(sequence: u64, counters: &Counters) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(counters).ok()?;
    let len = u32::try_from(json.len()).ok()?;
    let mut slot = Vec::with_capacity(LEN);
    slot.extend(MAGIC);
    slot.extend(sequence.to_le_bytes());
    slot.extend(len.to_le_bytes());
    slot.extend(json);
    if slot.len() > CHECKED_LEN {
        return None;
    }
    slot.resize(CHECKED_LEN, 0);
    slot.extend(crc32fast::hash(&slot).to_le_bytes());
    Some(slot)
}

/// Decodes a slot's sequence and counters; `None` if the bytes aren't an intact slot.
pub fn decode(bytes: &[u8]) -> Option<(u64, Counters)> {
    let (checked, checksum) = bytes.split_at_checked(CHECKED_LEN)?;
    if checksum != crc32fast::hash(checked).to_le_bytes() {
        return None;
    }
    let (header, body) = checked.split_at_checked(HEADER_LEN)?;
    let (magic, numbers) = header.split_first_chunk()?;
    let (sequence, len) = numbers.split_first_chunk()?;
    let (len, _) = len.split_first_chunk()?;
    let json = body.get(..usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    let counters = serde_json::from_slice(json).ok()?;
    (*magic == MAGIC).then_some((u64::from_le_bytes(*sequence), counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(run: u64) -> Counters {
        Counters { run, ..Counters::default() }
    }

    #[test]
    fn a_slot_is_read_back_and_no_damaged_one_is() {
        let slot = encode(7, &counters(3)).unwrap();
        assert_eq!(decode(&slot), Some((7, counters(3))));
        for at in 0..LEN {
            assert_eq!(decode(&slot[..at]), None, "cut at {at}");
            let mut damaged = slot.clone();
            damaged[at] ^= 1 << (at % 8);
            assert_eq!(decode(&damaged), None, "bit of byte {at}");
        }
        assert_eq!(decode(&[slot, vec![0]].concat()), None);
        assert_eq!(decode(&[0; LEN]), None);
    }

    #[test]
    fn the_largest_counters_fit() {
        let digits =
            serde_json::to_string(&Counters::default()).unwrap().replace(":0", ":18446744073709551615");
        let largest: Counters = serde_json::from_str(&digits).unwrap();
        assert_eq!(largest.gate.stops, u64::MAX);
        assert_eq!(decode(&encode(u64::MAX, &largest).unwrap()), Some((u64::MAX, largest)));
    }

    #[test]
    fn counters_of_another_version_are_read_as_far_as_they_are_known() {
        let text = r#"{"run":4,"gate":{"passed":9,"new_in_version_9":1},"another":{"x":2}}"#;
        let read: Counters = serde_json::from_str(text).unwrap();
        assert_eq!((read.run, read.gate.passed, read.gate.rejected), (4, 9, 0));
    }
}
