//! Parts from a line's own camera and trigger, without a gate: for collecting photos and for calibrating.

use std::sync::Arc;
use std::time::Duration;

use shared_format::Roi;

use super::frames::FrameListener;
use super::source::{self, TriggerError, TriggerSource};
use crate::capture::{self, CameraState, Capture, CaptureError, CapturedFrame, FrameWaitError};
use crate::clock::Moment;
use crate::line_file::{CameraConfig, LineFile, ViewConfig};

/// Longest wait for a part in one poll.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// Longest wait for a part's frame.
const FRAME_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a line's camera or trigger can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinePartsError {
    /// The trigger's device failed.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The camera failed.
    #[error(transparent)]
    Camera(#[from] CaptureError),
    /// The system can't start a thread.
    #[error("cannot start the thread that captures frames; raise the limit on threads")]
    Thread(#[source] std::io::Error),
}

/// The camera and the trigger of a line.
pub struct LineParts {
    /// The camera whose frames are taken.
    capture: Capture,
    /// The camera whose frames trigger, if it is another one.
    _trigger_camera: Option<Capture>,
    triggers: Box<dyn TriggerSource>,
    /// In nanoseconds.
    exposure_delay: i64,
    frames: u16,
}

/// The result of a poll.
#[derive(Debug)]
pub enum PollResult {
    /// No part came.
    Nothing,
    /// A part's frames, or why there are none.
    Part(Result<Vec<Arc<CapturedFrame>>, FrameWaitError>),
    /// The camera has no more frames.
    Ended,
}

impl LineParts {
    /// Opens the camera and the trigger; `region` is the region of interest of the product's bundle, if there is one yet. With a further view, the
    /// frames are those of its camera.
    ///
    /// # Errors
    /// If one of them can't be opened.
    pub fn open(
        line: &LineFile,
        region: Option<Roi>,
        view: Option<&ViewConfig>,
    ) -> Result<Self, LinePartsError> {
        let (triggers, listener) = source::open(line, region)?;
        let Some(view) = view else {
            let capture = start(line, &line.camera, listener)?;
            let exposure_delay = line.main_timing().exposure_delay;
            return Ok(Self {
                capture,
                _trigger_camera: None,
                triggers,
                exposure_delay,
                frames: line.votes.frames,
            });
        };
        let capture = start(line, &view.camera, Box::new(|_, _| {}))?;
        let needs_main = line.trigger.is_in_frames();
        let trigger_camera = needs_main.then(|| start(line, &line.camera, listener)).transpose()?;
        let exposure_delay = view.timing(line).exposure_delay;
        let frames = line.votes.frames;
        Ok(Self { capture, _trigger_camera: trigger_camera, triggers, exposure_delay, frames })
    }

    /// Returns the camera.
    #[must_use]
    pub const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Waits briefly for a part.
    ///
    /// # Errors
    /// If no part will ever come.
    pub fn poll(&mut self) -> Result<PollResult, TriggerError> {
        match self.triggers.next(POLL_TIMEOUT)? {
            Some(at) => {
                Ok(match self.frames_of_part(Moment(at.0.saturating_add_signed(self.exposure_delay))) {
                    Err(FrameWaitError::Ended) => PollResult::Ended,
                    frames => PollResult::Part(frames),
                })
            }
            None if self.capture.state() == CameraState::Ended => Ok(PollResult::Ended),
            None => Ok(PollResult::Nothing),
        }
    }

    /// Returns the first frame captured at `from` or later, and those that follow it: as many as vote on a part.
    fn frames_of_part(&self, mut from: Moment) -> Result<Vec<Arc<CapturedFrame>>, FrameWaitError> {
        let mut found = vec![];
        for _ in 0..self.frames {
            let frame = self.capture.ring().first_after(from, Moment::now() + FRAME_TIMEOUT)?;
            from = frame.captured_at() + Duration::from_nanos(1);
            found.push(frame);
        }
        Ok(found)
    }
}

/// Opens a camera and starts the thread that serves it.
fn start(line: &LineFile, camera: &CameraConfig, listener: FrameListener) -> Result<Capture, LinePartsError> {
    let camera = camera.clone();
    // The first open happens here, so that a mistake in the line file is reported at once and not retried.
    let mut first = Some(capture::open(&camera, None)?);
    let open = move || first.take().map_or_else(|| capture::open(&camera, None), Ok);
    Capture::start(open, &line.health, listener).map_err(LinePartsError::Thread)
}
