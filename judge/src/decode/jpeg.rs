//! JPEG by zune-jpeg, with a check that it lacks: that the compressed data reached to the end of the picture.
//!
//! A camera or a copy that lost bytes leaves a file that decoders gladly fill up with grey; a judge must not.

use std::cell::Cell;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::{ZByteIoError, ZByteReaderTrait, ZSeekFrom};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{DecodeError, check_size};

const FORMAT: &str = "JPEG";
/// The decoder holds at most 64 bits, so it may ask for this many bytes more than the picture needs.
const READ_AHEAD: usize = 8;
/// Bits that no end-of-block code begins with in practice: a decoder that runs into the padding goes on asking for more.
const PADDING: u8 = 0xFE;
/// Padding served before the reader reports its end; ends the decoding of a picture that lacks data.
const MAX_PADDING: usize = 1 << 16;

/// Decodes a JPEG; grey stays grey, anything else becomes RGB. The orientation is returned, not applied.
pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), DecodeError> {
    let truncated = || DecodeError::Truncated { format: FORMAT };
    let malformed = |e: DecodeErrors| DecodeError::Malformed { format: FORMAT, reason: format!("{e:?}") };
    let end = end_of_image(bytes).ok_or_else(truncated)?;
    // Fill bytes before the marker; a data byte of this value is followed by a zero.
    let end = bytes[..end].iter().rposition(|&b| b != 0xFF).map_or(0, |last| last + 1);
    let missing = Cell::new(0);
    let reader = PaddedReader { data: &bytes[..end], position: 0, sought: 0, padding: &missing };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(u16::MAX.into())
        .set_max_height(u16::MAX.into());
    let mut decoder = JpegDecoder::new_with_options(reader, options);
    decoder.decode_headers().map_err(malformed)?;
    let (width, height) = decoder.dimensions().ok_or_else(truncated)?;
    let (width, height) = (width as u32, height as u32);
    check_size(width, height)?;
    let is_grey = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => true,
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => false,
        other => {
            let reason = format!("its colours are {other:?}");
            return Err(DecodeError::Unsupported { format: FORMAT, reason });
        }
    };
    let colours = if is_grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let decoded = decoder.decode();
    if missing.get() > READ_AHEAD {
        return Err(truncated());
    }
    let values = decoded.map_err(malformed)?;
    let image = if is_grey {
        GrayImage::from_raw(width, height, values).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, values).map(DynamicImage::ImageRgb8)
    };
    Ok((image.ok_or_else(truncated)?, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The bytes of a JPEG up to and with its end-of-image marker: a camera's buffer goes on after it. `None` where there is
/// no such marker: the picture was cut short.
#[must_use]
pub fn cut_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..end_of_image(bytes)? + 2)
}

/// Position of the end-of-image marker, found by walking the segments: a search from the back could meet the one of
/// a second picture, which some cameras append. Whatever follows the marker is ignored.
fn end_of_image(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // Compressed data and stray bytes up to the next marker; 0xFF00 is a data byte, 0xFFFF padding.
        at += bytes.get(at..)?.iter().position(|&b| b == 0xFF)?;
        match *bytes.get(at + 1)? {
            0xD9 => return Some(at),
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            _ => {
                let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                at += 2 + usize::from(length).max(2);
            }
        }
    }
}

/// Serves the file without its end-of-image marker, then padding, and counts it: a decoder that wants more of
/// it than it reads ahead was not given the whole picture.
///
/// zune-jpeg reads compressed data four bytes at a time or byte by byte without error, and searches markers by reads
/// of exactly one byte. Those find a restart and then end markers in the padding, never data, so that a picture cut
/// at a restart interval goes on asking for data.
struct PaddedReader<'b> {
    data: &'b [u8],
    position: usize,
    /// Bytes served by marker searches after the end of the data.
    sought: usize,
    /// Most padding bytes served as data.
    padding: &'b Cell<usize>,
}

impl PaddedReader<'_> {
    fn is_past_data(&self) -> bool {
        self.position >= self.data.len()
    }

    #[cold]
    fn note_padding(&self) {
        let used = self.position.saturating_sub(self.data.len());
        self.padding.set(self.padding.get().max(used));
    }

    #[cold]
    fn marker_byte(&mut self) -> u8 {
        let byte = match self.sought {
            1 => 0xD0,
            n if n % 2 == 0 => 0xFF,
            _ => 0xD9,
        };
        self.sought += 1;
        byte
    }

    fn copy(&self, buffer: &mut [u8]) {
        let rest = self.data.get(self.position..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        buffer[n..].fill(PADDING);
    }
}

impl ZByteReaderTrait for PaddedReader<'_> {
    #[inline]
    fn read_byte_no_error(&mut self) -> u8 {
        let byte = self.data.get(self.position).copied();
        self.position = self.position.saturating_add(1);
        byte.unwrap_or_else(|| {
            self.note_padding();
            PADDING
        })
    }

    #[inline]
    fn read_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        if let (true, [byte]) = (self.is_past_data(), &mut *buffer) {
            *byte = self.marker_byte();
            return Ok(());
        }
        let end = self.position.saturating_add(buffer.len());
        if let Some(bytes) = self.data.get(self.position..end) {
            buffer.copy_from_slice(bytes);
            self.position = end;
        } else {
            self.copy(buffer);
            self.position = end;
            self.note_padding();
        }
        Ok(())
    }

    fn read_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        self.read_exact_bytes(buffer).map(|()| buffer.len())
    }

    fn peek_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        self.copy(buffer);
        Ok(buffer.len())
    }

    fn peek_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        self.copy(buffer);
        Ok(())
    }

    fn z_seek(&mut self, from: ZSeekFrom) -> Result<u64, ZByteIoError> {
        let target = match from {
            ZSeekFrom::Start(n) => usize::try_from(n).ok(),
            ZSeekFrom::End(n) => isize::try_from(n).ok().and_then(|n| self.data.len().checked_add_signed(n)),
            ZSeekFrom::Current(n) => {
                isize::try_from(n).ok().and_then(|n| self.position.checked_add_signed(n))
            }
        };
        self.position = target.ok_or(ZByteIoError::SeekError("outside of the file"))?;
        self.note_padding();
        Ok(self.position as u64)
    }

    fn is_eof(&mut self) -> Result<bool, ZByteIoError> {
        Ok(self.position > self.data.len() + MAX_PADDING)
    }

    fn z_position(&mut self) -> Result<u64, ZByteIoError> {
        Ok(self.position as u64)
    }

    fn read_remaining(&mut self, sink: &mut Vec<u8>) -> Result<usize, ZByteIoError> {
        let rest = self.data.get(self.position..).unwrap_or(&[]);
        sink.extend_from_slice(rest);
        self.position = self.data.len();
        Ok(rest.len())
    }
}
