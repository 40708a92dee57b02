//! Huffman tables (ITU-T T.81, annexes C and F.2.2.3), and the typical ones of annex K.3.

use super::error::Damage;

/// Codes of up to this many bits are found with one lookup.
pub(super) const LOOKUP_BITS: u32 = 10;
/// Longest code in bits.
const MAX_LENGTH: usize = 16;
/// What an end-of-block code adds to the position: more than any run can.
pub(super) const END_OF_BLOCK: usize = 100;

/// What the next bits of a block contain: a code, and perhaps the value after it.
///
/// From the lowest bit: 5 bits for the length of code and value together, 7 for the distance to the position after the
/// coefficient, 4 for the value's length if it still has to be read, 16 for the value if it is included. Zero is not a
/// valid entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AcEntry(i32);

impl AcEntry {
    /// Creates the entry for a code of this length and the bits that follow it, aligned to `LOOKUP_BITS` bits.
    const fn new(length: u32, symbol: u8, bits: u32) -> Self {
        let (run, size) = ((symbol >> 4) as usize, (symbol & 15) as u32);
        let advance = if size == 0 && run < 15 { END_OF_BLOCK } else { run + 1 };
        let total = length + size;
        let common = total as i32 | (advance as i32) << 5;
        if size == 0 || total > LOOKUP_BITS {
            return Self(common | (size as i32) << 12);
        }
        let value = bits << length & ((1 << LOOKUP_BITS) - 1);
        Self(common | extend(value >> (LOOKUP_BITS - size), size) << 16)
    }

    /// Returns the number of bits of code and value together.
    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0 as u32 & 31
    }

    /// Returns the distance to the position after the coefficient; [`END_OF_BLOCK`] if there are no more coefficients.
    #[inline]
    pub(super) const fn advance(self) -> usize {
        (self.0 as usize >> 5) & 127
    }

    /// Returns the number of the value's bits that still have to be read after the code.
    #[inline]
    pub(super) const fn unread(self) -> u32 {
        (self.0 as u32 >> 12) & 15
    }

    /// Returns the value, if nothing is unread; zero for a run of zeros and for the end.
    #[inline]
    pub(super) const fn value(self) -> i32 {
        self.0 >> 16
    }
}

/// Returns the number that `size` bits stand for (T.81, F.2.2.1): the lower half of the bit patterns are the negative
/// numbers.
#[inline]
pub(super) const fn extend(bits: u32, size: u32) -> i32 {
    let value = bits as i32;
    if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}

/// A table, ready to decode.
#[derive(Clone)]
pub(super) struct HuffmanTable {
    /// Indexed by the next [`LOOKUP_BITS`] bits: length of the code | symbol << 8; 0 for longer codes and for bits that are not
    /// a code.
    codes: [u16; 1 << LOOKUP_BITS],
    /// The same, for AC coefficients of a sequential block.
    ac_entries: [AcEntry; 1 << LOOKUP_BITS],
    /// One past the last code of each length, aligned to 16 bits; lengths without codes repeat the previous one.
    ends: [u32; MAX_LENGTH + 1],
    /// Index of a length's first symbol minus its first code.
    offsets: [i32; MAX_LENGTH + 1],
    symbols: [u8; 256],
}

impl HuffmanTable {
    /// Creates a table from the number of codes of each length, and their symbols in order.
    ///
    /// # Errors
    /// [`Damage::HuffmanTable`] if there are more codes than their lengths allow, or more than there are symbols.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Result<Self, Damage> {
        let mut symbols = [0; 256];
        symbols.get_mut(..values.len()).ok_or(Damage::HuffmanTable)?.copy_from_slice(values);
        let mut table = Self {
            codes: [0; 1 << LOOKUP_BITS],
            ac_entries: [AcEntry(0); 1 << LOOKUP_BITS],
            ends: [0; MAX_LENGTH + 1],
            offsets: [0; MAX_LENGTH + 1],
            symbols,
        };
        let (mut ends, mut offsets) = (table.ends, table.offsets);
        let of_lengths = ends.iter_mut().zip(&mut offsets).skip(1);
        let (mut code, mut index) = (0_u32, 0_usize);
        for ((length, &count), (end, offset)) in (1_u32..).zip(counts).zip(of_lengths) {
            let count = usize::from(count);
            let of_length = values.get(index..index + count).ok_or(Damage::HuffmanTable)?;
            *offset = index as i32 - code as i32;
            for &symbol in of_length {
                table.insert(code, length, symbol);
                code += 1;
            }
            index += count;
            // The code of all ones is reserved.
            if count > 0 && code >= 1 << length {
                return Err(Damage::HuffmanTable);
            }
            *end = code << (MAX_LENGTH as u32 - length);
            code <<= 1;
        }
        (table.ends, table.offsets) = (ends, offsets);
        if index == values.len() { Ok(table) } else { Err(Damage::HuffmanTable) }
    }

    fn insert(&mut self, code: u32, length: u32, symbol: u8) {
        let Some(rest) = LOOKUP_BITS.checked_sub(length) else { return };
        let first = code << rest;
        for bits in first..first + (1 << rest) {
            let index = bits as usize;
            // A code that is too large is an error in the table, which the caller detects.
            if let (Some(code), Some(entry)) = (self.codes.get_mut(index), self.ac_entries.get_mut(index)) {
                *code = length as u16 | u16::from(symbol) << 8;
                *entry = AcEntry::new(length, symbol, bits);
            }
        }
    }

    /// Returns length and symbol of the code that 16 bits begin with; `None` if they begin with none.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the mask keeps the index in range, and every symbol passes through here"
    )]
    pub(super) fn lookup(&self, bits: u32) -> Option<(u32, u8)> {
        let code = self.codes[(bits >> (16 - LOOKUP_BITS)) as usize & ((1 << LOOKUP_BITS) - 1)];
        if code != 0 {
            return Some((u32::from(code & 0xFF), (code >> 8) as u8));
        }
        self.lookup_long(bits)
    }

    #[cold]
    fn lookup_long(&self, bits: u32) -> Option<(u32, u8)> {
        let mut longer = self.ends.iter().zip(&self.offsets).enumerate().skip(LOOKUP_BITS as usize + 1);
        let (length, (_, offset)) = longer.find(|(_, (end, _))| bits < **end)?;
        let code = bits >> (MAX_LENGTH - length);
        let index = usize::try_from(code as i32 + offset).ok()?;
        Some((length as u32, *self.symbols.get(index)?))
    }

    /// Returns the entry for the code that 16 bits of a sequential block begin with; `None` if they are not a code.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the mask keeps the index in range, and every symbol passes through here"
    )]
    pub(super) fn ac_entry(&self, bits: u32) -> Option<AcEntry> {
        let entry = self.ac_entries[(bits >> (16 - LOOKUP_BITS)) as usize & ((1 << LOOKUP_BITS) - 1)];
        if entry != AcEntry(0) {
            return Some(entry);
        }
        // Longer than a lookup, so no value is taken from these bits.
        self.lookup_long(bits).map(|(length, symbol)| AcEntry::new(length, symbol, 0))
    }

    /// Returns whether all symbols are sizes that a difference of DC coefficients can have.
    pub(super) fn suits_dc(&self) -> bool {
        self.symbols.iter().all(|&symbol| symbol < 16)
    }
}

/// The four tables that most encoders use, and that Motion JPEG may omit: DC and AC of luminance, DC and AC of
/// chrominance, each with class and number as in a DHT segment.
pub(super) const TYPICAL: [(u8, [u8; 16], &[u8]); 4] = [
    (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC_SYMBOLS),
    (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D], &LUMINANCE_AC),
    (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC_SYMBOLS),
    (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &CHROMINANCE_AC),
];

const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[rustfmt::skip]
const LUMINANCE_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
    0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];

#[rustfmt::skip]
const CHROMINANCE_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
    0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
    0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];
