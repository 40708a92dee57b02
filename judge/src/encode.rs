//! [`Frame`] → PNG.

use image::codecs::png::PngEncoder;
use image::{ImageBuffer, Luma, Rgb};

use crate::frame::{Frame, Pixels};

/// Why a frame can't be written as PNG.
#[derive(Debug, thiserror::Error)]
#[error("the frame cannot be written as PNG ({0}); write a smaller one")]
pub struct EncodeError(String);

/// Encodes the frame as a lossless PNG file with the frame's depth and number of channels.
///
/// # Errors
/// [`EncodeError`] if the encoder refuses, for example a frame larger than PNG can hold.
pub fn encode_png(frame: &Frame) -> Result<Vec<u8>, EncodeError> {
    let (w, h) = (frame.size().width, frame.size().height);
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    // `Frame` guarantees that the values fit the size, so no buffer is `None`.
    let written = match frame.pixels() {
        Pixels::Grey8(v) => {
            ImageBuffer::<Luma<u8>, &[u8]>::from_raw(w, h, v).map(|i| i.write_with_encoder(encoder))
        }
        Pixels::Rgb8(v) => {
            ImageBuffer::<Rgb<u8>, &[u8]>::from_raw(w, h, v).map(|i| i.write_with_encoder(encoder))
        }
        Pixels::Grey16(v) => {
            ImageBuffer::<Luma<u16>, &[u16]>::from_raw(w, h, v).map(|i| i.write_with_encoder(encoder))
        }
        Pixels::Rgb16(v) => {
            ImageBuffer::<Rgb<u16>, &[u16]>::from_raw(w, h, v).map(|i| i.write_with_encoder(encoder))
        }
    };
    match written {
        Some(Ok(())) => Ok(png),
        Some(Err(e)) => Err(EncodeError(e.to_string())),
        None => Err(EncodeError("its values do not match its size".to_owned())),
    }
}
