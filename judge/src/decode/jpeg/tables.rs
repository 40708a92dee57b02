//! The tables that segments define: Huffman codes and quantisation steps.

use super::block::QuantTable;
use super::error::{Damage, unsupported};
use super::header::ScanHeader;
use super::huffman::{HuffmanTable, TYPICAL};
use crate::decode::DecodeError;

/// A table's place. What it holds outlives the file: a camera sends the same tables with every frame, and to build them again would
/// take as long as decoding a few hundred blocks.
#[derive(Default)]
struct Slot {
    /// Whether the current file has defined it.
    is_defined: bool,
    table: Option<Box<(HuffmanDefinition, HuffmanTable)>>,
}

/// The number of codes of each length, and their symbols.
#[derive(PartialEq, Eq)]
struct HuffmanDefinition {
    counts: [u8; 16],
    symbols: heapless::Vec<u8, 256>,
}

impl Slot {
    fn get(&self) -> Option<&HuffmanTable> {
        self.table.as_deref().filter(|_| self.is_defined).map(|(_, table)| table)
    }

    fn set(&mut self, counts: &[u8; 16], symbols: &[u8], is_dc: bool) -> Result<(), Damage> {
        self.is_defined = false;
        let is_held = self.table.as_deref().is_some_and(|(definition, _)| {
            definition.counts == *counts && definition.symbols[..] == *symbols
        });
        if !is_held {
            let table = HuffmanTable::new(counts, symbols)?;
            let symbols = heapless::Vec::from_slice(symbols).map_err(|_| Damage::HuffmanTable)?;
            if is_dc && !table.suits_dc() {
                return Err(Damage::HuffmanTable);
            }
            self.table = Some(Box::new((HuffmanDefinition { counts: *counts, symbols }, table)));
        }
        self.is_defined = true;
        Ok(())
    }
}

/// All tables, by number.
#[derive(Default)]
pub(super) struct Tables {
    dc: [Slot; 4],
    ac: [Slot; 4],
    steps: [Option<QuantTable>; 4],
}

impl Tables {
    /// Forgets what the last file defined.
    pub(super) fn begin(&mut self) {
        self.dc.iter_mut().chain(&mut self.ac).for_each(|slot| slot.is_defined = false);
        self.steps = [None; 4];
    }

    /// Reads a DHT segment.
    ///
    /// # Errors
    /// [`Damage::HuffmanTable`].
    pub(super) fn take_huffman(&mut self, mut payload: &[u8]) -> Result<(), Damage> {
        while let Some((class_and_number, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk().ok_or(Damage::HuffmanTable)?;
            let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or(Damage::HuffmanTable)?;
            self.set_huffman(*class_and_number, counts, symbols)?;
            payload = rest;
        }
        Ok(())
    }

    fn set_huffman(&mut self, class_and_number: u8, counts: &[u8; 16], symbols: &[u8]) -> Result<(), Damage> {
        let is_dc = class_and_number >> 4 == 0;
        let tables = match class_and_number >> 4 {
            0 => &mut self.dc,
            1 => &mut self.ac,
            _ => return Err(Damage::HuffmanTable),
        };
        let slot = tables.get_mut(usize::from(class_and_number & 15)).ok_or(Damage::HuffmanTable)?;
        slot.set(counts, symbols, is_dc)
    }

    /// Reads a DQT segment.
    ///
    /// # Errors
    /// [`Damage::QuantisationTable`].
    pub(super) fn take_quantisation(&mut self, mut payload: &[u8]) -> Result<(), Damage> {
        while let Some((precision_and_number, rest)) = payload.split_first() {
            let bytes = match precision_and_number >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(Damage::QuantisationTable),
            };
            let (coded, rest) = rest.split_at_checked(64 * bytes).ok_or(Damage::QuantisationTable)?;
            let mut steps = [0; 64];
            for (step, coded) in steps.iter_mut().zip(coded.chunks(bytes)) {
                *step = coded.iter().fold(0, |step, &byte| step << 8 | u16::from(byte));
            }
            let number = usize::from(precision_and_number & 15);
            *self.steps.get_mut(number).ok_or(Damage::QuantisationTable)? = Some(steps);
            payload = rest;
        }
        Ok(())
    }

    /// Fills in the typical tables that the scan of a sequential file refers to and that were never sent: Motion JPEG
    /// may omit them (USB Device Class Definition for Video Devices: Motion-JPEG Payload, 3.1).
    ///
    /// # Errors
    /// Never, with the [`TYPICAL`] tables.
    pub(super) fn fill_in_typical(&mut self, scan: &ScanHeader) -> Result<(), Damage> {
        for (class_and_number, counts, symbols) in &TYPICAL {
            let number = usize::from(class_and_number & 15);
            let is_dc = class_and_number >> 4 == 0;
            let tables = if is_dc { &self.dc } else { &self.ac };
            let is_named = scan.components.iter().any(|c| number == if is_dc { c.dc } else { c.ac });
            if is_named && tables.get(number).is_some_and(|slot| slot.get().is_none()) {
                self.set_huffman(*class_and_number, counts, symbols)?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`Damage::HuffmanTable`] if the table doesn't exist.
    pub(super) fn dc(&self, number: usize) -> Result<&HuffmanTable, Damage> {
        self.dc.get(number).and_then(Slot::get).ok_or(Damage::HuffmanTable)
    }

    /// # Errors
    /// [`Damage::HuffmanTable`] if the table doesn't exist.
    pub(super) fn ac(&self, number: usize) -> Result<&HuffmanTable, Damage> {
        self.ac.get(number).and_then(Slot::get).ok_or(Damage::HuffmanTable)
    }

    /// Returns the quantisation steps.
    ///
    /// # Errors
    /// [`Damage::QuantisationTable`] if the table doesn't exist, or `Unsupported` if a step is zero.
    pub(super) fn steps(&self, number: usize) -> Result<QuantTable, DecodeError> {
        let steps = self.steps.get(number).copied().flatten().ok_or(Damage::QuantisationTable)?;
        if steps.contains(&0) {
            return Err(unsupported("its quantisation table has steps of zero"));
        }
        Ok(steps)
    }
}
