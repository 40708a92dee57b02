//! The orientation in EXIF metadata (EXIF 2.3; its structure is TIFF 6.0's).
//!
//! `image` reads it as SHORT only, as the standard says; some cameras and programs write BYTE or LONG, which everything that
//! shows photos accepts as well.

use image::metadata::Orientation;

const ORIENTATION: u32 = 0x0112;
/// Bytes of an entry: tag, type, count, value or offset.
const ENTRY: usize = 12;

/// Returns the orientation in the metadata (starting at `II` or `MM`); `None` if there is none.
pub(super) fn orientation(exif: &[u8]) -> Option<Orientation> {
    let number: fn(&[u8]) -> u32 = match exif.get(..4)? {
        [b'I', b'I', 42, 0] => |bytes| bytes.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte)),
        [b'M', b'M', 0, 42] => |bytes| bytes.iter().fold(0, |n, &byte| n << 8 | u32::from(byte)),
        _ => return None,
    };
    let directory = exif.get(number(exif.get(4..8)?) as usize..)?;
    let (count, entries) = directory.split_at_checked(2)?;
    let entry = entries
        .chunks_exact(ENTRY)
        .take(number(count) as usize)
        .find(|entry| entry.get(..2).map(number) == Some(ORIENTATION))?;
    let bytes = match number(entry.get(2..4)?) {
        1 => 1, // BYTE
        3 => 2, // SHORT
        4 => 4, // LONG
        _ => return None,
    };
    let value = number(entry.get(8..8 + bytes)?);
    Orientation::from_exif(u8::try_from(value).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds metadata with one other entry before the orientation.
    fn exif(little: bool, kind: u16, value: &[u8]) -> Vec<u8> {
        let order = |mut bytes: Vec<u8>| {
            if little {
                bytes.reverse();
            }
            bytes
        };
        let short = |n: u16| order(n.to_be_bytes().to_vec());
        let long = |n: u32| order(n.to_be_bytes().to_vec());
        let mut field = order(value.to_vec());
        field.resize(4, 0);
        let magic = if little { b"II" } else { b"MM" };
        [
            magic.to_vec(),
            short(42),
            long(8),
            short(2),
            [short(0x0100), short(4), long(1), long(5)].concat(),
            [short(0x0112), short(kind), long(1), field].concat(),
            long(0),
        ]
        .concat()
    }

    #[test]
    fn the_orientation_is_read_whatever_its_type() {
        for little in [true, false] {
            for (kind, value) in [(1, &[6][..]), (3, &[0, 6]), (4, &[0, 0, 0, 6])] {
                let found = orientation(&exif(little, kind, value));
                assert_eq!(found, Some(Orientation::Rotate90), "{little} {kind}");
            }
        }
    }

    #[test]
    fn what_says_no_orientation_says_none() {
        assert_eq!(orientation(&exif(true, 3, &[0, 9])), None);
        assert_eq!(orientation(&exif(true, 4, &[1, 0, 0, 6])), None);
        assert_eq!(orientation(&exif(true, 2, &[6])), None);
        let whole = exif(false, 3, &[0, 6]);
        for end in 0..whole.len() - 6 {
            assert_eq!(orientation(&whole[..end]), None, "{end}");
        }
        let mut far = whole;
        far[4..8].fill(0xff);
        assert_eq!(orientation(&far), None);
    }
}
