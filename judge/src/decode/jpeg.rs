//! JPEG: baseline, extended sequential and progressive, 8 bits, grey or colour (ITU-T T.81, JFIF 1.02).
//!
//! A decoder of our own, because existing Rust decoders draw what they can of a damaged file: if a camera or a copy lost
//! bytes, a part may appear without its defect. Here, all bits must be present and used. Intact files give the same
//! pixels as libjpeg-turbo, to the bit, so the line sees the same as training did elsewhere.
//!
//! | module | contents |
//! |---|---|
//! | `file` | segments and scans → samples of the components |
//! | `segments`, `header`, `tables` | the contents of segments |
//! | `restart_intervals` | a scan's restart intervals, and the blocks in them |
//! | `huffman`, `bit_reader` | codes, and the bits of a restart interval |
//! | `sequential`, `progressive`, `block` | the coefficients of blocks |
//! | `upsample` | components at the frame's size; this, the transform and the colour conversion use loops of `kernels::jpeg` |
//! | `error` | what is wrong with a file |

mod bit_reader;
mod block;
mod error;
mod file;
mod header;
mod huffman;
mod progressive;
mod restart_intervals;
mod segments;
mod sequential;
mod tables;
mod upsample;

use std::ops::Range;

use image::metadata::Orientation;
use kernels::jpeg::{interleave_rgb, ycbcr_to_rgb};
use shared_format::{Roi, Size};

use super::DecodeError;
use crate::frame_area::{FrameRows, RowBuffers};
use file::{Admit, File, Picture};
use header::MAX_COMPONENTS;
pub(crate) use upsample::UpsamplingBuffers;

/// Decodes JPEGs one after the other. Its memory is allocated for the first and used again for the next ones.
#[derive(Default)]
pub(crate) struct JpegDecoder(File);

/// An area of a decoded JPEG: its components' samples, from which rows of pixels are computed. Grey stays grey, anything else becomes
/// RGB.
pub(crate) struct DecodedJpeg<'d> {
    file: &'d File,
    area: Roi,
    is_rgb: bool,
    /// Not applied yet.
    pub orientation: Orientation,
}

impl JpegDecoder {
    /// Decodes an area of a JPEG. The data of the whole file is read and checked, whatever the area. `admit` is called before memory is
    /// allocated for samples, and returns the area.
    ///
    /// # Errors
    /// [`DecodeError`]: cut short, damaged, or of an unsupported kind; or what `admit` returns.
    pub(crate) fn decode(&mut self, bytes: &[u8], admit: Admit<'_>) -> Result<DecodedJpeg<'_>, DecodeError> {
        let Picture { area, is_rgb, orientation } = self.0.decode(bytes, admit)?;
        Ok(DecodedJpeg { file: &self.0, area, is_rgb, orientation })
    }
}

impl FrameRows for DecodedJpeg<'_> {
    fn size(&self) -> Size {
        Size { width: self.area.width, height: self.area.height }
    }

    fn channels(&self) -> usize {
        if self.file.planes().len() == 1 { 1 } else { 3 }
    }

    fn write_row(&self, y: usize, xs: Range<usize>, buffers: &mut RowBuffers, out: &mut [u8]) {
        let (left, y) = (self.area.x as usize, self.area.y as usize + y);
        let xs = left + xs.start..left + xs.end;
        let [a, b, c] = &mut buffers.upsampling;
        let planes = self.file.planes().iter().zip([a, b, c]);
        let rows: heapless::Vec<&[u8], MAX_COMPONENTS> =
            planes.map(|(plane, buffers)| plane.upsampled(y, &xs, buffers)).collect();
        if rows.iter().any(|row| row.len() != xs.len()) {
            // A hole must not show what was there before.
            out.fill(0);
            return;
        }
        match rows[..] {
            [grey] => out.iter_mut().zip(grey).for_each(|(out, value)| *out = *value),
            [first, second, third] if self.is_rgb => interleave_rgb([first, second, third], out),
            [first, second, third] => ycbcr_to_rgb(first, second, third, out),
            _ => {}
        }
    }
}

/// Returns the bytes of a JPEG up to and including its end-of-image marker: a camera's buffer continues after it. `None`
/// if there is no such marker, because the picture was cut short.
#[must_use]
pub fn trim_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..segments::end_of_image(bytes)? + 2)
}
