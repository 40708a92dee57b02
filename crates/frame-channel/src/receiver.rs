//! The judging process' end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use crate::memory::SharedMemory;
use crate::message::{Reply, Request, limited, limited_text};
use crate::socket::{Patience, receive, send};
use crate::{ChannelError, FrameInfo, Greeting, Refusal};

/// Receives frames.
#[derive(Debug)]
pub struct FrameReceiver {
    socket: OwnedFd,
    memory: SharedMemory,
    last: Option<u64>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A frame with its bytes, copied.
    Frame(FrameInfo, Vec<u8>),
    /// What can shift scores, one sentence each.
    Warnings(Vec<String>),
    /// The camera has delivered all its frames.
    End,
}

impl FrameReceiver {
    /// Asks a capture process for a camera. The description of the camera means what both programs agree on. No frame may have more than
    /// `max_slot_bytes` bytes.
    ///
    /// # Errors
    /// [`ChannelError`]; [`ChannelError::Refused`] if the camera can't be opened.
    pub fn open(
        socket: OwnedFd,
        camera: serde_json::Value,
        max_slot_bytes: u64,
        timeout: Duration,
    ) -> Result<(Self, Greeting), ChannelError> {
        send(socket.as_fd(), &Request::Open(camera), None, Patience::For(timeout))?;
        match receive(socket.as_fd(), Patience::For(timeout))? {
            (Reply::Opened { greeting, slots, slot_bytes }, Some(file)) => {
                let memory = SharedMemory::adopt(file, slots, slot_bytes, max_slot_bytes)?;
                let description = limited_text(greeting.description);
                Ok((Self { socket, memory, last: None }, Greeting { description, ..greeting }))
            }
            (Reply::Refused(refusal), _) => Err(refused(refusal)),
            (other, _) => Err(ChannelError::Protocol(format!("{} instead of a camera", kind(&other)))),
        }
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// [`ChannelError`]; the process must then be started again.
    pub fn next(&mut self, timeout: Duration) -> Result<Received, ChannelError> {
        match receive(self.socket.as_fd(), Patience::For(timeout))?.0 {
            Reply::Frame { slot, bytes, info } => self.take(slot, bytes, info),
            Reply::Warnings(sentences) => Ok(Received::Warnings(limited(sentences))),
            Reply::End => Ok(Received::End),
            Reply::Refused(refusal) => Err(refused(refusal)),
            Reply::Opened { .. } => Err(ChannelError::Protocol("a second camera".to_owned())),
        }
    }

    fn take(&mut self, slot: u32, bytes: u64, mut info: FrameInfo) -> Result<Received, ChannelError> {
        let sequence = info.sequence;
        if self.last.is_some_and(|last| sequence <= last) {
            return Err(ChannelError::Protocol("a frame's number is not above the one before".to_owned()));
        }
        let bytes = self.memory.read(slot, sequence, bytes)?;
        self.last = Some(sequence);
        (info.damage, info.format) = (info.damage.map(limited_text), limited_text(info.format));
        // A sender that reads nothing any more hangs; it will not send anything either.
        match send(self.socket.as_fd(), &Request::Release(slot), None, Patience::None) {
            Ok(()) | Err(ChannelError::TimedOut | ChannelError::Closed) => {}
            Err(e) => return Err(e),
        }
        Ok(Received::Frame(info, bytes))
    }
}

fn refused(refusal: Refusal) -> ChannelError {
    ChannelError::Refused(Refusal { reason: limited_text(refusal.reason) })
}

const fn kind(reply: &Reply) -> &'static str {
    match reply {
        Reply::Opened { .. } => "memory without a file",
        Reply::Refused(_) => "a refusal",
        Reply::Frame { .. } => "a frame",
        Reply::Warnings(_) => "warnings",
        Reply::End => "an end",
    }
}
