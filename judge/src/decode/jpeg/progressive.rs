//! The blocks of a progressive scan (ITU-T T.81, annex G).

use super::bit_reader::BitReader;
use super::error::Damage;
use super::header::ScanHeader;
use super::huffman::HuffmanTable;
use super::sequential::next_dc;

/// Coefficients of one block in zigzag order, as far as scans have provided them.
pub(super) type QuantisedBlock = [i16; 64];

/// What the scans so far have provided for a component.
pub(super) struct CoefficientBuffer {
    blocks: Vec<QuantisedBlock>,
    /// Blocks in a row, including those that pad the last MCU.
    stride: usize,
    /// Lowest bit received, by coefficient.
    low: [Option<u32>; 64],
}

impl CoefficientBuffer {
    pub(super) fn new(stride: usize, rows: usize) -> Self {
        Self { blocks: vec![[0; 64]; stride * rows], stride, low: [None; 64] }
    }

    /// Records a scan's coefficients and bits.
    ///
    /// # Errors
    /// [`Damage::Scans`] if the scan doesn't continue where the previous ones ended.
    pub(super) fn begin(&mut self, scan: &ScanHeader) -> Result<(), Damage> {
        if scan.first > 0 && self.low[0].is_none() {
            return Err(Damage::Scans);
        }
        for low in self.low.get_mut(scan.first..=scan.last).ok_or(Damage::ScanHeader)? {
            let goes_on = match *low {
                None => scan.high == 0,
                Some(low) => scan.high > 0 && low == scan.high,
            };
            if !goes_on {
                return Err(Damage::Scans);
            }
            *low = Some(scan.low);
        }
        Ok(())
    }

    /// Returns whether all bits of all coefficients have been received.
    pub(super) fn is_whole(&self) -> bool {
        self.low.iter().all(|low| *low == Some(0))
    }

    /// Returns the block in this column and row.
    ///
    /// # Errors
    /// [`Damage::ScanHeader`] if it doesn't exist.
    pub(super) fn block(&mut self, column: usize, row: usize) -> Result<&mut QuantisedBlock, Damage> {
        self.blocks.get_mut(row * self.stride + column).ok_or(Damage::ScanHeader)
    }
}

/// Decodes the first bits of a DC coefficient, or its next bit. `dc` is the previous block's coefficient.
pub(super) fn decode_dc(
    bits: &mut BitReader<'_>,
    scan: &ScanHeader,
    dc: &mut i32,
    table: Option<&HuffmanTable>,
    block: &mut QuantisedBlock,
) -> Result<(), Damage> {
    if scan.high > 0 {
        block[0] |= (bits.take(1) as i16) << scan.low;
        return Ok(());
    }
    *dc = next_dc(bits, *dc, table.ok_or(Damage::HuffmanTable)?)?;
    block[0] = i16::try_from(*dc << scan.low).map_err(|_| Damage::Range)?;
    Ok(())
}

/// Decodes the AC coefficients of one scan.
pub(super) struct AcScan<'s> {
    scan: &'s ScanHeader,
    table: &'s HuffmanTable,
    /// Number of coming blocks without anything new.
    empty: u32,
}

impl<'s> AcScan<'s> {
    pub(super) const fn new(scan: &'s ScanHeader, table: &'s HuffmanTable) -> Self {
        Self { scan, table, empty: 0 }
    }

    /// Checks the end of a restart interval.
    ///
    /// # Errors
    /// [`Damage::Run`] if a run of such blocks extends beyond the end.
    pub(super) const fn end(&self) -> Result<(), Damage> {
        if self.empty > 0 { Err(Damage::Run) } else { Ok(()) }
    }

    pub(super) fn decode(
        &mut self,
        bits: &mut BitReader<'_>,
        block: &mut QuantisedBlock,
    ) -> Result<(), Damage> {
        if self.scan.high == 0 { self.decode_first(bits, block) } else { self.refine(bits, block) }
    }

    fn decode_first(&mut self, bits: &mut BitReader<'_>, block: &mut QuantisedBlock) -> Result<(), Damage> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let mut at = self.scan.first;
        while at <= self.scan.last {
            let symbol = bits.symbol(self.table)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && run < 15 {
                self.empty = (1 << run) - 1 + bits.take(run);
                return Ok(());
            }
            at += run as usize;
            if at > self.scan.last {
                return Err(Damage::Run);
            }
            let value = bits.value(size) << self.scan.low;
            let coefficient = block.get_mut(at).ok_or(Damage::Run)?;
            *coefficient = i16::try_from(value).map_err(|_| Damage::Range)?;
            at += 1;
        }
        Ok(())
    }

    fn refine(&mut self, bits: &mut BitReader<'_>, block: &mut QuantisedBlock) -> Result<(), Damage> {
        let (last, bit) = (self.scan.last, 1 << self.scan.low);
        let mut at = self.scan.first;
        while self.empty == 0 && at <= last {
            let symbol = bits.symbol(self.table)?;
            let (run, size) = (u32::from(symbol >> 4), symbol & 15);
            if size > 1 {
                return Err(Damage::Code);
            }
            if size == 0 && run < 15 {
                self.empty = (1 << run) + bits.take(run);
                break;
            }
            let new = match size {
                0 => 0,
                _ if bits.take(1) == 1 => bit,
                _ => -bit,
            };
            // Skips `run` coefficients that stay zero; non-zero ones on the way get their next bit.
            let mut zeros = 0;
            while at <= last {
                let coefficient = block.get_mut(at).ok_or(Damage::Run)?;
                if *coefficient != 0 {
                    refine_one(bits, coefficient, bit);
                } else if zeros == run {
                    break;
                } else {
                    zeros += 1;
                }
                at += 1;
            }
            if at > last {
                return Err(Damage::Run);
            }
            *block.get_mut(at).ok_or(Damage::Run)? = new;
            at += 1;
        }
        if self.empty > 0 {
            self.empty -= 1;
            let rest = block.get_mut(at..=last).unwrap_or(&mut []);
            for coefficient in rest.iter_mut().filter(|coefficient| **coefficient != 0) {
                refine_one(bits, coefficient, bit);
            }
        }
        Ok(())
    }
}

/// Adds the next bit to a non-zero coefficient, away from zero.
fn refine_one(bits: &mut BitReader<'_>, coefficient: &mut i16, bit: i16) {
    if bits.take(1) == 1 && *coefficient & bit == 0 {
        *coefficient = coefficient.wrapping_add(if *coefficient > 0 { bit } else { -bit });
    }
}
