//! A filled buffer → what was captured, and when.

use std::time::Duration;

use judge::DecodeError;
use shared_format::Size;

use crate::capture::Data;
use crate::clock::Moment;
use crate::line_file::PixelFormat;

/// How the camera lays out its pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// How pixels come.
    pub(super) format: PixelFormat,
    /// Width and height in pixels.
    pub(super) size: Size,
    /// Bytes from row to row; zero where rows have no place, as in a JPEG.
    pub(super) stride: u32,
}

/// What the driver put into a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled<'b> {
    /// As many as the driver says it used.
    pub(super) bytes: &'b [u8],
    /// Whether the driver says that they are damaged.
    pub(super) is_damaged: bool,
}

impl Filled<'_> {
    /// What can be decoded later, copied: the buffer goes back to the driver.
    pub(super) fn data(self, Layout { format, size, stride }: Layout) -> Data {
        let name = match format {
            PixelFormat::Mjpeg => "JPEG",
            PixelFormat::Yuyv => "YUYV",
            PixelFormat::Grey => "GREY",
        };
        if self.is_damaged {
            let reason = "the camera's driver says so".to_owned();
            return Data::Refused(DecodeError::Malformed { format: name, reason });
        }
        match format {
            // Without end marker it is kept whole: decoding refuses it and says that it is cut short.
            PixelFormat::Mjpeg => Data::Encoded(judge::cut_jpeg(self.bytes).unwrap_or(self.bytes).to_vec()),
            PixelFormat::Yuyv => {
                Data::Yuyv { size, bytes: rows(self.bytes, size.width.div_ceil(2) * 4, size.height, stride) }
            }
            PixelFormat::Grey => {
                Data::Grey { size, bytes: rows(self.bytes, size.width, size.height, stride) }
            }
        }
    }
}

/// The rows without what drivers put between them and after the last; fewer bytes where there are fewer.
fn rows(bytes: &[u8], row: u32, rows: u32, stride: u32) -> Vec<u8> {
    let (row, rows, stride) = (row as usize, rows as usize, stride.max(row) as usize);
    if stride == row {
        let whole = row.saturating_mul(rows).min(bytes.len());
        return bytes.get(..whole).unwrap_or(bytes).to_vec();
    }
    let rows = bytes.chunks(stride).take(rows);
    rows.flat_map(|padded| padded.get(..row).unwrap_or(padded)).copied().collect()
}

/// A time stamp older than this when its frame arrives is not of the monotonic clock.
const OLDEST: Duration = Duration::from_secs(15);

/// A driver's time stamp, of whatever clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) seconds: i64,
    pub(super) micros: i64,
    /// Whether the driver says where it is from: `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC` or `_COPY`.
    pub(super) is_given: bool,
}

impl Stamp {
    fn moment(self) -> Option<Moment> {
        let (seconds, micros) = (u64::try_from(self.seconds).ok()?, u64::try_from(self.micros).ok()?);
        seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1000)?).map(Moment)
    }
}

/// The driver's time stamps, where they are of use.
#[derive(Debug, Default)]
pub(super) struct Clock {
    is_useless: bool,
}

impl Clock {
    /// The driver's capture time, where it counts on the monotonic clock; otherwise `arrival`, which is later by the
    /// time that readout and transfer take.
    pub(super) fn captured_at(&mut self, stamp: Stamp, arrival: Moment) -> Moment {
        // A copied stamp may be of any clock. Drivers cut off nanoseconds: a stamp is never later than its arrival.
        let is_plausible = |at: &Moment| stamp.is_given && *at <= arrival && arrival.since(*at) <= OLDEST;
        let captured_at = stamp.moment().filter(is_plausible);
        self.is_useless = captured_at.is_none();
        captured_at.unwrap_or(arrival)
    }

    /// A sentence where the stamps are of no use.
    pub(super) const fn warning(&self) -> Option<&'static str> {
        if self.is_useless {
            Some(
                "the camera's driver gives no capture times of the monotonic clock; arrival times stand in, which are \
                 later: lengthen trigger.exposure_delay_ms by readout and transfer",
            )
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Captured;

    const SIZE: Size = Size { width: 2, height: 2 };

    fn captured(format: PixelFormat, stride: u32, filled: Filled<'_>) -> Captured {
        let layout = Layout { format, size: SIZE, stride };
        Captured::new(filled.data(layout), Moment(0), 0)
    }

    fn whole(bytes: &[u8]) -> Filled<'_> {
        Filled { bytes, is_damaged: false }
    }

    #[test]
    fn padding_between_and_after_rows_is_left_out() {
        let plain = captured(PixelFormat::Grey, 2, whole(&[1, 2, 3, 4, 9, 9]));
        let padded = captured(PixelFormat::Grey, 3, whole(&[1, 2, 9, 3, 4, 9, 9]));
        let last_short = captured(PixelFormat::Grey, 3, whole(&[1, 2, 9, 3, 4]));
        assert_eq!(plain.frame().unwrap(), padded.frame().unwrap());
        assert_eq!(plain.frame().unwrap(), last_short.frame().unwrap());
        let yuyv = [16, 128, 16, 128, 0, 235, 128, 235, 128, 0];
        assert!(captured(PixelFormat::Yuyv, 5, whole(&yuyv)).frame().is_ok());
    }

    #[test]
    fn a_short_or_damaged_buffer_is_refused() {
        let short = captured(PixelFormat::Grey, 2, whole(&[1, 2, 3]));
        assert!(matches!(short.frame(), Err(DecodeError::RawLength { expected: 4, found: 3, .. })));
        let short = captured(PixelFormat::Yuyv, 4, whole(&[1; 7]));
        assert!(matches!(short.frame(), Err(DecodeError::RawLength { expected: 8, found: 7, .. })));
        let damaged = Filled { bytes: &[1, 2, 3, 4], is_damaged: true };
        let damaged = captured(PixelFormat::Grey, 2, damaged);
        assert!(damaged.frame().unwrap_err().to_string().contains("driver"));
        assert!(captured(PixelFormat::Mjpeg, 0, whole(&[])).frame().is_err());
    }

    #[test]
    fn a_jpeg_ends_at_its_marker_and_one_without_is_refused() {
        let mut jpeg = vec![];
        jpeg_encoder::Encoder::new(&mut jpeg, 80)
            .encode(&[90; 64 * 64], 64, 64, jpeg_encoder::ColorType::Luma)
            .unwrap();
        let padded = [&jpeg[..], &[0; 50]].concat();
        assert_eq!(captured(PixelFormat::Mjpeg, 0, whole(&padded)).jpeg(), Some(&jpeg[..]));
        let short = captured(PixelFormat::Mjpeg, 0, whole(&jpeg[..jpeg.len() - 3]));
        assert!(matches!(short.frame(), Err(DecodeError::Truncated { .. })));
    }

    const fn stamp(seconds: i64, micros: i64) -> Stamp {
        Stamp { seconds, micros, is_given: true }
    }

    #[test]
    fn monotonic_stamps_are_taken_as_they_are() {
        let mut clock = Clock::default();
        let arrival = Moment(7_123_500_000);
        assert_eq!(clock.captured_at(stamp(7, 100_250), arrival), Moment(7_100_250_000));
        assert_eq!(clock.captured_at(stamp(7, 123_500), arrival), arrival);
        assert_eq!(clock.warning(), None);
    }

    #[test]
    fn stamps_of_other_clocks_are_told_and_not_used() {
        let arrival = Moment(100_000_000_000);
        let unknown = Stamp { is_given: false, ..stamp(99, 0) };
        let realtime = stamp(1_700_000_000, 0);
        let (zero, later, old) = (stamp(0, 0), stamp(100, 1), stamp(84, 999_999));
        for wrong in [unknown, realtime, zero, later, old, stamp(-1, 5), stamp(i64::MAX, 5), stamp(99, -1)] {
            let mut clock = Clock::default();
            assert_eq!(clock.captured_at(wrong, arrival), arrival, "{wrong:?}");
            assert!(clock.warning().is_some());
        }
    }
}
