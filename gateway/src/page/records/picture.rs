//! Opens a record's pictures and sends them piece by piece.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{RecordFolder, RecordName};

/// Bytes that are read at once: what a picture takes of the memory, whatever its size.
const PIECE: u64 = 64 << 10;
/// Larger files are not sent.
const MAX_BYTES: u64 = 64 << 20;

/// One of a record's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// The frame as the camera delivered it.
    Frame,
    /// The frame with heat map and region.
    Overlay,
}

/// An opened picture: its file, its length in bytes and its media type.
pub type Opened = (File, u64, &'static str);

impl Picture {
    /// Reads the word of a path.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "frame" => Some(Self::Frame),
            "overlay" => Some(Self::Overlay),
            _ => None,
        }
    }

    /// Opens the picture of a record. Blocks.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::NotFound`] if the record has no such picture.
    pub fn open(self, records: &RecordFolder, name: &RecordName) -> io::Result<Opened> {
        let files: &[_] = match self {
            Self::Frame => &[("frame.jpg", "image/jpeg"), ("frame.png", "image/png")],
            Self::Overlay => &[("overlay.png", "image/png")],
        };
        for (file, media_type) in files {
            match records.open(name, file) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Ok((_, length)) if length > MAX_BYTES => return Err(ErrorKind::FileTooLarge.into()),
                opened => return opened.map(|(file, length)| (file, length, *media_type)),
            }
        }
        Err(ErrorKind::NotFound.into())
    }
}

/// Reads a file piece by piece, no faster than they are taken.
pub fn pieces(mut file: File, length: u64) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut left = length;
        while left > 0 {
            let read = spawn_blocking(move || {
                let mut piece = vec![];
                let read = (&mut file).take(left.min(PIECE)).read_to_end(&mut piece);
                read.map(|_| (file, piece))
            });
            let Ok(Ok((same, piece))) = read.await else { return };
            if piece.is_empty() {
                return;
            }
            file = same;
            left = left.saturating_sub(piece.len() as u64);
            if sender.send(Bytes::from(piece)).await.is_err() {
                return;
            }
        }
    });
    receiver
}
