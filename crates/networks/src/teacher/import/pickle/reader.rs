//! Reads a pickle's bytes in order.

use super::cut_short;
use crate::teacher::WeightFileError;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the number of bytes read so far.
    pub const fn at(&self) -> usize {
        self.at
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WeightFileError> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len()).ok_or_else(cut_short)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, WeightFileError> {
        Ok(self.take(1)?[0])
    }

    /// Reads an unsigned little-endian number.
    pub fn number(&mut self, bytes: usize) -> Result<i64, WeightFileError> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &b| (n << 8) | i64::from(b)))
    }

    /// Reads a signed little-endian number, preceded by its length in bytes; `None` if it is too large to be useful.
    pub fn long(&mut self) -> Result<Option<i64>, WeightFileError> {
        let length = self.number(1)? as usize;
        let bytes = self.take(length)?;
        Ok(match bytes.last() {
            None => Some(0),
            Some(_) if length > 8 => None,
            Some(&top) => {
                let fill = if top >= 0x80 { -1 } else { 0 };
                Some(bytes.iter().rev().fold(fill, |n: i64, &b| (n << 8) | i64::from(b)))
            }
        })
    }

    /// Reads up to the next line feed, which is not included.
    pub fn line(&mut self) -> Result<&'a [u8], WeightFileError> {
        let length = self.bytes[self.at..].iter().position(|&b| b == b'\n').ok_or_else(cut_short)?;
        let line = self.take(length)?;
        self.at += 1;
        Ok(line)
    }
}
