//! One connected gateway.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use shared_format::TelegramError;
use shared_format::gateway::{Decoder, GatewayMessage, LineMessage, MAX_LEN, Message};

use crate::clock::{Moment, nanoseconds};

/// The most bytes that wait for a gateway that doesn't read: some thousand parts.
const MAX_WAITING: usize = 64 << 10;
/// Bytes per second that are read from a gateway in the long run: over five thousand commands. What comes faster waits in
/// the system's buffer, so that a gateway that sends as fast as it can neither takes a processor nor fills the mailbox.
const READ_RATE: u64 = 64 << 10;
/// Bytes that are read at once after a pause.
const READ_BURST: u64 = 16 << 10;
/// Maximum bytes per read.
const READ_SIZE: usize = 1024;
const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Connection {
    /// Its number among all connections of the socket.
    pub(super) number: u64,
    stream: UnixStream,
    decoder: Decoder,
    /// Bytes to be sent; those before `sent` have been.
    waiting: Vec<u8>,
    sent: usize,
    /// Whether the gateway gets reports on parts.
    pub(super) is_subscribed: bool,
    /// Bytes that may still be read, as of `refilled`.
    budget: u64,
    refilled: Moment,
}

impl Connection {
    pub(super) fn new(number: u64, stream: UnixStream, now: Moment) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (decoder, waiting) = (Decoder::default(), vec![]);
        Ok(Self {
            number,
            stream,
            decoder,
            waiting,
            sent: 0,
            is_subscribed: false,
            budget: READ_BURST,
            refilled: now,
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Adds a message to those to be sent. Returns `false` if there is no room for it, or if it can't be encoded.
    pub(super) fn push(&mut self, message: &LineMessage) -> bool {
        let mut buffer = [0; MAX_LEN];
        let Ok(bytes) = message.encode(&mut buffer) else { return false };
        let fits = self.waiting.len() - self.sent + bytes.len() <= MAX_WAITING;
        if fits {
            self.waiting.extend_from_slice(bytes);
        }
        fits
    }

    /// Sends as much as the gateway takes.
    ///
    /// # Errors
    /// If it is gone.
    pub(super) fn send(&mut self) -> io::Result<()> {
        while let Some(rest) = self.waiting.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.sent += written,
                Err(e) if is_later(&e) => break,
                Err(e) => return Err(e),
            }
        }
        self.waiting.drain(..self.sent);
        self.sent = 0;
        Ok(())
    }

    /// Whether there is something left to send.
    pub(super) const fn is_sending(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Reads what has come, as far as the budget goes, and appends the messages in it to `messages`.
    ///
    /// # Errors
    /// If the gateway is gone; what it sent before is in `messages`.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        messages: &mut Vec<Result<GatewayMessage, TelegramError>>,
    ) -> io::Result<()> {
        self.refill(now);
        let mut bytes = [0; READ_SIZE];
        while self.budget > 0 {
            let read = match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(e) if is_later(&e) => break,
                Err(e) => return Err(e),
            };
            self.budget = self.budget.saturating_sub(read as u64);
            let bytes = bytes.get(..read).unwrap_or_default();
            messages.extend(bytes.iter().filter_map(|byte| self.decoder.push(*byte)));
        }
        Ok(())
    }

    /// When more may be read, if the budget is used up.
    pub(super) fn next_read(&self) -> Option<Moment> {
        (self.budget == 0).then(|| self.refilled + Duration::from_millis(20))
    }

    fn refill(&mut self, now: Moment) {
        let passed = nanoseconds(now.since(self.refilled));
        let more = passed.saturating_mul(READ_RATE) / SECOND;
        if more > 0 {
            self.budget = self.budget.saturating_add(more).min(READ_BURST);
            self.refilled = now;
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
