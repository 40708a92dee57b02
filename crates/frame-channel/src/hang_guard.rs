//! Ends a capture process whose line has gone and whose camera hangs: the next line needs the camera.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a camera may take to notice that its line has gone.
const HANG_TIME: Duration = Duration::from_secs(3);
const MAX_HANG_TIME: Duration = Duration::from_secs(3600);

/// Watches one line's socket until it is dropped.
#[derive(Debug)]
pub struct HangGuard {
    is_done: Arc<AtomicBool>,
}

impl HangGuard {
    /// Starts watching. If the line goes and this isn't dropped within three seconds, or within the time of five frames at `fps`,
    /// `on_hang` is called, on another thread: it should say so and end the process.
    ///
    /// # Errors
    /// If the system has no more threads or files.
    pub fn start(
        socket: &OwnedFd,
        fps: Option<f64>,
        on_hang: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let socket = socket.try_clone()?;
        let hang_time = hang_time(fps);
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        std::thread::Builder::new().name("hang guard".to_owned()).spawn(move || {
            while !done.load(Ordering::Acquire) {
                let mut gone = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::RDHUP)];
                let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                if !matches!(poll(&mut gone, Some(&second)), Ok(0)) {
                    break;
                }
            }
            std::thread::sleep(hang_time);
            if !done.load(Ordering::Acquire) {
                on_hang();
            }
        })?;
        Ok(Self { is_done })
    }
}

impl Drop for HangGuard {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Release);
    }
}

fn hang_time(fps: Option<f64>) -> Duration {
    let five_frames = fps.and_then(|fps| Duration::try_from_secs_f64(5.0 / fps).ok());
    five_frames.map_or(HANG_TIME, |time| time.clamp(HANG_TIME, MAX_HANG_TIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_camera_has_time_to_notice() {
        assert_eq!([Some(30.0), None, Some(0.0), Some(-1.0)].map(hang_time), [HANG_TIME; 4]);
        assert_eq!(hang_time(Some(0.01)), Duration::from_secs(500));
        assert_eq!(hang_time(Some(1e-9)), MAX_HANG_TIME);
    }
}
