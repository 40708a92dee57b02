//! The capture process' end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use crate::memory::SharedMemory;
use crate::message::{Reply, Request};
use crate::socket::{Patience, receive, send};
use crate::{ChannelError, FrameInfo, Greeting, Refusal, SLOTS};

/// A receiver that takes no message for this long hangs.
const SEND_TIME: Duration = Duration::from_secs(2);

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The receiver was told of it.
    Delivered,
    /// The receiver still holds all slots; the frame is lost, and the next one's number shows it.
    Dropped,
    /// The frame is larger than a slot. The receiver was told that it is damaged.
    TooLarge,
}

/// Sends frames.
#[derive(Debug)]
pub struct FrameSender {
    socket: OwnedFd,
    memory: SharedMemory,
    /// Whether the receiver holds each slot.
    held: [bool; SLOTS as usize],
}

/// Waits for the receiver to ask for a camera.
///
/// # Errors
/// [`ChannelError`] if it asks for something else, or nothing for `timeout`.
pub fn request(socket: &OwnedFd, timeout: Duration) -> Result<serde_json::Value, ChannelError> {
    match receive(socket.as_fd(), Patience::For(timeout))?.0 {
        Request::Open(camera) => Ok(camera),
        Request::Release(_) => Err(ChannelError::Protocol("a slot came back that was not given".to_owned())),
    }
}

/// Tells the receiver that the camera can't be used.
///
/// # Errors
/// [`ChannelError`] if it has gone.
pub fn refuse(socket: &OwnedFd, refusal: Refusal) -> Result<(), ChannelError> {
    send(socket.as_fd(), &Reply::Refused(refusal), None, Patience::For(SEND_TIME))
}

impl FrameSender {
    /// Tells the receiver that the camera is open, and shares memory for frames of up to `slot_bytes`.
    ///
    /// # Errors
    /// [`ChannelError`] if there is no memory, or the receiver has gone.
    pub fn new(socket: OwnedFd, greeting: Greeting, slot_bytes: u64) -> Result<Self, ChannelError> {
        let memory = SharedMemory::create(SLOTS, slot_bytes)?;
        let opened = Reply::Opened { greeting, slots: SLOTS, slot_bytes };
        send(socket.as_fd(), &opened, Some(memory.file().as_fd()), Patience::For(SEND_TIME))?;
        Ok(Self { socket, memory, held: [false; SLOTS as usize] })
    }

    /// Sends a frame without waiting for the receiver.
    ///
    /// # Errors
    /// [`ChannelError`] if the receiver has gone.
    pub fn send(&mut self, mut info: FrameInfo, mut bytes: &[u8]) -> Result<Sent, ChannelError> {
        self.take_back()?;
        let is_too_large = bytes.len() as u64 > self.memory.slot_bytes();
        if is_too_large {
            info.damage = Some(format!(
                "it has {} bytes, and at most {} are expected",
                bytes.len(),
                self.memory.slot_bytes()
            ));
            bytes = &[];
        }
        let free = self.held.iter_mut().enumerate().find(|(_, held)| !**held);
        let Some((slot, held)) = free else { return Ok(Sent::Dropped) };
        let slot = slot as u32;
        self.memory.write(slot, info.sequence, bytes)?;
        let message = Reply::Frame { slot, bytes: bytes.len() as u64, info };
        match send(self.socket.as_fd(), &message, None, Patience::None) {
            Ok(()) => *held = true,
            Err(ChannelError::TimedOut) => return Ok(Sent::Dropped),
            Err(e) => return Err(e),
        }
        Ok(if is_too_large { Sent::TooLarge } else { Sent::Delivered })
    }

    /// Tells what can shift scores.
    ///
    /// # Errors
    /// [`ChannelError`] if the receiver has gone.
    pub fn warn(&mut self, sentences: Vec<String>) -> Result<(), ChannelError> {
        let sentences = crate::message::limited(sentences);
        match send(self.socket.as_fd(), &Reply::Warnings(sentences), None, Patience::None) {
            // They are told again.
            Ok(()) | Err(ChannelError::TimedOut | ChannelError::Protocol(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Tells the receiver that there are no more frames.
    ///
    /// # Errors
    /// [`ChannelError`] if it has gone.
    pub fn end(self) -> Result<(), ChannelError> {
        send(self.socket.as_fd(), &Reply::End, None, Patience::For(SEND_TIME))
    }

    /// Tells the receiver that the camera is lost.
    ///
    /// # Errors
    /// [`ChannelError`] if it has gone.
    pub fn lose(self, refusal: Refusal) -> Result<(), ChannelError> {
        refuse(&self.socket, refusal)
    }

    /// Takes the slots back that the receiver has copied.
    fn take_back(&mut self) -> Result<(), ChannelError> {
        loop {
            match receive(self.socket.as_fd(), Patience::None) {
                Ok((Request::Release(slot), _)) => {
                    if let Some(held) = self.held.get_mut(slot as usize) {
                        *held = false;
                    }
                }
                Ok((Request::Open(_), _)) => {
                    return Err(ChannelError::Protocol("a second camera was asked for".to_owned()));
                }
                Err(ChannelError::TimedOut) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }
}
