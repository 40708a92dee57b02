//! Checks what a TIFF file promises about its values, before its decoder allocates memory for them.
//!
//! The decoder reads some of the values before a limit can be set, and allocates up to 256 MiB for them: a kilobyte can
//! promise six million values.

/// Returns whether the values that the first image's directory names can fit into the file. Anything that is not a directory
/// is left to the decoder, which reports it.
pub(super) fn values_fit(bytes: &[u8]) -> bool {
    let Some(directory) = Directory::of(bytes) else { return true };
    (0..directory.entries)
        .all(|index| directory.value(index).is_none_or(|length| length <= bytes.len() as u64))
}

struct Directory<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
    /// 8 for BigTIFF, 4 otherwise: bytes of a length or an offset.
    wide: usize,
    first: usize,
    entries: usize,
}

impl<'a> Directory<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let is_big_endian = bytes.starts_with(b"MM");
        let (wide, at) = match number(bytes, 2, 2, is_big_endian)? {
            42 => (4, 4),
            43 => (8, 8),
            _ => return None,
        };
        let start = usize::try_from(number(bytes, at, wide, is_big_endian)?).ok()?;
        // A directory begins with the number of its entries.
        let counted = if wide == 8 { 8 } else { 2 };
        let entries = number(bytes, start, counted, is_big_endian)?;
        let entries = usize::try_from(entries).unwrap_or(usize::MAX).min(bytes.len());
        Some(Self { bytes, is_big_endian, wide, first: start.checked_add(counted)?, entries })
    }

    /// Returns the number of bytes of an entry's value; `None` beyond the end of the file.
    fn value(&self, index: usize) -> Option<u64> {
        let entry = self.first.checked_add(index.checked_mul(4 + 2 * self.wide)?)?;
        let kind = number(self.bytes, entry.checked_add(2)?, 2, self.is_big_endian)?;
        let count = number(self.bytes, entry.checked_add(4)?, self.wide, self.is_big_endian)?;
        let size = match kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 1,
        };
        Some(count.saturating_mul(size))
    }
}

fn number(bytes: &[u8], at: usize, count: usize, is_big_endian: bool) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(count)?)?.iter();
    let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
    Some(if is_big_endian { bytes.fold(0, add) } else { bytes.rev().fold(0, add) })
}

#[cfg(test)]
mod tests {
    use super::values_fit;

    /// Builds a file with one entry of `count` values of a two-byte type.
    fn file(big: bool, wide: bool, count: u32) -> Vec<u8> {
        let order = |value: u64, bytes: usize| {
            let all = value.to_be_bytes();
            let mut number = all[8 - bytes..].to_vec();
            if !big {
                number.reverse();
            }
            number
        };
        let (wide, magic) = if wide { (8, 43) } else { (4, 42) };
        let mut bytes = if big { b"MM".to_vec() } else { b"II".to_vec() };
        bytes.extend(order(magic, 2));
        if wide == 8 {
            bytes.extend([order(8, 2), order(0, 2), order(16, 8), order(1, 8)].concat());
        } else {
            bytes.extend([order(8, 4), order(1, 2)].concat());
        }
        bytes.extend([order(317, 2), order(3, 2), order(count.into(), wide), order(0, wide)].concat());
        bytes
    }

    #[test]
    fn no_value_is_larger_than_its_file() {
        for big in [false, true] {
            for wide in [false, true] {
                let length = file(big, wide, 1).len() as u32;
                assert!(values_fit(&file(big, wide, length / 2)), "{big} {wide}");
                for more in [length / 2 + 1, 0x5e_0001, u32::MAX] {
                    assert!(!values_fit(&file(big, wide, more)), "{big} {wide} {more}");
                }
                // A file that is cut short is the decoder's to report.
                let whole = file(big, wide, u32::MAX);
                assert!(values_fit(&whole[..12]));
            }
        }
    }
}
