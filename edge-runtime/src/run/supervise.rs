//! Watches the camera and the threads of a running line, and stops the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::RunError;
use super::mailbox::Blind;
use super::service::Service;
use super::start::Line;
use crate::capture::CameraState;
use crate::clock::Moment;
use crate::gate::{Counts, Hold};

/// How often the camera and the threads are checked.
const LOOK: Duration = Duration::from_millis(20);
/// A line whose camera has ended is finished after this many checks without a part under way.
const LOOKS_AT_REST: u32 = 10;
/// How long shutdown may wait for a disk.
const PATIENCE: Duration = Duration::from_secs(2);

impl Line {
    /// Runs the line until `stop` is set, or until a finite camera source has ended and its last part has passed the gate.
    /// Returns the gate's counts, earlier runs included.
    ///
    /// # Errors
    /// [`RunError`] if a thread of the line stopped unexpectedly.
    pub fn supervise(mut self, stop: &AtomicBool) -> Result<Counts, RunError> {
        let mailbox = self.served.mailbox.clone();
        let mut service = Service::new(Moment::now());
        let mut ready = false;
        let mut at_rest = 0;
        let ended = loop {
            let state = self.capture.state();
            // First: sight must be up to date before the line becomes ready.
            let sees = matches!(state, CameraState::Live | CameraState::Ended);
            if self.camera_sees_parts && mailbox.is_blind(Blind::Camera) == sees {
                mailbox.blind(Blind::Camera, !sees);
            }
            self.side_threads.look(&self.monitor, self.recorder.as_deref(), &mailbox);
            let started = !matches!(state, CameraState::Starting);
            if !ready && started {
                ready = true;
                mailbox.hold(Hold::NotReady, false);
                tracing::info!("the line is running");
                Service::ready();
            }
            // The last frame's trigger may still be on its way to the gate.
            let rests = state == CameraState::Ended && self.shared.gate().under_way == 0;
            at_rest = if rests { at_rest + 1 } else { 0 };
            if stop.load(Ordering::Relaxed) || at_rest > LOOKS_AT_REST {
                break Ok(());
            }
            if self.served.has_ended() {
                break Err(RunError::Gate);
            }
            if self.inspector.is_finished() {
                break Err(RunError::Inspector);
            }
            service.tell(&self.shared, &state, Moment::now());
            std::thread::sleep(LOOK);
        };
        Service::stopping();
        let stopped = self.served.stop();
        self.capture.stop();
        // The gatekeeper held the sending end of the inspector's channel, so the inspector ends too; it may still be
        // running the network for some time.
        let counts = self.shared.gate().counts;
        let deadline = Instant::now() + PATIENCE;
        while !self.inspector.is_finished() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        if !self.monitor.stop(PATIENCE) {
            tracing::warn!("the last counters were not written in time; check the disk");
        }
        if let Some(recorder) = self.recorder.and_then(Arc::into_inner) {
            let _ = recorder.close(PATIENCE);
        }
        ended?;
        stopped?;
        Ok(counts)
    }
}
