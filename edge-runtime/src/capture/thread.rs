//! The capture thread: takes every frame as it comes, and reopens a lost camera.
//!
//! It never waits for anything but the camera, so that the driver's buffer queue is always drained to the newest frame.
//! A driver may hang or panic: a hang shows in the age of the last frame, and a panic counts as a lost camera.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use judge::guarded;

use super::camera_monitor::CameraMonitor;
use super::{CameraState, CaptureError, CapturedFrame, FrameCounts, FrameRing, FrameSource, FrameWaitError};
use crate::clock::Moment;
use crate::line_file::HealthConfig;

/// Frames kept for a slow inspector: a quarter of a second at 30 frames per second.
const RING_CAPACITY: usize = 8;
/// Time from a loss to the first attempt to reopen; doubled with each failure.
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(200);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(2);
/// How long [`Capture::stop`] waits for a busy driver.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A camera and the thread that serves it, until dropped.
#[derive(Debug)]
pub struct Capture {
    ring: Arc<FrameRing>,
    shared: Arc<SharedStatus>,
    thread: JoinHandle<()>,
}

/// Statistics of the capture thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaptureStats {
    /// Counts of the frames.
    pub frames: FrameCounts,
    /// How often the camera was reopened.
    pub reopened: u64,
    /// Description of the camera, once it is open.
    pub description: String,
    /// Warnings about what can shift scores, as of the last check; checks run every `health.every_s`.
    pub warnings: Vec<String>,
}

#[derive(Debug)]
struct SharedStatus {
    silent_after: Duration,
    warn_every: Duration,
    status: Mutex<CaptureStatus>,
    changed: Condvar,
}

#[derive(Debug)]
struct CaptureStatus {
    state: CameraState,
    /// Arrival of the last frame, or the time of opening if none has arrived yet.
    last_frame_at: Moment,
    opened: u64,
    description: String,
    warnings: Vec<String>,
    stopping: bool,
    finished: bool,
}

impl Capture {
    /// Starts the thread. It calls `open` to open the camera, and again after each loss until it succeeds. It calls
    /// `on_frame` for each frame, once the ring holds it, with the number of frames that the driver dropped before it.
    /// `on_frame` has to be quick.
    ///
    /// # Errors
    /// If the system can't start a thread.
    pub fn start(
        open: impl FnMut() -> Result<Box<dyn FrameSource>, CaptureError> + Send + 'static,
        health: &HealthConfig,
        on_frame: impl FnMut(&Arc<CapturedFrame>, u64) + Send + 'static,
    ) -> std::io::Result<Self> {
        let ring = Arc::new(FrameRing::new(RING_CAPACITY));
        let status = CaptureStatus {
            state: CameraState::Starting,
            last_frame_at: Moment::now(),
            opened: 0,
            description: String::new(),
            warnings: vec![],
            stopping: false,
            finished: false,
        };
        let shared = Arc::new(SharedStatus {
            silent_after: Duration::try_from_secs_f64(health.silent_s).unwrap_or(Duration::MAX),
            warn_every: Duration::from_secs(health.every_s.into()),
            status: Mutex::new(status),
            changed: Condvar::new(),
        });
        let capture_thread = CaptureThread {
            open,
            on_frame,
            monitor: CameraMonitor::new(health),
            ring: Arc::clone(&ring),
            shared: Arc::clone(&shared),
            pause: FIRST_RETRY_PAUSE,
        };
        // Never joined: a driver may hang forever. `CaptureStatus::finished` tells when the thread is done.
        let thread =
            std::thread::Builder::new().name("capture".to_owned()).spawn(move || capture_thread.run())?;
        Ok(Self { ring, shared, thread })
    }

    /// Returns the ring with the most recent frames.
    #[must_use]
    pub const fn ring(&self) -> &Arc<FrameRing> {
        &self.ring
    }

    /// Returns the current state of the camera.
    #[must_use]
    pub fn state(&self) -> CameraState {
        // Checked first: a thread that is done sets `finished` before it ends.
        let has_ended = self.thread.is_finished();
        let status = self.shared.lock();
        if has_ended && !status.finished {
            return CameraState::Lost(
                "its thread stopped unexpectedly; restart the line and report this".to_owned(),
            );
        }
        match &status.state {
            terminal @ (CameraState::Lost(_) | CameraState::Ended) => terminal.clone(),
            _ if Moment::now().since(status.last_frame_at) > self.shared.silent_after => CameraState::Silent,
            seen => seen.clone(),
        }
    }

    /// Returns the statistics so far.
    #[must_use]
    pub fn stats(&self) -> CaptureStats {
        let frames = self.ring.counts();
        let status = self.shared.lock();
        CaptureStats {
            frames,
            reopened: status.opened.saturating_sub(1),
            description: status.description.clone(),
            warnings: status.warnings.clone(),
        }
    }

    /// Stops the thread and closes the camera. Returns whether it is closed. A hanging driver is abandoned after a second:
    /// its frame, should it ever arrive, is discarded.
    pub fn stop(&self) -> bool {
        let deadline = Moment::now() + STOP_TIMEOUT;
        let mut status = self.shared.lock();
        status.stopping = true;
        self.shared.changed.notify_all();
        loop {
            let left = deadline.since(Moment::now());
            if status.finished || left.is_zero() {
                return status.finished;
            }
            status = self.shared.wait(status, left);
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl SharedStatus {
    /// Ignores poisoning: a panic elsewhere leaves the status intact, as each change is complete before anything can fail.
    fn lock(&self) -> MutexGuard<'_, CaptureStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(
        &self,
        status: MutexGuard<'s, CaptureStatus>,
        time: Duration,
    ) -> MutexGuard<'s, CaptureStatus> {
        self.changed.wait_timeout(status, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for `time` or until told to stop. Returns whether it was told to stop.
    fn wait_for_stop(&self, time: Duration) -> bool {
        let until = Moment::now() + time;
        let mut status = self.lock();
        loop {
            let left = until.since(Moment::now());
            if status.stopping || left.is_zero() {
                return status.stopping;
            }
            status = self.wait(status, left);
        }
    }
}

struct CaptureThread<O, F> {
    open: O,
    on_frame: F,
    monitor: CameraMonitor,
    ring: Arc<FrameRing>,
    shared: Arc<SharedStatus>,
    /// Pause before the next attempt to open.
    pause: Duration,
}

impl<O, F> CaptureThread<O, F>
where
    O: FnMut() -> Result<Box<dyn FrameSource>, CaptureError>,
    F: FnMut(&Arc<CapturedFrame>, u64),
{
    fn run(mut self) {
        loop {
            let reason = match guarded(|| self.session()) {
                Ok(Ok(())) => break,
                Ok(Err(CaptureError::End)) => {
                    self.shared.lock().state = CameraState::Ended;
                    self.ring.interrupt(FrameWaitError::Ended);
                    break;
                }
                Ok(Err(e)) => e.to_string(),
                Err(panic) => format!("its software failed ({panic}); report this"),
            };
            tracing::warn!("the camera is lost: {reason}");
            self.shared.lock().state = CameraState::Lost(reason.clone());
            self.ring.interrupt(FrameWaitError::Lost(reason));
            if self.shared.wait_for_stop(self.pause) {
                break;
            }
            self.pause = (self.pause * 2).min(MAX_RETRY_PAUSE);
        }
        self.shared.lock().finished = true;
        self.shared.changed.notify_all();
    }

    /// Runs from opening to loss; returns `Ok` if told to stop.
    fn session(&mut self) -> Result<(), CaptureError> {
        if self.shared.lock().stopping {
            return Ok(());
        }
        let mut camera = (self.open)()?;
        let description = camera.describe();
        tracing::info!("{description}");
        {
            let mut status = self.shared.lock();
            status.state = CameraState::Starting;
            status.last_frame_at = Moment::now();
            status.opened += 1;
            status.description = description;
        }
        self.monitor.opened(camera.may_repeat());
        self.ring.reset_sequence();
        let mut warned_at: Option<Moment> = None;
        loop {
            let captured = Arc::new(self.monitor.compare(camera.next()?));
            let now = Moment::now();
            let state = {
                let mut status = self.shared.lock();
                if status.stopping {
                    return Ok(());
                }
                status.last_frame_at = now;
                status.state.clone()
            };
            self.pause = FIRST_RETRY_PAUSE;
            let dropped = self.ring.push(Arc::clone(&captured));
            let seen = self.monitor.assess(&captured);
            if seen != state {
                tracing::info!("{seen}");
                self.shared.lock().state = seen;
            }
            (self.on_frame)(&captured, dropped);
            if warned_at.is_none_or(|at| now.since(at) >= self.shared.warn_every) {
                warned_at = Some(now);
                let warnings = camera.warnings();
                self.shared.lock().warnings = warnings;
            }
        }
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
