//! A streaming camera opened by nokhwa.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use judge::guarded;
use nokhwa::utils::{
    CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{Buffer, Camera as Opened};
use shared_format::Size;

use super::timestamp::captured_at;
use crate::capture::driver_buffer::{DriverBuffer, PixelLayout};
use crate::capture::{CaptureError, CapturedFrame, FrameSource};
use crate::clock::Moment;
use crate::line_file::{NokhwaConfig, PixelFormat};

/// An open camera.
pub struct NokhwaCamera {
    name: String,
    opened: Opened,
    layout: PixelLayout,
    /// Number of frames so far.
    frames: u64,
    has_times: bool,
}

impl NokhwaCamera {
    /// Opens the camera with the format, size and frame rate of the line file.
    ///
    /// # Errors
    /// [`CaptureError`] if the camera is absent, or lacks the format, size or rate.
    pub fn open(settings: &NokhwaConfig) -> Result<Self, CaptureError> {
        let camera = format!("{} (nokhwa)", settings.index);
        let failed = |reason| CaptureError::Open { camera: camera.clone(), reason };
        let format = match settings.format {
            PixelFormat::Mjpeg => FrameFormat::MJPEG,
            PixelFormat::Yuyv => FrameFormat::YUYV,
            other => {
                let name = other.key();
                return Err(failed(format!("{name} is not read from nokhwa; use source = \"v4l2\"")));
            }
        };
        let size = Size { width: settings.width, height: settings.height };
        // In a checked line file this is a whole number.
        let fps = settings.fps as u32;
        let wanted = CameraFormat::new(Resolution::new(size.width, size.height), format, fps);
        // nokhwa panics on some drivers' lists of sizes.
        let opened = guarded(|| {
            let formats = [format];
            let request = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &formats);
            let mut opened = Opened::new(CameraIndex::Index(settings.index), request)?;
            opened.open_stream()?;
            Ok(opened)
        });
        let opened = opened.map_err(|panic| failed(panic.to_string()))?;
        let opened = opened.map_err(|e: nokhwa::NokhwaError| failed(e.to_string()))?;
        let name = format!("{} ({})", settings.index, opened.info().human_name());
        let layout = PixelLayout { format: settings.format, size, stride: 0 };
        Ok(Self { name, opened, layout, frames: 0, has_times: true })
    }

    fn captured_at(&mut self, buffer: &Buffer) -> Moment {
        let arrival = Moment::now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let captured_at = captured_at(buffer.capture_timestamp(), wall, arrival);
        self.has_times = captured_at.is_some();
        captured_at.unwrap_or(arrival)
    }
}

impl FrameSource for NokhwaCamera {
    fn describe(&self) -> String {
        let PixelLayout { format, size, .. } = &self.layout;
        let format = format.key();
        format!("the camera {} via nokhwa: {format}, {}×{} pixels", self.name, size.width, size.height)
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        let buffer = self.opened.frame().map_err(|e| CaptureError::Lost { reason: e.to_string() })?;
        let captured_at = self.captured_at(&buffer);
        self.frames += 1;
        // nokhwa doesn't say whether the driver reported damage.
        let filled = DriverBuffer { bytes: buffer.buffer(), is_damaged: false };
        Ok(CapturedFrame::new(filled.data(self.layout), captured_at, self.frames)
            .within(Some(self.layout.size)))
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut sentences = vec![
            "the camera is opened via nokhwa, which locks no controls: whatever it adjusts by itself changes the scores".to_owned(),
        ];
        if !self.has_times {
            sentences.push(
                "nokhwa gives no capture times for this camera; arrival times are used instead, which are later: lengthen \
                 trigger.exposure_delay_ms by the time for readout and transfer"
                    .to_owned(),
            );
        }
        sentences
    }
}
