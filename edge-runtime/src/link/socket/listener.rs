//! The socket in the file system.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Owner and group may connect. The group is the folder's if that has its set-group-ID bit, else the program's.
const MODE: u32 = 0o660;

/// A listening socket, removed when dropped.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Makes the socket; one that an ended program left behind is replaced.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::AddrInUse`] if another program listens there, or if something other than a socket is
    /// in the way.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            // Whoever listens there accepts at least the connection.
            Ok(found) if found.file_type().is_socket() => match UnixStream::connect(path) {
                Err(e) if e.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
                _ => return Err(ErrorKind::AddrInUse.into()),
            },
            Ok(_) => return Err(ErrorKind::AddrInUse.into()),
            Err(_) => {}
        }
        let socket = UnixListener::bind(path)?;
        let listener = Self { socket, path: path.to_owned() };
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        listener.socket.set_nonblocking(true)?;
        Ok(listener)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Accepts a waiting connection, if there is one.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        self.socket.accept().ok().map(|(stream, _)| stream)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A successor that finds it replaces it anyway.
        let _ = fs::remove_file(&self.path);
    }
}
