//! Segments and scans of a file → samples of its components.
//!
//! Most decoders fill in what is missing: lost bytes become flat rows where a defect may have been. A judge must refuse
//! such a frame. What is refused here as damaged is what libjpeg warns about and a little more: coefficients that no
//! picture has, and missing scans.

use image::metadata::Orientation;
use shared_format::{Roi, Size};

use super::block::{CoefficientBlock, QuantTable};
use super::error::{Damage, unsupported};
use super::header::{Component, FrameHeader, MAX_COMPONENTS, ScanHeader};
use super::progressive::{AcScan, CoefficientBuffer, decode_dc};
use super::restart_intervals::{McuLayout, for_each_interval};
use super::segments::{self, Segment, marker};
use super::sequential::decode_block;
use super::tables::Tables;
use super::upsample::Plane;
use crate::decode::{DecodeError, exif};

/// What was decoded: the samples are in [`File::planes`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    /// What of it was decoded.
    pub(super) area: Roi,
    /// Whether the three components are red, green and blue; otherwise they are luma and the blue and red differences.
    pub(super) is_rgb: bool,
    pub(super) orientation: Orientation,
}

/// The check of a file's header: its size and orientation. Returns the area to be decoded, of which at least a pixel must be within the
/// picture.
pub(super) type Admit<'a> = &'a dyn Fn(Size, Orientation) -> Result<Roi, DecodeError>;

impl File {
    /// Decodes the file. `admit` is called before memory is allocated for its pixels.
    ///
    /// # Errors
    /// [`DecodeError`]: cut short, damaged, or of an unsupported kind; or what `admit` returns.
    pub(super) fn decode(&mut self, bytes: &[u8], admit: Admit<'_>) -> Result<Picture, DecodeError> {
        self.begin();
        let mut at = 2;
        loop {
            let segment = segments::next(bytes, at).ok_or(Damage::CutShort)?;
            at = segment.end;
            match segment.marker {
                marker::EOI => return self.finish(),
                marker::SOS => at = self.scan(bytes, &segment, admit)?,
                marker::DHT => self.tables.take_huffman(segment.payload)?,
                marker::DQT => self.tables.take_quantisation(segment.payload)?,
                marker::DRI => {
                    let &[high, low] = segment.payload else { return Err(Damage::Segment.into()) };
                    self.restart = u16::from_be_bytes([high, low]).into();
                }
                marker::SOF55 => return Err(unsupported("it is a JPEG-LS file")),
                marker::DHP => return Err(unsupported("it is hierarchical")),
                marker::DNL => return Err(unsupported("its height comes after its data")),
                marker::SOI => return Err(Damage::Segment.into()),
                marker::DAC | marker::JPG => {}
                marker::SOF0..=marker::SOF15 => {
                    let before = self.frame.replace(FrameHeader::read(&segment)?);
                    before.map_or(Ok(()), |_| Err(Damage::FrameHeader))?;
                }
                marker::APP0..=marker::APP15 => self.application(&segment)?,
                _ => {}
            }
        }
    }
}

/// What the segments of a file have defined so far, and memory that is used again for the next file.
#[derive(Default)]
pub(super) struct File {
    frame: Option<FrameHeader>,
    tables: Tables,
    /// MCUs between restart markers; 0 if there are none.
    restart: usize,
    orientation: Option<Orientation>,
    has_jfif: bool,
    adobe_transform: Option<u8>,
    /// By component; set by its first scan.
    steps: heapless::Vec<Option<QuantTable>, MAX_COMPONENTS>,
    /// Of a progressive file.
    coefficients: Vec<CoefficientBuffer>,
    /// What is decoded of the frame, known when its first scan begins.
    area: Option<Roi>,
    /// Samples of the components.
    planes: [Plane; MAX_COMPONENTS],
    /// The data of a restart interval.
    data: Vec<u8>,
}

impl File {
    /// Forgets everything about the last file.
    fn begin(&mut self) {
        self.tables.begin();
        self.steps.clear();
        self.coefficients.clear();
        (self.frame, self.restart, self.orientation, self.area) = (None, 0, None, None);
        (self.has_jfif, self.adobe_transform) = (false, None);
    }

    /// Returns the samples of the decoded components.
    pub(super) fn planes(&self) -> &[Plane] {
        self.planes.get(..self.steps.len()).unwrap_or(&[])
    }

    /// # Errors
    /// If the JFIF version or the Adobe colour transform doesn't exist: the meaning of the values is then unknown.
    fn application(&mut self, segment: &Segment<'_>) -> Result<(), Damage> {
        match (segment.marker, segment.payload) {
            (marker::APP0, [b'J', b'F', b'I', b'F', 0, major, rest @ ..]) if rest.len() >= 8 => {
                self.has_jfif = true;
                if *major == 1 { Ok(()) } else { Err(Damage::Segment) }
            }
            (marker::APP1, [b'E', b'x', b'i', b'f', 0, _, exif @ ..]) => {
                self.orientation = self.orientation.or(exif::orientation(exif));
                Ok(())
            }
            (marker::APP14, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => {
                self.adobe_transform = Some(*transform);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Decodes a scan; returns the position of the marker after it.
    fn scan(&mut self, bytes: &[u8], segment: &Segment<'_>, admit: Admit<'_>) -> Result<usize, DecodeError> {
        let frame = self.frame.take().ok_or(Damage::ScanHeader)?;
        let scan = ScanHeader::read(segment, &frame)?;
        if self.steps.is_empty() {
            let size = Size { width: frame.width, height: frame.height };
            let area = admit(size, self.orientation.unwrap_or(Orientation::NoTransforms))?;
            self.lay_out(&frame, within(area, size))?;
        }
        for in_scan in &scan.components {
            let component = frame.component(in_scan.component)?;
            let steps = self.steps.get_mut(in_scan.component).ok_or(Damage::ScanHeader)?;
            match steps {
                None => *steps = Some(self.tables.steps(component.quantisation)?),
                Some(_) if frame.is_progressive => {}
                Some(_) => return Err(Damage::Scans.into()),
            }
        }
        let end = if !frame.is_progressive {
            self.tables.fill_in_typical(&scan)?;
            self.sequential(bytes, segment.end, &frame, &scan)?
        } else if scan.first == 0 {
            self.progressive_dc(bytes, segment.end, &frame, &scan)?
        } else {
            self.progressive_ac(bytes, segment.end, &frame, &scan)?
        };
        self.frame = Some(frame);
        Ok(end)
    }

    fn lay_out(&mut self, frame: &FrameHeader, area: Roi) -> Result<(), Damage> {
        self.area = Some(area);
        for (component, plane) in frame.components.iter().zip(&mut self.planes) {
            self.steps.push(None).map_err(|_| Damage::FrameHeader)?;
            plane.lay_out(component, frame, area);
            if frame.is_progressive {
                let columns = frame.mcus_across * component.across;
                let rows = frame.mcus_down * component.down;
                self.coefficients.push(CoefficientBuffer::new(columns, rows));
            }
        }
        Ok(())
    }

    fn sequential(
        &mut self,
        bytes: &[u8],
        at: usize,
        frame: &FrameHeader,
        scan: &ScanHeader,
    ) -> Result<usize, Damage> {
        let Self { tables, steps, planes, restart, data, .. } = self;
        let mut parts: heapless::Vec<_, MAX_COMPONENTS> = heapless::Vec::new();
        for in_scan in &scan.components {
            let component = frame.component(in_scan.component)?;
            let steps = steps.get(in_scan.component).and_then(Option::as_ref).ok_or(Damage::ScanHeader)?;
            let (dc, ac) = (tables.dc(in_scan.dc)?, tables.ac(in_scan.ac)?);
            parts.push((in_scan.component, component, dc, ac, steps)).map_err(|_| Damage::ScanHeader)?;
        }
        let mcus = McuLayout::of(frame, scan)?;
        for_each_interval(bytes, at, mcus.count(), *restart, data, |bits, numbers| {
            let mut dc = [0; 4];
            for number in numbers {
                for (&(index, component, of_dc, of_ac, steps), dc) in parts.iter().zip(&mut dc) {
                    let plane = planes.get_mut(index).ok_or(Damage::ScanHeader)?;
                    for (column, row) in mcus.blocks(number, component) {
                        let mut block = CoefficientBlock::new(steps);
                        decode_block(bits, dc, of_dc, of_ac, &mut block)?;
                        plane.draw(&block, column, row);
                    }
                }
                bits.ensure_not_past_end()?;
            }
            Ok(())
        })
    }

    fn progressive_dc(
        &mut self,
        bytes: &[u8],
        at: usize,
        frame: &FrameHeader,
        scan: &ScanHeader,
    ) -> Result<usize, Damage> {
        let Self { tables, coefficients, restart, data, .. } = self;
        let mut parts = vec![];
        for in_scan in &scan.components {
            let component = frame.component(in_scan.component)?;
            coefficients.get_mut(in_scan.component).ok_or(Damage::ScanHeader)?.begin(scan)?;
            let table = if scan.high > 0 { None } else { Some(tables.dc(in_scan.dc)?) };
            parts.push((in_scan.component, component, table));
        }
        let mcus = McuLayout::of(frame, scan)?;
        for_each_interval(bytes, at, mcus.count(), *restart, data, |bits, numbers| {
            let mut dc = [0; 4];
            for number in numbers {
                for (&(index, component, table), dc) in parts.iter().zip(&mut dc) {
                    let coefficients = coefficients.get_mut(index).ok_or(Damage::ScanHeader)?;
                    for (column, row) in mcus.blocks(number, component) {
                        let block = coefficients.block(column, row)?;
                        decode_dc(bits, scan, dc, table, block)?;
                    }
                }
                bits.ensure_not_past_end()?;
            }
            Ok(())
        })
    }

    fn progressive_ac(
        &mut self,
        bytes: &[u8],
        at: usize,
        frame: &FrameHeader,
        scan: &ScanHeader,
    ) -> Result<usize, Damage> {
        let Self { tables, coefficients, restart, data, .. } = self;
        let in_scan = scan.components.first().ok_or(Damage::ScanHeader)?;
        let component = frame.component(in_scan.component)?;
        let coefficients = coefficients.get_mut(in_scan.component).ok_or(Damage::ScanHeader)?;
        coefficients.begin(scan)?;
        let table = tables.ac(in_scan.ac)?;
        let mcus = McuLayout::of(frame, scan)?;
        for_each_interval(bytes, at, mcus.count(), *restart, data, |bits, numbers| {
            let mut ac = AcScan::new(scan, table);
            for number in numbers {
                for (column, row) in mcus.blocks(number, component) {
                    ac.decode(bits, coefficients.block(column, row)?)?;
                }
                bits.ensure_not_past_end()?;
            }
            ac.end()
        })
    }

    /// Checks that everything has arrived, and draws the blocks of a progressive file.
    ///
    /// # Errors
    /// [`Damage::Scans`] if a part of the picture never arrived.
    fn finish(&mut self) -> Result<Picture, DecodeError> {
        let frame = self.frame.take().ok_or(Damage::FrameHeader)?;
        let has_all = self.steps.len() == frame.components.len() && self.steps.iter().all(Option::is_some);
        if !has_all || !self.coefficients.iter().all(CoefficientBuffer::is_whole) {
            return Err(Damage::Scans.into());
        }
        let of_components = self.coefficients.iter_mut().zip(&self.steps).zip(&mut self.planes);
        for (((coefficients, steps), plane), component) in of_components.zip(&frame.components) {
            let Some(steps) = steps else { continue };
            for (row, column) in
                (0..component.rows).flat_map(|row| (0..component.columns).map(move |c| (row, c)))
            {
                let mut block = CoefficientBlock::new(steps);
                for (position, value) in coefficients.block(column, row)?.iter().enumerate() {
                    if *value != 0 {
                        block.set(position, i32::from(*value));
                    }
                }
                block.ensure_possible()?;
                plane.draw(&block, column, row);
            }
        }
        // They take more memory than the picture.
        self.coefficients = vec![];
        Ok(Picture {
            area: self.area.ok_or(Damage::Scans)?,
            is_rgb: is_rgb(&frame.components, self.has_jfif, self.adobe_transform)?,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
        })
    }
}

/// Returns the part of an area that lies within a picture, which has at least one pixel.
fn within(area: Roi, size: Size) -> Roi {
    let clip = |start: u32, length: u32, pixels: u32| {
        let start = start.min(pixels.saturating_sub(1));
        (start, length.min(pixels - start).max(1))
    };
    let (x, width) = clip(area.x, area.width, size.width);
    let (y, height) = clip(area.y, area.height, size.height);
    Roi { x, y, width, height }
}

/// Returns whether three components are red, green and blue, decided as libjpeg does: by JFIF's and Adobe's segments and
/// by the components' names.
fn is_rgb(components: &[Component], has_jfif: bool, adobe_transform: Option<u8>) -> Result<bool, Damage> {
    let [first, second, third] = components else { return Ok(false) };
    match adobe_transform {
        _ if has_jfif => Ok(false),
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        Some(_) => Err(Damage::Segment),
        None => Ok([first.id, second.id, third.id] == *b"RGB"),
    }
}
