//! The capture process: it opens a camera for a line and sends its frames.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use frame_channel::{ChannelError, FrameSender, Greeting, Refusal, refuse, request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use shared_format::Size;

use super::{CameraRequest, VERSION, frames};
use crate::capture::{CaptureError, FrameSource, open};
use crate::clock::Moment;
use crate::line_file::CameraConfig;

/// How long a line may take to ask for its camera.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// How often the line is told what can shift scores.
const WARNING_INTERVAL: Duration = Duration::from_secs(5);
/// What a frame may have in bytes if its camera's size isn't known, as with files.
const USUAL_SLOT: u64 = 64 << 20;
/// What a compressed frame may have beyond three bytes a pixel: its headers.
const HEADERS: u64 = 64 << 10;
/// How long a camera may hang after its line has gone.
const HANG_TIME: Duration = Duration::from_secs(3);

/// Opens the camera that the line at the other end of the socket asks for, and sends its frames until the line has gone or the
/// camera is lost.
///
/// # Errors
/// [`ChannelError`] if the line doesn't keep to the protocol.
pub fn serve(socket: OwnedFd) -> Result<(), ChannelError> {
    let wanted = request(&socket, REQUEST_TIME)?;
    let guard = HangGuard::start(&socket)?;
    let served = match open_wanted(wanted) {
        Ok((camera, slot_bytes)) => send_frames(socket, camera, slot_bytes),
        Err(reason) => refuse(&socket, Refusal { reason }),
    };
    drop(guard);
    match served {
        Err(ChannelError::Closed) => Ok(()),
        other => other,
    }
}

/// Returns the camera and the most bytes of its frames, or a sentence.
fn open_wanted(wanted: serde_json::Value) -> Result<(Box<dyn FrameSource>, u64), String> {
    let version = wanted.get("version").and_then(|version| version.as_str()).unwrap_or("unknown");
    if version != VERSION {
        return Err(format!(
            "the line's program has the version {version}, and the capture process {VERSION}; restart both"
        ));
    }
    let wanted: CameraRequest =
        serde_json::from_value(wanted).map_err(|e| format!("the line's camera: {e}"))?;
    if matches!(wanted.camera, CameraConfig::Process(_)) {
        return Err("a capture process starts no other; name the camera itself in camera.camera".to_owned());
    }
    let size = wanted.camera.size();
    let slot_bytes =
        size.map_or(USUAL_SLOT, |Size { width, height }| 3 * u64::from(width) * u64::from(height) + HEADERS);
    let max_size = wanted.max_size.map(|[width, height]| Size { width, height });
    let camera = open(&wanted.camera, max_size).map_err(|e| e.to_string())?;
    Ok((camera, slot_bytes.min(frame_channel::MAX_SLOT_BYTES)))
}

fn send_frames(
    socket: OwnedFd,
    mut camera: Box<dyn FrameSource>,
    slot_bytes: u64,
) -> Result<(), ChannelError> {
    let greeting = Greeting { description: camera.describe(), may_repeat: camera.may_repeat() };
    let mut sender = FrameSender::new(socket, greeting, slot_bytes)?;
    let mut warned_at: Option<Moment> = None;
    loop {
        match camera.next() {
            Ok(captured) => {
                let (info, bytes) = frames::to_send(&captured);
                sender.send(info, &bytes)?;
            }
            Err(CaptureError::End) => return sender.end(),
            Err(e) => return sender.lose(Refusal { reason: e.to_string() }),
        }
        let now = Moment::now();
        if warned_at.is_none_or(|at| now.since(at) >= WARNING_INTERVAL) {
            warned_at = Some(now);
            sender.warn(camera.warnings())?;
        }
    }
}

/// Ends the process if its line has gone and its camera hangs: the next line needs the camera.
struct HangGuard {
    is_done: Arc<AtomicBool>,
}

impl HangGuard {
    fn start(socket: &OwnedFd) -> std::io::Result<Self> {
        let socket = socket.try_clone()?;
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
            std::thread::sleep(HANG_TIME);
            if !done.load(Ordering::Acquire) {
                tracing::warn!("the line has gone and the camera hangs; this process ends");
                std::process::exit(1);
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
