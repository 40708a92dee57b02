//! Messages over a local socket that keeps them apart, and a file beside one of them.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ChannelError;
use crate::message::MAX_MESSAGE;

/// How long a capture process may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Returns two connected sockets, for a process and one that it starts.
///
/// # Errors
/// If the system has no more sockets.
pub fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Connects to a capture process that listens at a path.
///
/// # Errors
/// If none listens there.
pub fn connect(path: &Path) -> std::io::Result<OwnedFd> {
    let socket = socket()?;
    // A process that is stopped takes no connections.
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIME))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Listens at a path for judging processes; what an earlier process left there is removed.
///
/// # Errors
/// If the path can't be used.
pub fn listen(path: &Path) -> std::io::Result<OwnedFd> {
    use std::os::unix::fs::FileTypeExt as _;
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let socket = socket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 1)?;
    Ok(socket)
}

/// Waits for the next judging process.
///
/// # Errors
/// If the system has no more sockets.
pub fn wait_for_peer(listener: impl AsFd) -> std::io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?)
}

fn socket() -> std::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// For this long.
    For(Duration),
}

/// Sends a message, with a file if one is given.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    file: Option<BorrowedFd<'_>>,
    patience: Patience,
) -> Result<(), ChannelError> {
    let bytes = serde_json::to_vec(message).map_err(|e| ChannelError::Protocol(e.to_string()))?;
    if bytes.len() > MAX_MESSAGE {
        return Err(ChannelError::Protocol("a message is too long".to_owned()));
    }
    let mut flags = SendFlags::NOSIGNAL;
    match patience {
        Patience::None => flags |= SendFlags::DONTWAIT,
        Patience::For(time) => set_socket_timeout(socket, Timeout::Send, Some(time))?,
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file]);
    if let Some(files) = &files {
        control.push(SendAncillaryMessage::ScmRights(files));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, flags)?;
    Ok(())
}

/// Receives a message, and the file that came with it.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    patience: Patience,
) -> Result<(T, Option<OwnedFd>), ChannelError> {
    let mut flags = RecvFlags::CMSG_CLOEXEC;
    match patience {
        Patience::None => flags |= RecvFlags::DONTWAIT,
        Patience::For(time) => set_socket_timeout(socket, Timeout::Recv, Some(time))?,
    }
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut receive = || {
        rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
        })
    };
    // The system reports once that the other end has closed with messages unread, before it hands out what was sent earlier.
    let received = match receive() {
        Err(rustix::io::Errno::CONNRESET) => receive()?,
        other => other?,
    };
    // Files are closed with the buffer if they aren't taken.
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    if received.bytes == 0 {
        return Err(ChannelError::Closed);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(ChannelError::Protocol("a message is too long".to_owned()));
    }
    let message = bytes.get(..received.bytes).unwrap_or(&[]);
    let message = serde_json::from_slice(message).map_err(|e| ChannelError::Protocol(e.to_string()))?;
    Ok((message, file))
}
