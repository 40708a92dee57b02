//! Watches camera and threads of a running line, and ends it.

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

/// How often camera and threads are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A line whose camera has ended is through after so many looks without a part under way.
const LOOKS_AT_REST: u32 = 10;
/// How long the end may wait for a disk.
const PATIENCE: Duration = Duration::from_secs(2);

impl Line {
    /// Lets the line run until `stop`, or until a camera that has an end is at its end and its last part is through.
    /// Gives what the gate has seen and done, earlier runs included.
    ///
    /// # Errors
    /// [`RunError`], where a thread of the line has ended by itself.
    pub fn supervise(mut self, stop: &AtomicBool) -> Result<Counts, RunError> {
        let mailbox = self.served.mailbox.clone();
        let mut service = Service::new(Moment::now());
        let mut ready = false;
        let mut at_rest = 0;
        let ended = loop {
            let state = self.capture.state();
            // First of all: a line that becomes ready sees by then.
            let sees = matches!(state, CameraState::Live | CameraState::Ended);
            if self.camera_sees_parts && mailbox.is_blind(Blind::Camera) == sees {
                mailbox.blind(Blind::Camera, !sees);
            }
            self.side_threads.look(&self.monitor, self.recorder.as_deref(), &mailbox);
            let started = !matches!(state, CameraState::Starting);
            if !ready && started {
                ready = true;
                mailbox.hold(Hold::NotReady, false);
                tracing::info!("the line runs");
                Service::ready();
            }
            // The last frame's trigger may be on its way to the gate.
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
        // The gatekeeper held the sending end of the inspector's channel, so that one ends, too; it may be inside the
        // network for some time yet.
        let counts = self.shared.gate().counts;
        let deadline = Instant::now() + PATIENCE;
        while !self.inspector.is_finished() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        if !self.monitor.stop(PATIENCE) {
            tracing::warn!("the disk did not take the last counters in time; check it");
        }
        if let Some(recorder) = self.recorder.and_then(Arc::into_inner) {
            let _ = recorder.close(PATIENCE);
        }
        ended?;
        stopped?;
        Ok(counts)
    }
}
