//! What a line gets: the camera that it asks for, and its frames.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use frame_channel::{
    AravisCamera, CameraRequest, ChannelError, FrameInfo, FrameSender, Greeting, HangGuard, Refusal, refuse,
    request,
};
use serde::Deserialize;

use crate::camera::{Camera, Frame};
use crate::library::Library;
use crate::settings::frame_bytes;

/// How long a line may take to ask for its camera.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// How often the line hears from this process if no frame comes. It also shows whether the line is still there.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// How often the camera's values are read.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a free-running camera may send nothing; slow ones get the time of five frames.
const FRAME_TIME: Duration = Duration::from_secs(2);

/// The camera of a line file, by its source.
#[derive(Debug, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
enum Wanted {
    Aravis(AravisCamera),
}

/// Opens the camera that the line at the other end of the socket asks for, and sends its frames until the line has gone or the camera is
/// lost.
///
/// # Errors
/// [`ChannelError`] if the line doesn't keep to the protocol.
pub fn serve(library: &Library, socket: OwnedFd) -> Result<(), ChannelError> {
    let wanted = request(&socket, REQUEST_TIME)?;
    let guard = HangGuard::start(&socket, None, || {
        tracing::warn!("the line has gone and the camera hangs; this process ends");
        std::process::exit(1);
    })?;
    let served = match open(library, wanted) {
        Ok(camera) => Session::start(socket, camera).and_then(Session::run),
        Err(reason) => {
            tracing::warn!("{reason}");
            refuse(&socket, Refusal { reason })
        }
    };
    drop(guard);
    match served {
        Err(ChannelError::Closed) => Ok(()),
        other => other,
    }
}

fn open(library: &Library, wanted: serde_json::Value) -> Result<(Camera<'_>, AravisCamera), String> {
    let source = wanted.pointer("/camera/source").and_then(serde_json::Value::as_str).unwrap_or("nothing");
    if source != "aravis" {
        return Err(format!(
            "capture-aravis opens only cameras with source = \"aravis\", and not {source:?}; correct camera.camera, or camera.socket"
        ));
    }
    let Wanted::Aravis(wanted) = CameraRequest::<Wanted>::read(wanted)?.camera;
    let camera = Camera::open(library, wanted.clone())?;
    Ok((camera, wanted))
}

/// A line and its camera.
struct Session<'l> {
    sender: FrameSender,
    camera: Camera<'l>,
    wanted: AravisCamera,
    frame_time: Option<Duration>,
    warnings: Vec<String>,
}

impl<'l> Session<'l> {
    fn start(socket: OwnedFd, (camera, wanted): (Camera<'l>, AravisCamera)) -> Result<Self, ChannelError> {
        let greeting = Greeting { description: camera.description().to_owned(), may_repeat: false };
        tracing::info!("{}", greeting.description);
        let sender = FrameSender::new(socket, greeting, frame_bytes(&wanted))?;
        let five_frames = Duration::try_from_secs_f64(5.0 / wanted.fps).unwrap_or(FRAME_TIME);
        // A camera with a trigger sends nothing while no part comes; its heartbeat shows whether it is there.
        let frame_time = wanted.trigger.is_none().then(|| FRAME_TIME.max(five_frames));
        Ok(Self { sender, camera, wanted, frame_time, warnings: vec![] })
    }

    fn run(mut self) -> Result<(), ChannelError> {
        let (mut checked, mut told): (Option<Instant>, Option<Instant>) = (None, None);
        let mut framed = Instant::now();
        let is_due = |at: Option<Instant>, interval| at.is_none_or(|at| at.elapsed() >= interval);
        loop {
            let (sender, wanted) = (&mut self.sender, &self.wanted);
            let sent = self.camera.next(SIGN_OF_LIFE, |Frame { sequence, captured_at, damage, bytes }| {
                let info = FrameInfo {
                    sequence,
                    captured_at,
                    format: wanted.format.key().to_owned(),
                    width: wanted.width,
                    height: wanted.height,
                    damage,
                };
                sender.send(info, bytes)
            });
            match sent {
                Ok(Some(sent)) => {
                    sent?;
                    framed = Instant::now();
                }
                Ok(None) if self.frame_time.is_some_and(|time| framed.elapsed() > time) => {
                    return self.lose("the camera sends no frames; check its power and cable, and whether it is set to a trigger");
                }
                Ok(None) => {}
                Err(reason) => return self.lose(&reason),
            }
            if is_due(checked, CHECK_INTERVAL) {
                checked = Some(Instant::now());
                self.warnings = self.camera.warnings();
            }
            if is_due(told, SIGN_OF_LIFE) {
                told = Some(Instant::now());
                self.sender.warn(self.warnings.clone())?;
            }
        }
    }

    fn lose(self, reason: &str) -> Result<(), ChannelError> {
        tracing::warn!("the camera is lost: {reason}");
        self.sender.lose(Refusal { reason: reason.to_owned() })
    }
}
