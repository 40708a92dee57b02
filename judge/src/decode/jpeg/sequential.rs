//! The blocks of a sequential scan (ITU-T T.81, annex F.2.2).

use super::bit_reader::BitReader;
use super::block::CoefficientBlock;
use super::error::Damage;
use super::huffman::{END_OF_BLOCK, HuffmanTable};

/// Decodes a block; `dc` is the DC coefficient of the component's previous block, and is set to this one's.
#[inline]
pub(super) fn decode_block(
    bits: &mut BitReader<'_>,
    dc: &mut i32,
    of_dc: &HuffmanTable,
    of_ac: &HuffmanTable,
    block: &mut CoefficientBlock<'_>,
) -> Result<(), Damage> {
    *dc = next_dc(bits, *dc, of_dc)?;
    if *dc != 0 {
        block.set(0, *dc);
    }
    let mut behind = 1;
    while behind < 64 {
        let entry = of_ac.ac_entry(bits.peek()).ok_or(Damage::Code)?;
        let value = if entry.unread() == 0 {
            bits.skip(entry.bits());
            entry.value()
        } else {
            bits.skip(entry.bits() - entry.unread());
            bits.value(entry.unread())
        };
        behind += entry.advance();
        if value != 0 {
            if behind > 64 {
                return Err(Damage::Run);
            }
            block.set(behind - 1, value);
        }
    }
    // An end of block leads further than any run.
    if behind > 64 && behind < END_OF_BLOCK { Err(Damage::Run) } else { block.ensure_possible() }
}

/// Returns the DC coefficient after `dc`.
///
/// # Errors
/// [`Damage::Code`], or [`Damage::Range`] if it has more than 16 bits.
#[inline]
pub(super) fn next_dc(bits: &mut BitReader<'_>, dc: i32, table: &HuffmanTable) -> Result<i32, Damage> {
    let size = bits.symbol(table)?;
    let next = dc + bits.value(size.into());
    if i16::try_from(next).is_ok() { Ok(next) } else { Err(Damage::Range) }
}
