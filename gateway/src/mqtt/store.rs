//! Messages that wait for the broker, bounded in size: in memory, or on the disk with the next ones in memory.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::Disk;

/// What a message takes beside topic and payload.
const OVERHEAD: usize = 64;
/// What is kept in memory of messages that are on the disk, in bytes.
const WINDOW: usize = 256 << 10;
/// The largest number of messages that the broker has confirmed and the collector hasn't: brokers keep a thousand for a client that
/// is away, unless they are told otherwise.
const MAX_PUBLISHED: usize = 500;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    stored_at: Instant,
    /// Its number on the disk; 0 if it is in memory alone.
    number: u64,
}

impl Stored {
    fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + OVERHEAD
    }
}

/// Messages that wait, the oldest first. Those that were sent stay until they are confirmed.
#[derive(Debug)]
pub struct Store {
    waiting: VecDeque<Stored>,
    /// Sent, not yet confirmed, by packet number.
    sent: VecDeque<(u16, Stored)>,
    /// Confirmed by the broker, and not yet by the collector.
    published: VecDeque<Stored>,
    /// Of the messages in memory.
    bytes: usize,
    max_bytes: usize,
    max_age: Duration,
    dropped: u64,
    disk: Option<Disk>,
}

impl Store {
    /// Creates an empty store in memory.
    #[must_use]
    pub const fn new(max_bytes: usize, max_age: Duration) -> Self {
        Self {
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            published: VecDeque::new(),
            bytes: 0,
            max_bytes,
            max_age,
            dropped: 0,
            disk: None,
        }
    }

    /// Opens a store on the disk. Its messages don't age, because a board's clock may jump.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(folder: &Path, max_bytes: u64, until_stored: bool) -> io::Result<Self> {
        let disk = Disk::open(folder, max_bytes, until_stored)?;
        Ok(Self { disk: Some(disk), ..Self::new(usize::MAX, Duration::MAX) })
    }

    /// Adds a message, and drops the oldest if there is no room.
    pub fn push(&mut self, topic: &str, payload: Vec<u8>) {
        let mut number = 0;
        if let Some(disk) = &mut self.disk {
            let (appended, dropped) = disk.append(topic, &payload);
            self.dropped += dropped;
            let Some(appended) = appended else { return };
            if self.bytes >= WINDOW || !disk.follows(appended) {
                return self.forget();
            }
            number = appended;
        }
        self.add(Stored { topic: topic.to_owned(), payload, stored_at: Instant::now(), number });
        self.forget();
    }

    /// Returns the oldest message that was not sent.
    pub fn oldest(&mut self) -> Option<&Stored> {
        self.forget();
        if self.waiting.is_empty() {
            self.load();
        }
        self.waiting.front()
    }

    /// Returns topic and payload of the oldest message that was not sent. If it is on the disk, the payload also says which one it is,
    /// and which is the lowest that there still is: so whoever stores them knows whether some are missing.
    pub fn to_send(&mut self) -> Option<(String, Vec<u8>)> {
        let Stored { topic, mut payload, number, .. } = self.oldest()?.clone();
        if let Some(disk) = &self.disk {
            disk.label(number, &mut payload);
        }
        Some((topic, payload))
    }

    /// Whether another message may be sent, with this many that the broker hasn't confirmed.
    #[must_use]
    pub fn may_send(&self, max_in_flight: usize) -> bool {
        self.sent.len() < max_in_flight && self.published.len() < MAX_PUBLISHED
    }

    /// Notes that the message that [`Self::oldest`] returned was sent as this packet.
    pub fn sent(&mut self, packet: u16) {
        if let Some(message) = self.waiting.pop_front() {
            self.sent.push_back((packet, message));
        }
    }

    /// Notes that the broker has confirmed a packet; returns whether it was a message of the store.
    pub fn confirmed(&mut self, packet: u16) -> bool {
        let index = self.sent.iter().position(|(sent, _)| *sent == packet);
        let Some((_, message)) = index.and_then(|index| self.sent.remove(index)) else { return false };
        match &mut self.disk {
            Some(disk) if disk.until_stored => {
                if self.published.is_empty() {
                    disk.begin_to_wait();
                }
                self.published.push_back(message);
            }
            _ => self.bytes -= message.bytes(),
        }
        self.release();
        true
    }

    /// Forgets what the collector has stored: all messages up to this number, if it is this run's store.
    pub fn stored(&mut self, store: &str, up_to: u64) {
        if !self.disk.as_mut().is_some_and(|disk| disk.stored(store, up_to)) {
            return;
        }
        let mut bytes = 0;
        let mut keep = |message: &Stored| {
            let is_kept = message.number > up_to;
            bytes += if is_kept { 0 } else { message.bytes() };
            is_kept
        };
        self.published.retain(&mut keep);
        self.waiting.retain(&mut keep);
        self.sent.retain(|(_, message)| keep(message));
        self.bytes -= bytes;
        self.release();
    }

    /// Takes back what was published and isn't stored by now, after a pause without any news from the collector.
    pub fn publish_again(&mut self) {
        if !self.published.is_empty() && self.disk.as_mut().is_some_and(Disk::is_due) {
            self.take_back_published();
        }
    }

    /// Takes back what was sent and not confirmed: the connection is gone.
    pub fn unsend(&mut self) {
        while let Some((_, message)) = self.sent.pop_back() {
            self.waiting.push_front(message);
        }
        // The broker may be gone with it.
        self.take_back_published();
    }

    /// Returns the number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        let on_disk = self.disk.as_ref().map_or(0, Disk::remaining);
        self.waiting.len()
            + self.sent.len()
            + self.published.len()
            + usize::try_from(on_disk).unwrap_or(usize::MAX)
    }

    /// Whether there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of messages that were sent and not confirmed.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// Returns their size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.disk {
            Some(disk) => usize::try_from(disk.bytes()).unwrap_or(usize::MAX),
            None => self.bytes,
        }
    }

    /// Returns the number of messages that were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn add(&mut self, message: Stored) {
        self.bytes += message.bytes();
        self.waiting.push_back(message);
    }

    /// Brings the next messages from the disk to memory.
    fn load(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let (mut read, mut lost) = disk.read_next();
        self.dropped += lost;
        // A damaged file has nothing, and the one behind it has.
        while read.is_empty() && lost > 0 {
            (read, lost) = disk.read_next();
            self.dropped += lost;
        }
        let stored_at = Instant::now();
        for message in read {
            let (number, topic, payload) = (message.number, message.topic, message.payload);
            self.add(Stored { topic, payload, stored_at, number });
        }
    }

    fn take_back_published(&mut self) {
        if self.published.is_empty() {
            return;
        }
        // They were confirmed in any order.
        self.waiting.extend(self.published.drain(..));
        self.waiting.make_contiguous().sort_by_key(|message| message.number);
    }

    fn forget(&mut self) {
        if let Some(disk) = &mut self.disk {
            let lowest = disk.lowest();
            while let Some(oldest) = self.waiting.front()
                && oldest.number < lowest
            {
                self.bytes -= oldest.bytes();
                self.waiting.pop_front();
            }
            return;
        }
        while let Some(oldest) = self.waiting.front()
            && (self.bytes > self.max_bytes || oldest.stored_at.elapsed() > self.max_age)
        {
            self.bytes -= oldest.bytes();
            self.dropped += 1;
            self.waiting.pop_front();
        }
    }

    /// Tells the disk which messages are still needed.
    fn release(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let in_memory = self.waiting.front().into_iter().chain(self.sent.iter().map(|(_, message)| message));
        disk.release(in_memory.chain(&self.published).map(|message| message.number));
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
