//! Messages on the disk, in the order in which they came: files that are only appended to, and deleted when nothing in them is needed.
//!
//! A record is its length and CRC-32 (each a `u32`, low byte first), then its number (`u64`), the length of the topic (`u16`), the topic and
//! the payload. What a power cut has torn ends the file: a record that isn't whole was never confirmed to anybody.

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::regular_file;

/// A file is ended when it is this long, or an eighth of what is allowed for all.
const SEGMENT_BYTES: u64 = 1 << 20;
/// Length and checksum before each record.
const HEAD: usize = 8;
/// Number and length of the topic.
const MIN_BODY: usize = 10;
/// No message is longer; what claims to be is damage.
const MAX_BODY: usize = 1 << 20;
/// How long what was written may be only in the system's memory: the most that a power cut takes.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Messages that are confirmed between two notes of how far the broker is. After a restart, these come twice.
const NOTE_EVERY: u64 = 64;
const EXTENSION: &str = "journal";
const CURSOR: &str = "confirmed";

/// A message with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number; rises by one with each message.
    pub number: u64,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A file with messages.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// The number of its first message.
    first: u64,
    /// The number after its last.
    end: u64,
    bytes: u64,
}

/// Messages on the disk.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    segments: VecDeque<Segment>,
    writer: Option<Arc<File>>,
    max_bytes: u64,
    /// The number of the next message.
    next: u64,
    /// The lowest number that is still needed.
    lowest: u64,
    noted: u64,
    unsynced: Arc<Mutex<Vec<Arc<File>>>>,
    wake: SyncSender<()>,
    /// Locked for as long as the journal is open.
    _lock: File,
}

impl Journal {
    /// Opens the journal in a folder, which must exist, and begins a new file in it.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::ResourceBusy`] if another program has it open.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        let lock = File::open(folder)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another gateway uses it"));
            }
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) => {}
        }
        let mut segments = vec![];
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                match Segment::read(&path)? {
                    Some(segment) => segments.push(segment),
                    None => std::fs::remove_file(&path)?,
                }
            }
        }
        segments.sort_by_key(|segment| segment.first);
        let confirmed = regular_file::read(&folder.join(CURSOR), 32).ok();
        let confirmed = confirmed.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<u64>().ok());
        // The note is older than the newest deletions.
        let first = segments.first().map_or(1, |segment| segment.first);
        let lowest = confirmed.unwrap_or(1).max(first);
        let next = segments.last().map_or(lowest, |segment| segment.end).max(lowest);
        let unsynced = Arc::new(Mutex::new(vec![]));
        let (wake, woken) = sync_channel(1);
        let (files, path) = (Arc::clone(&unsynced), folder.to_owned());
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || sync(&woken, &files, &path))?;
        let mut journal = Self {
            folder: folder.to_owned(),
            segments: segments.into(),
            writer: None,
            max_bytes,
            next,
            lowest,
            noted: lowest,
            unsynced,
            wake,
            _lock: lock,
        };
        journal.release(lowest);
        Ok(journal)
    }

    /// Returns the number of the next message.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Returns the lowest number that is still needed.
    #[must_use]
    pub const fn lowest(&self) -> u64 {
        self.lowest
    }

    /// Returns the size of all files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Appends a message. If there is no room, the oldest file is deleted first.
    ///
    /// # Errors
    /// The system's error. The message is then not in the journal, and nor is its number: whoever reads the numbers sees that one is lost.
    pub fn append(&mut self, topic: &str, payload: &[u8]) -> io::Result<u64> {
        let number = self.next;
        self.next += 1;
        let record = encode(number, topic, payload).ok_or(io::ErrorKind::InvalidInput)?;
        let longest = SEGMENT_BYTES.min(self.max_bytes / 8);
        if self.segments.back().is_none_or(|last| last.bytes >= longest) {
            self.writer = None;
        }
        if let Err(e) = self.write(number, &record) {
            // Half a record may be there: the next one goes to another file, so that the rest can be read.
            self.writer = None;
            if self.segments.back().is_some_and(|last| last.first == last.end)
                && let Some(empty) = self.segments.pop_back()
            {
                let _ = std::fs::remove_file(&empty.path);
            }
            return Err(e);
        }
        if let Some(last) = self.segments.back_mut() {
            last.end = self.next;
            last.bytes += record.len() as u64;
        }
        while self.bytes() > self.max_bytes && self.segments.len() > 1 {
            let end = self.segments.front().map_or(0, |first| first.end);
            self.release(end);
        }
        Ok(number)
    }

    /// Deletes what is not needed: messages with lower numbers than this.
    pub fn release(&mut self, lowest: u64) {
        self.lowest = self.lowest.max(lowest);
        while self.segments.front().is_some_and(|first| {
            // The file that is being written stays until there is another.
            first.end <= self.lowest && (self.segments.len() > 1 || self.writer.is_none())
        }) {
            if let Some(segment) = self.segments.pop_front() {
                // If it stays, the note says that it isn't needed.
                let _ = std::fs::remove_file(&segment.path);
            }
        }
        if self.lowest >= self.noted + NOTE_EVERY || self.segments.is_empty() && self.lowest > self.noted {
            self.note();
        }
    }

    /// Returns messages from this number on, at most those of one file; none if there are no more.
    ///
    /// # Errors
    /// The system's error.
    pub fn read(&self, from: u64) -> io::Result<Vec<Numbered>> {
        let Some(segment) = self.segments.iter().find(|segment| segment.end > from) else {
            return Ok(vec![]);
        };
        let bytes = regular_file::read(&segment.path, 2 * SEGMENT_BYTES + MAX_BODY as u64)?;
        Ok(decode(&bytes).filter(|(message, _)| message.number >= from).map(|(message, _)| message).collect())
    }

    /// Returns the number after the last message of the file that would hold this one.
    #[must_use]
    pub fn end_of_file_with(&self, number: u64) -> u64 {
        self.segments.iter().find(|segment| segment.end > number).map_or(self.next, |segment| segment.end)
    }

    fn write(&mut self, number: u64, record: &[u8]) -> io::Result<()> {
        let writer = match &self.writer {
            Some(writer) => Arc::clone(writer),
            None => {
                let path = self.folder.join(format!("{number:020}.{EXTENSION}"));
                // Whatever is left there of an earlier run is no message.
                let file = Arc::new(File::create(&path)?);
                self.segments.push_back(Segment { path, first: number, end: number, bytes: 0 });
                self.writer = Some(Arc::clone(&file));
                file
            }
        };
        (&*writer).write_all(record)?;
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        if !unsynced.iter().any(|file| Arc::ptr_eq(file, &writer)) {
            unsynced.push(writer);
        }
        drop(unsynced);
        // If it is awake already, it takes this one too.
        let _ = self.wake.try_send(());
        Ok(())
    }

    /// Notes how far the broker is.
    fn note(&mut self) {
        self.noted = self.lowest;
        let path = self.folder.join(CURSOR);
        let partial = self.folder.join(format!(".{CURSOR}"));
        // An older note, or none, only means that some messages come twice.
        let _ =
            std::fs::write(&partial, self.lowest.to_string()).and_then(|()| std::fs::rename(&partial, &path));
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.note();
        for file in self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = file.sync_data();
        }
    }
}

impl Segment {
    /// Reads a file of an earlier run; `None` if nothing in it can be read.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let bytes = regular_file::read(path, 2 * SEGMENT_BYTES + MAX_BODY as u64)?;
        let mut numbers = decode(&bytes).map(|(message, end)| (message.number, end));
        let Some((first, first_end)) = numbers.next() else { return Ok(None) };
        let (last, end) = numbers.last().unwrap_or((first, first_end));
        Ok(Some(Self { path: path.to_owned(), first, end: last + 1, bytes: end as u64 }))
    }
}

/// Waits for what was written to reach the disk, at most once in [`SYNC_EVERY`]: the line's messages don't wait for it.
fn sync(woken: &Receiver<()>, files: &Mutex<Vec<Arc<File>>>, folder: &Path) {
    while woken.recv().is_ok() {
        std::thread::sleep(SYNC_EVERY);
        let written = std::mem::take(&mut *files.lock().unwrap_or_else(PoisonError::into_inner));
        for file in written {
            let synced = file.sync_data().and_then(|()| File::open(folder)?.sync_all());
            if let Err(e) = synced {
                tracing::warn!("cannot write to mqtt.store_folder: {e}; check the disk");
            }
        }
    }
}

fn encode(number: u64, topic: &str, payload: &[u8]) -> Option<Vec<u8>> {
    let length = MIN_BODY + topic.len() + payload.len();
    let topic_length = u16::try_from(topic.len()).ok()?;
    let length = u32::try_from(length).ok().filter(|length| *length as usize <= MAX_BODY)?;
    let mut body = Vec::with_capacity(length as usize);
    body.extend(number.to_le_bytes());
    body.extend(topic_length.to_le_bytes());
    body.extend(topic.as_bytes());
    body.extend(payload);
    let mut record = Vec::with_capacity(HEAD + body.len());
    record.extend(length.to_le_bytes());
    record.extend(crc32fast::hash(&body).to_le_bytes());
    record.append(&mut body);
    Some(record)
}

/// Returns the messages of a file, each with the position after it, up to the first that isn't whole.
fn decode(mut bytes: &[u8]) -> impl Iterator<Item = (Numbered, usize)> {
    let whole = bytes.len();
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = rest.get(..length).filter(|_| length <= MAX_BODY)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        bytes = rest.get(length..)?;
        let (number, body) = body.split_first_chunk::<8>()?;
        let (topic_length, body) = body.split_first_chunk::<2>()?;
        let (topic, payload) = body.split_at_checked(u16::from_le_bytes(*topic_length).into())?;
        let topic = String::from_utf8(topic.to_vec()).ok()?;
        let message = Numbered { number: u64::from_le_bytes(*number), topic, payload: payload.to_vec() };
        Some((message, whole - bytes.len()))
    })
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
