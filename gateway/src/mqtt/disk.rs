//! A store's messages on the disk, of which the next ones are in memory.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::journal::{Journal, Numbered};
use crate::log::limited;

/// Pauses after which messages that the collector hasn't confirmed are published again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// Attempts to read a file before its messages are given up.
const MAX_FAILURES: u32 = 10;

/// A journal, how far it has been brought to memory, and what the collector has confirmed.
#[derive(Debug)]
pub struct Disk {
    journal: Journal,
    /// The number of the first message that wasn't brought to memory.
    loaded: u64,
    /// Names this run: after a power cut, numbers may be given again.
    pub(super) id: String,
    /// Whether messages stay until the collector has confirmed them.
    pub until_stored: bool,
    /// Attempts in a row to read the next messages that failed.
    failures: u32,
    /// When the collector last confirmed something, or messages were published again.
    progress: Instant,
    pub(super) pause: Duration,
}

impl Disk {
    /// Opens a journal; nothing of it is in memory.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(folder: &Path, max_bytes: u64, until_stored: bool) -> io::Result<Self> {
        let journal = Journal::open(folder, max_bytes)?;
        let random = RandomState::new().build_hasher().finish();
        Ok(Self {
            loaded: journal.lowest(),
            journal,
            id: format!("{random:016x}"),
            until_stored,
            failures: 0,
            progress: Instant::now(),
            pause: FIRST_PAUSE,
        })
    }

    /// Writes a message. Returns its number unless that failed, and how many messages were dropped.
    pub fn append(&mut self, topic: &str, payload: &[u8]) -> (Option<u64>, u64) {
        let (before, number) = (self.journal.lowest(), self.journal.next());
        let appended = self.journal.append(topic, payload);
        let dropped = self.journal.lowest() - before;
        match appended {
            Ok(number) => (Some(number), dropped),
            Err(e) => {
                limited!(warn, "cannot write to mqtt.store_folder: {e}; check free space and permissions");
                // With messages before it that aren't in memory, it is missed when these are read.
                (None, dropped + u64::from(self.follows(number)))
            }
        }
    }

    /// Notes that a message is in memory, if all before it were brought there. Returns whether they were.
    pub const fn follows(&mut self, number: u64) -> bool {
        let is_next = self.loaded == number;
        if is_next {
            self.loaded = number + 1;
        }
        is_next
    }

    /// Reads the next messages to bring to memory, and returns how many of them are lost.
    pub fn read_next(&mut self) -> (Vec<Numbered>, u64) {
        if self.loaded >= self.journal.next() {
            return (vec![], 0);
        }
        let read = match self.journal.read(self.loaded) {
            Ok(read) => read,
            Err(e) => {
                limited!(warn, "cannot read mqtt.store_folder: {e}; check the disk");
                self.failures += 1;
                if self.failures < MAX_FAILURES {
                    return (vec![], 0);
                }
                vec![]
            }
        };
        self.failures = 0;
        // What can't be read of a file is lost, and the next file must not wait for it.
        let end_of_file = || self.journal.end_of_file_with(self.loaded);
        let end = read.last().map_or_else(end_of_file, |last| last.number + 1);
        let lost = (end - self.loaded).saturating_sub(read.len() as u64);
        self.loaded = end;
        (read, lost)
    }

    /// Adds to a JSON object which message it is, and which is the lowest that there still is.
    pub fn label(&self, number: u64, payload: &mut Vec<u8>) {
        if payload.last() == Some(&b'}') {
            payload.pop();
            let (id, since) = (&self.id, self.journal.lowest());
            payload.extend(format!(r#","store":"{id}","number":{number},"since":{since}}}"#).into_bytes());
        }
    }

    /// Notes that the collector has stored all messages up to this number. Returns whether that can be.
    pub fn stored(&mut self, store: &str, up_to: u64) -> bool {
        let can_be = self.id == store
            && self.until_stored
            && up_to < self.journal.next()
            && up_to >= self.journal.lowest();
        if can_be {
            (self.progress, self.pause) = (Instant::now(), FIRST_PAUSE);
            self.loaded = self.loaded.max(up_to + 1);
        }
        can_be
    }

    /// Notes that the collector can have nothing to confirm before now.
    pub fn begin_to_wait(&mut self) {
        self.progress = Instant::now();
    }

    /// Returns whether the collector has said nothing for so long that messages are to be published again.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.progress.elapsed() >= self.pause;
        if is_due {
            self.progress = Instant::now();
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
        is_due
    }

    /// Returns the number of the oldest message. The journal may have deleted older ones, and has counted them.
    pub fn lowest(&mut self) -> u64 {
        let lowest = self.journal.lowest();
        self.loaded = self.loaded.max(lowest);
        lowest
    }

    /// Deletes what is no longer needed: messages below this number that were brought to memory.
    pub fn release(&mut self, needed: impl Iterator<Item = u64>) {
        self.journal.release(needed.fold(self.loaded, u64::min));
    }

    /// Returns the number of messages that weren't brought to memory.
    pub const fn remaining(&self) -> u64 {
        self.journal.next() - self.loaded
    }

    /// Returns the size of all messages in bytes.
    pub fn bytes(&self) -> u64 {
        self.journal.bytes()
    }
}
