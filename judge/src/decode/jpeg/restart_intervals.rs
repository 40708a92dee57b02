//! A scan's data: restart intervals, and which blocks their MCUs contain (ITU-T T.81, A.2 and B.2.1).

use std::ops::Range;

use super::bit_reader::{BitReader, unstuff};
use super::error::Damage;
use super::header::{Component, FrameHeader, ScanHeader};
use super::segments::{self, marker};

/// The MCUs of a scan: interleaved units, or the blocks of its only component.
#[derive(Debug, Clone, Copy)]
pub(super) struct McuLayout {
    across: usize,
    down: usize,
    is_interleaved: bool,
}

impl McuLayout {
    pub(super) fn of(frame: &FrameHeader, scan: &ScanHeader) -> Result<Self, Damage> {
        let &[in_scan] = scan.components.as_slice() else {
            return Ok(Self { across: frame.mcus_across, down: frame.mcus_down, is_interleaved: true });
        };
        let component = frame.component(in_scan.component)?;
        Ok(Self { across: component.columns, down: component.rows, is_interleaved: false })
    }

    pub(super) const fn count(self) -> usize {
        self.across * self.down
    }

    /// Returns the column and row of each of a component's blocks in an MCU.
    pub(super) fn blocks(self, number: usize, component: &Component) -> impl Iterator<Item = (usize, usize)> {
        let (column, row) = (number % self.across, number / self.across);
        let (across, down) = if self.is_interleaved { (component.across, component.down) } else { (1, 1) };
        (0..down).flat_map(move |y| (0..across).map(move |x| (column * across + x, row * down + y)))
    }
}

/// Calls `decode` for each restart interval, with its bits and the numbers of its MCUs; returns the position of the
/// marker after the last one. `data` is scratch space.
///
/// # Errors
/// What `decode` returns, or [`Damage`] if an interval's data doesn't end where it should, or its marker is missing.
pub(super) fn for_each_interval(
    bytes: &[u8],
    mut at: usize,
    mcus: usize,
    restart: usize,
    data: &mut Vec<u8>,
    mut decode: impl FnMut(&mut BitReader<'_>, Range<usize>) -> Result<(), Damage>,
) -> Result<usize, Damage> {
    let interval_len = if restart == 0 { mcus } else { restart };
    let (mut done, mut number) = (0, 0);
    loop {
        let rest = bytes.get(at..).ok_or(Damage::CutShort)?;
        let behind = at + unstuff(rest, data).ok_or(Damage::CutShort)?;
        let next = mcus.min(done + interval_len);
        let mut bits = BitReader::new(data);
        decode(&mut bits, done..next)?;
        bits.end()?;
        done = next;
        // Only fill bytes may precede a marker.
        let segment = segments::next(bytes, behind).ok_or(Damage::CutShort)?;
        if bytes.get(behind..segment.start).is_none_or(|fill| fill.iter().any(|&byte| byte != 0xFF)) {
            return Err(Damage::Code);
        }
        if done == mcus {
            return Ok(behind);
        }
        if segment.marker != marker::RST0 + number {
            return Err(Damage::Restart);
        }
        number = (number + 1) & 7;
        at = segment.end;
    }
}
