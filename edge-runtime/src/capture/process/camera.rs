//! The camera as the line sees it.

use std::io;
use std::time::Duration;

use frame_channel::{CameraRequest, ChannelError, FrameReceiver, Received};
use shared_format::Size;

use super::child::CaptureProcess;
use super::frames;
use super::slot_bytes;
use crate::capture::{CaptureError, CapturedFrame, FrameSource};
use crate::clock::Moment;
use crate::line_file::{CameraConfig, ProcessConfig};

/// Cameras on a network may take seconds to open.
const OPEN_TIME: Duration = Duration::from_secs(15);
/// Longer than any exposure that makes sense on a line; slow cameras get the time of five frames.
const FRAME_TIME: Duration = Duration::from_secs(2);

/// A camera that another process holds.
pub struct ProcessCamera {
    receiver: FrameReceiver,
    /// `None` if the process was started by other means.
    _process: Option<CaptureProcess>,
    description: String,
    may_repeat: bool,
    /// Whether the camera is one that ends, as a folder does.
    may_end: bool,
    max_size: Option<Size>,
    timeout: Duration,
    warnings: Vec<String>,
}

impl ProcessCamera {
    /// Starts a capture process, or connects to one, and asks it for the camera.
    ///
    /// # Errors
    /// [`CaptureError`] if there is no process, or it can't open the camera.
    pub fn open(settings: &ProcessConfig, max_size: Option<Size>) -> Result<Self, CaptureError> {
        let (process, socket) = match &settings.socket {
            Some(path) => {
                let socket = frame_channel::connect(path).map_err(|e| CaptureError::Process {
                    reason: format!(
                        "no capture process listens at {} ({e}); start {}, or correct camera.socket",
                        path.display(),
                        settings.camera.listening_program()
                    ),
                })?;
                (None, socket)
            }
            None => {
                let (process, socket) =
                    CaptureProcess::start(format!("{:?}", settings.camera)).map_err(|e| {
                        CaptureError::Process {
                            reason: format!("the capture process can't be started: {e}{}", advice(&e)),
                        }
                    })?;
                (Some(process), socket)
            }
        };
        let most = max_size.map(|size| [size.width, size.height]);
        let request = serde_json::to_value(CameraRequest::new(&settings.camera, most))
            .map_err(|e| CaptureError::Process { reason: e.to_string() })?;
        let (receiver, greeting) =
            FrameReceiver::open(socket, request, slot_bytes(settings.camera.size()), OPEN_TIME)
                .map_err(|e| CaptureError::Process { reason: e.to_string() })?;
        let five_frames = Duration::try_from_secs_f64(5.0 / settings.camera.fps()).unwrap_or(FRAME_TIME);
        Ok(Self {
            receiver,
            _process: process,
            description: format!("{}, in a process of its own", greeting.description),
            may_repeat: greeting.may_repeat,
            may_end: matches!(*settings.camera, CameraConfig::Folder { .. }),
            max_size: settings.camera.size().or(max_size),
            timeout: FRAME_TIME.max(five_frames).min(Duration::from_secs(3600)),
            warnings: vec![],
        })
    }
}

/// Returns what to do about a process that can't be started, if that is known.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::WouldBlock => "; raise the limit on processes",
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            "; mount /proc, and let this user run its own program"
        }
        io::ErrorKind::Other => "; reconnect the camera",
        _ => "; restart the line",
    }
}

impl FrameSource for ProcessCamera {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        let lost = |reason: String| CaptureError::Lost { reason };
        loop {
            match self.receiver.next(self.timeout) {
                Ok(Received::Frame(info, bytes)) => {
                    return frames::received(info, bytes, self.max_size, Moment::now()).map_err(lost);
                }
                Ok(Received::Warnings(sentences)) => self.warnings = sentences,
                Ok(Received::End) if self.may_end => return Err(CaptureError::End),
                Ok(Received::End) => {
                    return Err(lost("the capture process says that a live camera has ended".to_owned()));
                }
                Ok(_) => return Err(lost("the capture process is of another version".to_owned())),
                Err(ChannelError::Refused(refusal)) => {
                    return Err(CaptureError::Process { reason: refusal.reason });
                }
                Err(e) => return Err(lost(e.to_string())),
            }
        }
    }

    fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    fn warnings(&mut self) -> Vec<String> {
        self.warnings.clone()
    }
}
