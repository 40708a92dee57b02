//! The capture process: it opens a camera for a line and sends its frames.

use std::os::fd::OwnedFd;
use std::time::Duration;

use frame_channel::{
    CameraRequest, ChannelError, FrameSender, Greeting, HangGuard, Refusal, refuse, request,
};
use shared_format::Size;

use super::{frames, slot_bytes};
use crate::capture::{CaptureError, FrameSource, open};
use crate::clock::Moment;
use crate::line_file::CameraConfig;

/// How long a line may take to ask for its camera.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// How often the line is told what can shift scores.
const WARNING_INTERVAL: Duration = Duration::from_secs(5);

/// Opens the camera that the line at the other end of the socket asks for, and sends its frames until the line has gone or the
/// camera is lost.
///
/// # Errors
/// [`ChannelError`] if the line doesn't keep to the protocol.
pub fn serve(socket: OwnedFd) -> Result<(), ChannelError> {
    let wanted = request(&socket, REQUEST_TIME)?;
    let fps = wanted.get("camera").and_then(|camera| camera.get("fps")).and_then(serde_json::Value::as_f64);
    let guard = HangGuard::start(&socket, fps, || {
        tracing::warn!("the line has gone and the camera hangs; this process ends");
        std::process::exit(1);
    })?;
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
    let wanted = CameraRequest::<CameraConfig>::read(wanted)?;
    if matches!(wanted.camera, CameraConfig::Process(_)) {
        return Err("a capture process starts no other; name the camera itself in camera.camera".to_owned());
    }
    let slot_bytes = slot_bytes(wanted.camera.size());
    let max_size = wanted.max_size.map(|[width, height]| Size { width, height });
    let camera = open(&wanted.camera, max_size).map_err(|e| e.to_string())?;
    Ok((camera, slot_bytes))
}

fn send_frames(
    socket: OwnedFd,
    mut camera: Box<dyn FrameSource>,
    slot_bytes: u64,
) -> Result<(), ChannelError> {
    let greeting = Greeting { description: camera.describe(), may_repeat: camera.may_repeat() };
    let mut sender = FrameSender::new(socket, greeting, slot_bytes)?;
    let mut warned_at: Option<Moment> = None;
    let mut numbers = Numbers::default();
    loop {
        match camera.next() {
            Ok(captured) => {
                let (mut info, bytes) = frames::to_send(&captured);
                info.sequence = numbers.next(info.sequence);
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

/// Numbers frames so that they grow, whatever a driver does: its numbers have 32 bits and wrap, and may stand still or start again.
#[derive(Debug, Default)]
struct Numbers {
    number: u64,
    last: Option<u64>,
}

impl Numbers {
    /// Returns the number of the frame to which the driver gave `sequence`. What it skipped is skipped here, too.
    fn next(&mut self, sequence: u64) -> u64 {
        let step = self.last.map_or(1, |last| (sequence as u32).wrapping_sub(last as u32));
        self.number += if step == 0 || step > u32::MAX / 2 { 1 } else { u64::from(step) };
        self.last = Some(sequence);
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_whatever_the_driver_does() {
        let of = |sequences: &[u64]| {
            let mut numbers = Numbers::default();
            sequences.iter().map(|sequence| numbers.next(*sequence)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[0, 0, 0]), [1, 2, 3], "a driver that doesn't count");
        assert_eq!(of(&[5, 6, 9]), [1, 2, 5], "two were lost");
        assert_eq!(of(&[900, 0, 1]), [1, 2, 3], "it was started again");
        assert_eq!(of(&[u64::from(u32::MAX), 1]), [1, 3], "its 32 bits wrap");
    }
}
