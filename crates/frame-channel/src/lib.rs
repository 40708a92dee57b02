//! Frames from a *capture process*, which holds a camera, to the process that judges them. A driver or camera library that hangs or
//! crashes takes nothing else with it.
//!
//! | file | contents |
//! |---|---|
//! | `socket` | messages and a file over a local socket |
//! | `message` | what the two processes tell each other |
//! | `memory` | the memory that they share |
//! | `sender` | the capture process' end |
//! | `receiver` | the judging process' end |
//! | `request` | the camera that a line asks for, and the formats of pixels |
//! | `hang_guard` | ends a capture process that hangs |
//!
//! The two are connected by a socket of whole messages (`SOCK_SEQPACKET`). The receiver asks for a camera. The sender answers with an
//! anonymous file of fixed size (`memfd_create`, sealed), in which each frame gets a slot of its own. It writes a frame into a free slot
//! and tells number, time stamp and length in a message; the receiver copies the frame and gives the slot back. A slow receiver
//! runs out of slots: the sender then drops frames, which shows as a gap in their numbers.
//!
//! The receiver trusts nothing that it gets. It reads the file with `pread` and never maps it, so that nothing that the sender does to it can
//! raise a signal; lengths are checked before memory is allocated for them; each slot begins with its frame's number, so that the wrong
//! slot is noticed; numbers that don't increase are refused. Pixels that the sender changes while they are copied are wrong pixels, and
//! nothing worse. `tests/two_processes.rs` measures what that costs.
#![forbid(unsafe_code)]

mod hang_guard;
mod memory;
mod message;
mod receiver;
mod request;
mod sender;
mod socket;

pub use hang_guard::HangGuard;
pub use message::{FrameInfo, Greeting, Refusal};
pub use receiver::{FrameReceiver, Received};
pub use request::{AravisCamera, CameraRequest, PixelFormat};
pub use sender::{FrameSender, Sent, refuse, request};
pub use socket::{connect, listen, pair, wait_for_peer};

/// Slots that a sender provides: one to fill, one to read, and two in reserve for a receiver that is late.
pub const SLOTS: u32 = 4;
/// No slot may be larger, in bytes: an uncompressed colour frame of 80 megapixels.
pub const MAX_SLOT_BYTES: u64 = 256 << 20;

/// Why the other process can't be used any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The other process has ended or closed the socket.
    #[error("the capture process has ended; its log says why")]
    Closed,
    /// It told nothing for too long.
    #[error("the capture process doesn't answer; see its log, and restart it")]
    TimedOut,
    /// It can't open the camera.
    #[error("{0}")]
    Refused(Refusal),
    /// It doesn't keep to the protocol.
    #[error("the capture process sent what makes no sense ({0}); install the same version of both programs")]
    Protocol(String),
    /// The system refuses.
    #[error("the capture process can't be reached: {0}; see its log, and restart it")]
    Io(#[from] std::io::Error),
}

impl From<rustix::io::Errno> for ChannelError {
    fn from(error: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        match error {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Closed,
            Errno::AGAIN => Self::TimedOut,
            other => Self::Io(other.into()),
        }
    }
}
