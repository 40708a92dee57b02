//! Frames in the form in which they pass from the capture process to the line.

use std::borrow::Cow;

use frame_channel::FrameInfo;
use judge::{DecodeError, Pixels};
use shared_format::Size;

use crate::capture::{CapturedFrame, FrameData, RawFormat};
use crate::clock::Moment;
use crate::line_file::PixelFormat;

/// The format of frames that are image files, such as JPEGs.
const ENCODED: &str = "encoded";

/// Returns a frame's properties and bytes, to be sent.
pub(super) fn to_send(captured: &CapturedFrame) -> (FrameInfo, Cow<'_, [u8]>) {
    let none = Size { width: 0, height: 0 };
    let damaged = |reason: String| (ENCODED, none, Cow::Borrowed(&[][..]), Some(reason));
    let (format, size, bytes, damage) = match captured.data() {
        FrameData::Encoded(bytes) => (ENCODED, none, Cow::Borrowed(bytes.as_slice()), None),
        FrameData::Raw { format, size, bytes } => {
            (format.pixel_format().key(), *size, Cow::Borrowed(bytes.as_slice()), None)
        }
        FrameData::Frame(frame) => match frame.pixels() {
            Pixels::Grey8(values) => {
                (PixelFormat::Grey.key(), frame.size(), Cow::Borrowed(values.as_slice()), None)
            }
            Pixels::Rgb8(values) => {
                (PixelFormat::Rgb24.key(), frame.size(), Cow::Borrowed(values.as_slice()), None)
            }
            // As a file: no raw format has 16 bits.
            _ => match judge::encode_png(frame) {
                Ok(png) => (ENCODED, none, Cow::Owned(png), None),
                Err(e) => damaged(e.to_string()),
            },
        },
        FrameData::Refused(error) => damaged(error.to_string()),
    };
    let info = FrameInfo {
        sequence: captured.sequence(),
        captured_at: captured.captured_at().0,
        format: format.to_owned(),
        width: size.width,
        height: size.height,
        damage,
    };
    (info, bytes)
}

/// Returns a frame that was received at `now`. Frames larger than `max_size` are refused when they are decoded.
///
/// # Errors
/// A sentence, if the format is unknown.
pub(super) fn received(
    info: FrameInfo,
    bytes: Vec<u8>,
    max_size: Option<Size>,
    now: Moment,
) -> Result<CapturedFrame, String> {
    let size = Size { width: info.width, height: info.height };
    let data = if let Some(reason) = info.damage {
        FrameData::Refused(DecodeError::Malformed { format: "camera's", reason })
    } else if info.format == ENCODED {
        FrameData::Encoded(bytes)
    } else {
        let known = PixelFormat::ALL.into_iter().find(|format| format.key() == info.format);
        let format =
            known.and_then(RawFormat::of).ok_or_else(|| format!("the unknown format {:?}", info.format))?;
        match max_size.filter(|max| size.width > max.width || size.height > max.height) {
            Some(max) => FrameData::Refused(DecodeError::LargerThanAllowed { found: size, max }),
            None => FrameData::Raw { format, size, bytes },
        }
    };
    // A frame from the future would be taken for a later part's.
    let captured_at = Moment(info.captured_at).min(now);
    Ok(CapturedFrame::new(data, captured_at, info.sequence).within(max_size))
}

#[cfg(test)]
mod tests {
    use judge::Frame;

    use super::*;

    const SIZE: Size = Size { width: 4, height: 2 };

    fn passed(data: FrameData) -> CapturedFrame {
        let captured = CapturedFrame::new(data, Moment(7), 3);
        let (info, bytes) = to_send(&captured);
        let bytes = bytes.into_owned();
        let now = Moment(10);
        let arrived = received(info, bytes, Some(SIZE), now).unwrap();
        assert_eq!((arrived.captured_at(), arrived.sequence()), (Moment(7), 3));
        arrived
    }

    #[test]
    fn frames_of_every_kind_arrive_as_they_were() {
        let raw = PixelFormat::ALL.into_iter().filter_map(RawFormat::of);
        for format in raw {
            let bytes: Vec<u8> = (0..format.bytes(SIZE)).map(|n| 16 + n as u8).collect();
            let make = || FrameData::Raw { format, size: SIZE, bytes: bytes.clone() };
            let sent = CapturedFrame::new(make(), Moment(7), 3);
            assert_eq!(passed(make()).frame().unwrap(), sent.frame().unwrap(), "{format:?}");
        }
        let pixels = [
            Pixels::Grey8((0..8).collect()),
            Pixels::Rgb8((0..24).collect()),
            Pixels::Grey16((0..8).map(|n| n * 999).collect()),
            Pixels::Rgb16((0..24).map(|n| n * 999).collect()),
        ];
        for pixels in pixels {
            let frame = Frame::new(SIZE, pixels).unwrap();
            assert_eq!(passed(FrameData::Frame(frame.clone())).frame().unwrap(), &frame);
        }
        let damaged = passed(FrameData::Encoded(b"\xFF\xD8\xFF no JPEG".to_vec()));
        assert_eq!(damaged.jpeg().unwrap(), b"\xFF\xD8\xFF no JPEG");
        let refused = passed(FrameData::Refused(DecodeError::Truncated { format: "JPEG" }));
        assert!(refused.frame().unwrap_err().to_string().contains("cut short"));
    }

    #[test]
    fn what_is_received_is_not_trusted() {
        let info = |format: &str, width| FrameInfo {
            sequence: 1,
            captured_at: u64::MAX,
            format: format.to_owned(),
            width,
            height: 2,
            damage: None,
        };
        for format in ["", "mjpeg", "GREY", "nv21"] {
            assert!(received(info(format, 4), vec![], None, Moment(5)).is_err(), "{format}");
        }
        let future = received(info("grey", 4), vec![0; 8], None, Moment(5)).unwrap();
        assert_eq!(future.captured_at(), Moment(5));
        for (width, bytes) in [(4, 7), (4, 9), (0, 0), (u32::MAX, 8)] {
            let wrong = received(info("grey", width), vec![0; bytes], None, Moment(5)).unwrap();
            assert!(matches!(wrong.frame(), Err(DecodeError::RawLength { .. })), "{width} {bytes}");
        }
        let large = received(info("grey", 5), vec![0; 10], Some(SIZE), Moment(5)).unwrap();
        assert!(matches!(large.frame(), Err(DecodeError::LargerThanAllowed { .. })));
    }
}
