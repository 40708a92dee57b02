//! Watches the camera and the threads of a running line, and stops the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::LineError;
use super::mailbox::Blind;
use super::service::Service;
use super::start::RunningLine;
use crate::capture::CameraState;
use crate::clock::Moment;
use crate::gate::{GateCounts, Hold};

/// How often the camera and the threads are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A line whose camera has ended is finished after this many checks without a part under way.
const IDLE_POLLS: u32 = 10;
/// How long shutdown may wait for a disk.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

impl RunningLine {
    /// Runs the line until `stop` is set, or until a finite camera source has ended and its last part has passed the gate.
    /// Returns the gate's counts, earlier runs included.
    ///
    /// # Errors
    /// [`LineError`] if a thread of the line stopped unexpectedly.
    pub fn supervise(mut self, stop: &AtomicBool) -> Result<GateCounts, LineError> {
        let mailbox = self.gate_thread.mailbox.clone();
        let mut service = Service::new(Moment::now());
        let mut ready = false;
        let mut idle_polls = 0;
        let ended = loop {
            let state = self.camera_state();
            // First: sight must be up to date before the line becomes ready.
            let can_see = matches!(state, CameraState::Live | CameraState::Ended);
            if self.camera_sees_parts && mailbox.is_blind(Blind::Camera) == can_see {
                mailbox.blind(Blind::Camera, !can_see);
            }
            self.side_threads.check(&self.monitor, self.recorder.as_deref(), &mailbox);
            let started = self.cameras.iter().all(|camera| camera.state() != CameraState::Starting);
            if !ready && started {
                ready = true;
                mailbox.hold(Hold::NotReady, false);
                tracing::info!("the line is running");
                Service::ready();
            }
            // The last frame's trigger may still be on its way to the gate.
            let is_idle = state == CameraState::Ended && self.shared.gate().under_way == 0;
            idle_polls = if is_idle { idle_polls + 1 } else { 0 };
            if stop.load(Ordering::Relaxed) || idle_polls > IDLE_POLLS {
                break Ok(());
            }
            if self.gate_thread.has_ended() {
                break Err(LineError::Gate);
            }
            if self.inspector.is_finished() {
                break Err(LineError::Inspector);
            }
            service.report(&self.shared, &state, Moment::now());
            std::thread::sleep(POLL_INTERVAL);
        };
        Service::stopping();
        let stopped = self.gate_thread.stop();
        self.cameras.iter().for_each(|camera| _ = camera.stop());
        // The gatekeeper held the sending end of the inspector's channel, so the inspector ends too; it may still be
        // running the network for some time.
        let counts = self.shared.gate().counts;
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        while !self.inspector.is_finished() && Instant::now() < deadline {
            std::thread::sleep(POLL_INTERVAL);
        }
        self.side_threads.stop();
        if !self.monitor.stop(SHUTDOWN_TIMEOUT) {
            tracing::warn!("the last counters were not written in time; check the disk");
        }
        if let Some(recorder) = self.recorder.and_then(Arc::into_inner) {
            let _ = recorder.close(SHUTDOWN_TIMEOUT);
        }
        ended?;
        stopped?;
        Ok(counts)
    }

    /// Returns the state of the camera whose frames may trigger parts. Parts that a further view has no frame of are faults, or judged without it:
    /// none passes unseen.
    fn camera_state(&self) -> CameraState {
        self.cameras.first().map_or(CameraState::Ended, |camera| camera.state())
    }
}
