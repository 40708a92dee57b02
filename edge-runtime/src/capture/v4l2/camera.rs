//! A streaming V4L2 camera.

use std::time::Duration;

use shared_format::Size;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::io::mmap::Stream;
use v4l::io::traits::CaptureStream;
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

use super::controls::{self, LockedControl};
use super::device::DeviceNode;
use super::timestamp::{DriverTimestamp, TimestampConverter};
use crate::capture::driver_buffer::{DriverBuffer, PixelLayout};
use crate::capture::{CaptureError, CapturedFrame, FrameSource};
use crate::clock::Moment;
use crate::line_file::{PixelFormat, V4l2Config};

/// One buffer to fill, one to read, and two in reserve for a late thread.
const BUFFERS: u32 = 4;
/// Longer than any exposure that makes sense on a line; slow cameras get the time of five frames.
const TIME_OUT: Duration = Duration::from_secs(2);

/// An open camera with its buffers.
pub struct V4l2Camera {
    name: String,
    stream: Stream<'static>,
    node: DeviceNode,
    layout: PixelLayout,
    locked: Vec<LockedControl>,
    /// Warning about the frame rate.
    rate: Option<String>,
    timestamps: TimestampConverter,
}

impl V4l2Camera {
    /// Opens the camera, sets format, size and frame rate, and locks the controls that the line file names.
    ///
    /// # Errors
    /// [`CaptureError`] if the camera is absent, lacks the format or size, or refuses a control.
    pub fn open(settings: &V4l2Config) -> Result<Self, CaptureError> {
        let name = settings.device.display().to_string();
        let failed = |e: std::io::Error| CaptureError::Open { camera: name.clone(), reason: e.to_string() };
        let device = Device::with_path(&settings.device).map_err(failed)?;
        let format = negotiate(&device, settings)?;
        let rate = set_frame_rate(&device, settings.fps);
        let node = DeviceNode::new(device);
        let locked = controls::lock(&node, settings)?;
        let mut stream = Stream::with_buffers(&node.device, Type::VideoCapture, BUFFERS).map_err(failed)?;
        let five_frames = Duration::try_from_secs_f64(5.0 / settings.fps).unwrap_or(TIME_OUT);
        stream.set_timeout(TIME_OUT.max(five_frames).min(Duration::from_secs(3600)));
        let size = Size { width: format.width, height: format.height };
        let layout = PixelLayout { format: settings.format, size, stride: format.stride };
        Ok(Self { name, stream, node, layout, locked, rate, timestamps: TimestampConverter::default() })
    }
}

impl FrameSource for V4l2Camera {
    fn describe(&self) -> String {
        let PixelLayout { format, size, .. } = &self.layout;
        format!("the camera {}: {}, {}×{} pixels", self.name, format.key(), size.width, size.height)
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        // After any failure, including a time-out, the state of the stream's buffers is unknown: the camera is reopened.
        let (bytes, metadata) =
            self.stream.next().map_err(|e| CaptureError::Lost { reason: e.to_string() })?;
        let captured_at = self.timestamps.captured_at(stamp(metadata), Moment::now());
        let filled = DriverBuffer {
            bytes: bytes.get(..metadata.bytesused as usize).unwrap_or(bytes),
            is_damaged: metadata.flags.contains(Flags::ERROR),
        };
        Ok(CapturedFrame::new(filled.data(self.layout), captured_at, metadata.sequence.into())
            .within(Some(self.layout.size)))
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut sentences: Vec<String> = self.rate.iter().cloned().collect();
        sentences.extend(self.timestamps.warning().map(str::to_owned));
        sentences.extend(controls::warnings(&self.node, &self.locked));
        sentences
    }
}

fn stamp(metadata: &Metadata) -> DriverTimestamp {
    DriverTimestamp {
        seconds: metadata.timestamp.sec,
        micros: metadata.timestamp.usec,
        is_given: metadata.flags & Flags::TIMESTAMP_MASK != Flags::TIMESTAMP_UNKNOWN,
    }
}

/// Sets format and size, and checks that the camera accepted them.
fn negotiate(device: &Device, settings: &V4l2Config) -> Result<Format, CaptureError> {
    let (width, height) = (settings.width, settings.height);
    let codes: &[&[u8; 4]] = match settings.format {
        // Some cameras report `JPEG`.
        PixelFormat::Mjpeg => &[b"MJPG", b"JPEG"],
        PixelFormat::Yuyv => &[b"YUYV"],
        PixelFormat::Uyvy => &[b"UYVY"],
        PixelFormat::Nv12 => &[b"NV12"],
        PixelFormat::Grey => &[b"GREY"],
        PixelFormat::Rgb24 => &[b"RGB3"],
        PixelFormat::BayerRggb => &[b"RGGB"],
        // The kernel's code for this one alone doesn't spell the colours.
        PixelFormat::BayerBggr => &[b"BA81"],
        PixelFormat::BayerGbrg => &[b"GBRG"],
        PixelFormat::BayerGrbg => &[b"GRBG"],
    };
    let mut found = String::new();
    for code in codes {
        match device.set_format(&Format::new(width, height, FourCC::new(code))) {
            Ok(format)
                if (format.width, format.height) == (width, height) && format.fourcc.repr == **code =>
            {
                return Ok(format);
            }
            Ok(format) => found = format!("{} {}×{}", format.fourcc, format.width, format.height),
            Err(e) => found = format!("an error ({e})"),
        }
    }
    let offered: Vec<String> =
        device.enum_formats().unwrap_or_default().iter().map(|f| f.fourcc.to_string()).collect();
    Err(CaptureError::Format {
        camera: settings.device.display().to_string(),
        wanted: format!("{} {width}×{height}", settings.format.key()),
        found: format!("{found}; its formats are {}", offered.join(", ")),
    })
}

/// Sets the frame rate. Returns a warning if the camera chose another one; cameras whose rate can't be set are fine too.
fn set_frame_rate(device: &Device, fps: f64) -> Option<String> {
    let thousandths = (fps * 1000.0).round() as u32;
    let set = device.set_params(&Parameters::new(Fraction::new(1000, thousandths)));
    let Ok(Fraction { numerator, denominator }) = set.map(|found| found.interval) else { return None };
    let found = f64::from(denominator) / f64::from(numerator);
    if !found.is_finite() || (found - fps).abs() <= 0.01 * fps {
        return None;
    }
    Some(format!(
        "the camera runs at {found:.1} frames per second, but camera.fps = {fps}; correct camera.fps"
    ))
}
