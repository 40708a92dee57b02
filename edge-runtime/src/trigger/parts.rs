//! Parts as a line's own camera and trigger show them, without a gate: for collecting photos and for calibrating.

use std::sync::Arc;
use std::time::Duration;

use shared_format::Roi;

use super::waiting::{self, TriggerError, Triggers};
use crate::capture::{self, CameraState, Capture, CaptureError, Captured, NoFrame};
use crate::clock::Moment;
use crate::line_file::LineFile;

/// How long one look for a part takes.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a part's frame is waited for.
const FRAME_WITHIN: Duration = Duration::from_secs(2);

/// Why a line's camera or trigger can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinePartsError {
    /// The trigger's device.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The camera.
    #[error(transparent)]
    Camera(#[from] CaptureError),
    /// The system gives no thread.
    #[error("cannot start the thread that captures frames; raise the limit of threads")]
    Thread(#[source] std::io::Error),
}

/// The camera and the trigger of a line.
pub struct LineParts {
    capture: Capture,
    triggers: Box<dyn Triggers>,
    exposure_delay: Duration,
    frames: u16,
}

/// What a look for a part gave.
#[derive(Debug)]
pub enum Look {
    /// No part came.
    Nothing,
    /// A part's frames, or why there are none.
    Part(Result<Vec<Arc<Captured>>, NoFrame>),
    /// The camera has no more frames.
    Ended,
}

impl LineParts {
    /// Opens camera and trigger; `region` is where the product's bundle looks, if there is one yet.
    ///
    /// # Errors
    /// Where one of them can't be had.
    pub fn open(line: &LineFile, region: Option<Roi>) -> Result<Self, LinePartsError> {
        let (triggers, listener) = waiting::of(line, region)?;
        let camera = line.camera.clone();
        // Opened here for the first time: a mistake in the line file is told at once instead of tried again.
        let mut first = Some(capture::open(&camera, None)?);
        let open = move || first.take().map_or_else(|| capture::open(&camera, None), Ok);
        let capture = Capture::start(open, &line.health, listener).map_err(LinePartsError::Thread)?;
        let exposure_delay = line.trigger.exposure_delay();
        Ok(Self { capture, triggers, exposure_delay, frames: line.votes.frames })
    }

    /// The camera.
    #[must_use]
    pub const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Waits a moment for a part.
    ///
    /// # Errors
    /// Where no part will ever come.
    pub fn look(&mut self) -> Result<Look, TriggerError> {
        match self.triggers.next(PATIENCE)? {
            Some(at) => Ok(match self.frames_of_part(at + self.exposure_delay) {
                Err(NoFrame::Ended) => Look::Ended,
                frames => Look::Part(frames),
            }),
            None if self.capture.state() == CameraState::Ended => Ok(Look::Ended),
            None => Ok(Look::Nothing),
        }
    }

    /// The first frame captured after that moment, and those that follow it.
    fn frames_of_part(&self, mut from: Moment) -> Result<Vec<Arc<Captured>>, NoFrame> {
        let mut found = vec![];
        for _ in 0..self.frames {
            let frame = self.capture.ring().first_after(from, Moment::now() + FRAME_WITHIN)?;
            from = frame.captured_at() + Duration::from_nanos(1);
            found.push(frame);
        }
        Ok(found)
    }
}
