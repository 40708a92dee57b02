//! A capture process that the line starts and ends.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The program that is running, even if its file has been replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How long a killed process may take to end. In a driver it can't be killed.
const END_TIME: Duration = Duration::from_secs(1);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A process that could not be ended: no further one is started while it lives, or they would pile up.
/// Each with what it was started for: the other cameras of a line are not held up.
static LEFT: Mutex<Vec<(String, Child)>> = Mutex::new(vec![]);

/// A running capture process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct CaptureProcess(Option<(String, Child)>);

impl CaptureProcess {
    /// Starts a process for a camera, and returns the socket to it.
    pub(super) fn start(camera: String) -> io::Result<(Self, OwnedFd)> {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
        if let Some((_, child)) = left.iter().find(|(other, _)| *other == camera) {
            return Err(io::Error::other(format!(
                "the earlier one, {}, hangs in its camera's driver",
                child.id()
            )));
        }
        let (ours, theirs) = frame_channel::pair()?;
        let child = Command::new(THIS_PROGRAM)
            .arg("capture")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok((Self(Some((camera, child))), ours))
    }
}

impl Drop for CaptureProcess {
    fn drop(&mut self) {
        let Some((camera, mut child)) = self.0.take() else { return };
        let _ = child.kill();
        for _ in 0..END_TIME.as_millis() / POLL_INTERVAL.as_millis() {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        tracing::warn!(
            "the capture process {} hangs in its camera's driver and can't be ended; reconnect the camera",
            child.id()
        );
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((camera, child));
    }
}
