//! A capture process that the line starts and ends.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The program that is running, even if its file has been replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How long a killed process may take to end. In a driver it can't be killed.
const END_TIME: Duration = Duration::from_secs(1);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running capture process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct CaptureProcess(Child);

impl CaptureProcess {
    /// Starts a process, and returns the socket to it.
    pub(super) fn start() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = frame_channel::pair()?;
        let child = Command::new(THIS_PROGRAM)
            .arg("capture")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok((Self(child), ours))
    }
}

impl Drop for CaptureProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        for _ in 0..END_TIME.as_millis() / POLL_INTERVAL.as_millis() {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        tracing::warn!(
            "the capture process {} hangs in its camera's driver and can't be ended; reconnect the camera",
            self.0.id()
        );
    }
}
