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
//! | `upsample` | components at full size; this, the transform and the colour conversion use loops of `kernels::jpeg` |
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

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use kernels::jpeg::{interleave_rgb, ycbcr_to_rgb};

use super::DecodeError;
use error::Damage;
use file::{Admit, DecodedJpeg};

/// Decodes a JPEG; grey stays grey, anything else becomes RGB. The orientation is returned, not applied. `admit` is
/// called before memory is allocated for pixels.
pub(super) fn decode(bytes: &[u8], admit: Admit<'_>) -> Result<(DynamicImage, Orientation), DecodeError> {
    let (decoded, orientation) = file::decode(bytes, admit)?;
    let (width, height) = (decoded.width, decoded.height);
    let image = match decoded.planes.as_slice() {
        [_] => GrayImage::from_raw(width, height, grey(&decoded)).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, rgb(&decoded)).map(DynamicImage::ImageRgb8),
    };
    Ok((image.ok_or(Damage::CutShort)?, orientation))
}

fn grey(decoded: &DecodedJpeg) -> Vec<u8> {
    let [plane] = decoded.planes.as_slice() else { return vec![] };
    let rows = plane.samples.chunks(plane.stride).take(plane.height);
    rows.flat_map(|row| row.iter().take(plane.width)).copied().collect()
}

fn rgb(decoded: &DecodedJpeg) -> Vec<u8> {
    let [first, second, third] = decoded.planes.as_slice() else { return vec![] };
    let row_bytes = decoded.width as usize * 3;
    let mut pixels = vec![0; row_bytes * decoded.height as usize];
    let (mut sums, mut rows) = (vec![], [const { vec![] }; 3]);
    for (y, out) in pixels.chunks_mut(row_bytes.max(1)).enumerate() {
        let [a, b, c] = &mut rows;
        let a = first.upsampled(y, a, &mut sums);
        let b = second.upsampled(y, b, &mut sums);
        let c = third.upsampled(y, c, &mut sums);
        if decoded.is_rgb { interleave_rgb([a, b, c], out) } else { ycbcr_to_rgb(a, b, c, out) }
    }
    pixels
}

/// Returns the bytes of a JPEG up to and including its end-of-image marker: a camera's buffer continues after it. `None`
/// if there is no such marker, because the picture was cut short.
#[must_use]
pub fn trim_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..segments::end_of_image(bytes)? + 2)
}
