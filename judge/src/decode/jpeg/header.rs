//! Frame and scan headers (ITU-T T.81, B.2.2 and B.2.3).

use heapless::Vec;

use super::error::{Damage, unsupported};
use super::segments::{Segment, marker};
use crate::decode::DecodeError;

/// Components that a frame may have.
pub(super) const MAX_COMPONENTS: usize = 3;

/// One component of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    pub id: u8,
    /// Blocks across and down in an MCU (interleaved unit).
    pub across: usize,
    pub down: usize,
    /// Number of its quantisation table.
    pub quantisation: usize,
    /// Samples across and down that belong to the picture.
    pub width: usize,
    pub height: usize,
    /// Blocks across and down that contain them.
    pub columns: usize,
    pub rows: usize,
}

/// The frame: its size in pixels, and its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub width: u32,
    pub height: u32,
    pub is_progressive: bool,
    pub components: Vec<Component, MAX_COMPONENTS>,
    /// The largest number of blocks of any component in an MCU (interleaved unit), across and down.
    pub max_across: usize,
    pub max_down: usize,
    /// MCUs across and down.
    pub mcus_across: usize,
    pub mcus_down: usize,
}

/// Describes what a start-of-frame marker that isn't read stands for (T.81, table B.1).
const fn process_of(start_of_frame: u8) -> &'static str {
    match start_of_frame {
        marker::SOF3 => "it is lossless",
        marker::SOF9 | marker::SOF10 => "it is compressed with arithmetic coding",
        marker::SOF11 => "it is lossless, with arithmetic coding",
        _ => "it is hierarchical",
    }
}

impl FrameHeader {
    /// Reads a start-of-frame segment.
    ///
    /// # Errors
    /// `Unsupported` for anything but baseline, extended sequential or progressive with 8 bits and one or three
    /// components; `Malformed` for values that the standard doesn't allow.
    pub(super) fn read(segment: &Segment<'_>) -> Result<Self, DecodeError> {
        if !matches!(segment.marker, marker::SOF0 | marker::SOF1 | marker::SOF2) {
            return Err(unsupported(process_of(segment.marker)));
        }
        let [precision, h0, h1, w0, w1, count, rest @ ..] = segment.payload else {
            return Err(Damage::FrameHeader.into());
        };
        if *precision != 8 {
            return Err(unsupported(format!("its samples have {precision} bits")));
        }
        let width = u32::from(u16::from_be_bytes([*w0, *w1]));
        let height = u32::from(u16::from_be_bytes([*h0, *h1]));
        if height == 0 && width > 0 {
            return Err(unsupported("its height comes after its data"));
        }
        if width == 0 || rest.len() != usize::from(*count) * 3 {
            return Err(Damage::FrameHeader.into());
        }
        if !matches!(count, 1 | 3) {
            return Err(unsupported(format!("it has {count} components")));
        }
        let (specified, _) = rest.as_chunks::<3>();
        Self::lay_out(width, height, segment.marker == marker::SOF2, specified)
    }

    /// Returns the component at an index.
    ///
    /// # Errors
    /// [`Damage::ScanHeader`] if it doesn't exist.
    pub(super) fn component(&self, index: usize) -> Result<&Component, Damage> {
        self.components.get(index).ok_or(Damage::ScanHeader)
    }

    fn lay_out(
        width: u32,
        height: u32,
        is_progressive: bool,
        specified: &[[u8; 3]],
    ) -> Result<Self, DecodeError> {
        let mut factors: Vec<(usize, usize), MAX_COMPONENTS> =
            specified.iter().map(|[_, hv, _]| (usize::from(hv >> 4), usize::from(hv & 15))).collect();
        if factors.iter().any(|(across, down)| !(1..=4).contains(across) || !(1..=4).contains(down)) {
            return Err(Damage::FrameHeader.into());
        }
        // A single component is never subsampled, whatever the header says.
        if let [only] = &mut factors[..] {
            *only = (1, 1);
        }
        let max_across = factors.iter().map(|(across, _)| *across).max().unwrap_or(1);
        let max_down = factors.iter().map(|(_, down)| *down).max().unwrap_or(1);
        if factors
            .iter()
            .any(|(across, down)| !max_across.is_multiple_of(*across) || !max_down.is_multiple_of(*down))
        {
            return Err(unsupported("its components' sampling factors are not multiples of each other"));
        }
        let components = specified.iter().zip(&factors).map(|([id, _, quantisation], &(across, down))| {
            let samples = |pixels: u32, factor: usize, max_factor: usize| {
                (pixels as usize * factor).div_ceil(max_factor)
            };
            let (width, height) = (samples(width, across, max_across), samples(height, down, max_down));
            Component {
                id: *id,
                across,
                down,
                quantisation: usize::from(*quantisation),
                width,
                height,
                columns: width.div_ceil(8),
                rows: height.div_ceil(8),
            }
        });
        let components: Vec<Component, MAX_COMPONENTS> = components.collect();
        let is_named_twice = |(index, component): (usize, &Component)| {
            components.iter().take(index).any(|earlier| earlier.id == component.id)
        };
        if components.iter().enumerate().any(is_named_twice) {
            return Err(Damage::FrameHeader.into());
        }
        Ok(Self {
            width,
            height,
            is_progressive,
            components,
            max_across,
            max_down,
            mcus_across: (width as usize).div_ceil(8 * max_across),
            mcus_down: (height as usize).div_ceil(8 * max_down),
        })
    }
}

/// A component's part in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanComponent {
    /// Its index in the frame.
    pub component: usize,
    /// Numbers of its Huffman tables.
    pub dc: usize,
    pub ac: usize,
}

/// A scan: its components, and which of their coefficients and bits it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanHeader {
    pub components: Vec<ScanComponent, MAX_COMPONENTS>,
    /// First and last coefficient.
    pub first: usize,
    pub last: usize,
    /// The lowest bit from earlier scans, and the lowest bit from this one.
    pub high: u32,
    pub low: u32,
}

impl ScanHeader {
    /// Reads a start-of-scan segment.
    ///
    /// # Errors
    /// [`Damage::ScanHeader`] for anything that the frame's components or the standard don't allow.
    pub(super) fn read(segment: &Segment<'_>, frame: &FrameHeader) -> Result<Self, Damage> {
        let (count, rest) = segment.payload.split_first().ok_or(Damage::ScanHeader)?;
        let (named, spectral) = rest.split_at_checked(usize::from(*count) * 2).ok_or(Damage::ScanHeader)?;
        let &[first, last, bits] = spectral else { return Err(Damage::ScanHeader) };
        let (named, _) = named.as_chunks::<2>();
        let mut components = Vec::new();
        // In the frame's order, each at most once.
        let mut next = 0;
        for [id, tables] in named {
            let ahead = frame.components.iter().skip(next).position(|component| component.id == *id);
            let component = next + ahead.ok_or(Damage::ScanHeader)?;
            next = component + 1;
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            components.push(ScanComponent { component, dc, ac }).map_err(|_| Damage::ScanHeader)?;
        }
        let scan = Self {
            components,
            first: first.into(),
            last: last.into(),
            high: u32::from(bits >> 4),
            low: u32::from(bits & 15),
        };
        if scan.is_allowed(frame.is_progressive) { Ok(scan) } else { Err(Damage::ScanHeader) }
    }

    fn is_allowed(&self, is_progressive: bool) -> bool {
        if self.components.is_empty() {
            return false;
        }
        if !is_progressive {
            return (self.first, self.last, self.high, self.low) == (0, 63, 0, 0);
        }
        let band = if self.first == 0 {
            self.last == 0
        } else {
            self.components.len() == 1 && (self.first..=63).contains(&self.last)
        };
        band && self.low <= 13 && (self.high == 0 || self.high == self.low + 1)
    }
}
