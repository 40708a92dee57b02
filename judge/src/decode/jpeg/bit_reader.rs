//! The bits of one restart interval.

use super::error::Damage;
use super::huffman::{HuffmanTable, extend};

/// Number of zeros after the data, so that eight bytes can be read from any position.
const MARGIN: usize = 8;
/// Number of stray bytes, of any value, before a marker that don't count as damage: hardware encoders pad to words.
const STRAY: usize = 3;

/// Reads bits from the front. The data is followed by an endless run of zeros; [`Self::end`] tells whether they were
/// used.
pub(super) struct BitReader<'d> {
    /// The data, followed by [`MARGIN`] zeros.
    data: &'d [u8],
    /// The next byte that is not in the buffer yet.
    at: usize,
    /// The next bits, from the highest down; those below `held` are zero or the ones at `at`.
    buffer: u64,
    held: u32,
}

impl<'d> BitReader<'d> {
    /// Creates a reader of `data` as [`unstuff`] leaves it.
    pub(super) const fn new(data: &'d [u8]) -> Self {
        Self { data, at: 0, buffer: 0, held: 0 }
    }

    /// Refills the buffer to at least 56 bits.
    #[inline]
    fn fill(&mut self) {
        let bytes = self.data.get(self.at..).and_then(|rest| rest.first_chunk());
        self.buffer |= bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> self.held;
        self.at += (63 - self.held as usize) / 8;
        self.held |= 56;
    }

    /// Returns the next 16 bits without consuming them.
    #[inline]
    pub(super) fn peek(&mut self) -> u32 {
        // A code and its value together take at most 31 bits.
        if self.held < 32 {
            self.fill();
        }
        (self.buffer >> 48) as u32
    }

    /// Skips up to 31 bits that [`Self::peek`] has loaded.
    #[inline]
    pub(super) const fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.held -= count;
    }

    /// Consumes up to 16 bits and returns them as a number.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        self.peek();
        // In two steps, because `count` may be 0.
        let value = (self.buffer >> 32 >> (32 - count)) as u32;
        self.skip(count);
        value
    }

    /// Decodes the next symbol.
    #[inline]
    pub(super) fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, Damage> {
        let (length, symbol) = table.lookup(self.peek()).ok_or(Damage::Code)?;
        self.skip(length);
        Ok(symbol)
    }

    /// Decodes the next number of `size` bits.
    #[inline]
    pub(super) fn value(&mut self, size: u32) -> i32 {
        extend(self.take(size), size)
    }

    /// # Errors
    /// [`Damage::Ends`] if more bits were used than exist.
    #[inline]
    pub(super) const fn ensure_not_past_end(&self) -> Result<(), Damage> {
        if self.used() > self.len() * 8 { Err(Damage::Ends) } else { Ok(()) }
    }

    /// Checks the end of the interval: all bits are used except for the padding of the last byte and what an encoder may
    /// have padded.
    ///
    /// # Errors
    /// [`Damage::Ends`] if there are too few bits, [`Damage::TooMuch`] if there are more than padding.
    pub(super) fn end(&self) -> Result<(), Damage> {
        self.ensure_not_past_end()?;
        let rest = self.data.get(self.used().div_ceil(8)..self.len()).unwrap_or(&[]);
        let is_padding = rest.len() <= STRAY || rest.iter().all(|byte| matches!(byte, 0x00 | 0xFF));
        if is_padding { Ok(()) } else { Err(Damage::TooMuch) }
    }

    const fn used(&self) -> usize {
        self.at * 8 - self.held as usize
    }

    const fn len(&self) -> usize {
        self.data.len() - MARGIN
    }
}

/// Copies the interval's data at the front of `bytes` into `data`, in the form that [`BitReader`] needs, and returns the
/// position of the marker that ends it; `None` if none does.
pub(super) fn unstuff(bytes: &[u8], data: &mut Vec<u8>) -> Option<usize> {
    data.clear();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let run = memchr::memchr(0xFF, rest)?;
        data.extend_from_slice(rest.get(..run)?);
        at += run;
        if *bytes.get(at + 1)? != 0 {
            data.extend([0; MARGIN]);
            return Some(at);
        }
        data.push(0xFF);
        at += 2;
    }
}
