//! Messages that wait for the broker, bounded in size: in memory, or on the disk with the next ones in memory.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::journal::Journal;
use crate::log::limited;

/// What a message takes beside topic and payload.
const OVERHEAD: usize = 64;
/// What is kept in memory of messages that are on the disk, in bytes.
const WINDOW: usize = 256 << 10;
/// The largest number of messages that the broker has confirmed and the collector hasn't: brokers keep a thousand for a client that
/// is away, unless they are told otherwise.
const MAX_PUBLISHED: usize = 500;
/// Pauses after which messages that the collector hasn't confirmed are published again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
const MAX_PAUSE: Duration = Duration::from_secs(600);

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

/// The messages on the disk, of which the next ones are in memory.
#[derive(Debug)]
struct Disk {
    journal: Journal,
    /// The number of the first message that isn't in memory.
    loaded: u64,
    /// Names this run: after a power cut, numbers may be given again.
    id: String,
    /// Whether messages stay until the collector has confirmed them.
    until_stored: bool,
    /// When the collector last confirmed something, or messages were published again.
    progress: Instant,
    pause: Duration,
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
        let journal = Journal::open(folder, max_bytes)?;
        let random = RandomState::new().build_hasher().finish();
        let disk = Disk {
            loaded: journal.lowest(),
            journal,
            id: format!("{random:016x}"),
            until_stored,
            progress: Instant::now(),
            pause: FIRST_PAUSE,
        };
        Ok(Self { disk: Some(disk), ..Self::new(usize::MAX, Duration::MAX) })
    }

    /// Adds a message, and drops the oldest if there is no room.
    pub fn push(&mut self, topic: &str, payload: Vec<u8>) {
        let number = match &mut self.disk {
            None => 0,
            Some(disk) => {
                let before = disk.journal.lowest();
                let appended = disk.journal.append(topic, &payload);
                self.dropped += disk.journal.lowest() - before;
                match appended {
                    Ok(number) => number,
                    Err(e) => {
                        self.dropped += 1;
                        limited!(
                            warn,
                            "cannot write to mqtt.store_folder: {e}; check free space and permissions"
                        );
                        return;
                    }
                }
            }
        };
        if let Some(disk) = &mut self.disk {
            if disk.loaded != number || self.bytes >= WINDOW {
                return self.forget();
            }
            disk.loaded = number + 1;
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
        if let Some(disk) = &self.disk
            && payload.last() == Some(&b'}')
        {
            payload.pop();
            let (id, since) = (&disk.id, disk.journal.lowest());
            payload.extend(format!(r#","store":"{id}","number":{number},"since":{since}}}"#).into_bytes());
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
                    disk.progress = Instant::now();
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
        let Some(disk) = self.disk.as_mut().filter(|disk| disk.id == store && disk.until_stored) else {
            return;
        };
        if up_to >= disk.journal.next() || up_to < disk.journal.lowest() {
            return;
        }
        (disk.progress, disk.pause) = (Instant::now(), FIRST_PAUSE);
        disk.loaded = disk.loaded.max(up_to + 1);
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
        let Some(disk) = &mut self.disk else { return };
        if !self.published.is_empty() && disk.progress.elapsed() >= disk.pause {
            disk.progress = Instant::now();
            disk.pause = (disk.pause * 2).min(MAX_PAUSE);
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
        let on_disk = self.disk.as_ref().map_or(0, |disk| disk.journal.next() - disk.loaded);
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
            Some(disk) => usize::try_from(disk.journal.bytes()).unwrap_or(usize::MAX),
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
        if disk.loaded >= disk.journal.next() {
            return;
        }
        let read = disk.journal.read(disk.loaded).unwrap_or_else(|e| {
            limited!(warn, "cannot read mqtt.store_folder: {e}; check the disk");
            vec![]
        });
        // What can't be read is lost, and the rest must not wait for it.
        let end = read.last().map_or(disk.journal.next(), |last| last.number + 1);
        self.dropped += (end - disk.loaded).saturating_sub(read.len() as u64);
        disk.loaded = end;
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
            // The journal may have deleted the oldest, and has counted them.
            let lowest = disk.journal.lowest();
            disk.loaded = disk.loaded.max(lowest);
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
        let needed = in_memory.chain(&self.published).map(|message| message.number);
        disk.journal.release(needed.fold(disk.loaded, u64::min));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn number(of: Option<&Stored>) -> Option<u8> {
        of.and_then(|message| message.payload.first().copied())
    }

    fn store(messages: u8, max_bytes: usize) -> Store {
        let mut store = Store::new(max_bytes, HOUR);
        (0..messages).for_each(|number| store.push("t", vec![number]));
        store
    }

    #[test]
    fn the_oldest_go_first_and_are_dropped_first() {
        let mut store = store(10, 5 * (2 + OVERHEAD));
        assert_eq!((store.len(), store.dropped(), store.bytes()), (5, 5, 5 * (2 + OVERHEAD)));
        assert_eq!(number(store.oldest()), Some(5));
        store.push("t", vec![0; 1 << 20]);
        assert_eq!((store.len(), store.dropped(), store.bytes()), (0, 11, 0), "larger than the store");
    }

    #[test]
    fn what_was_not_confirmed_is_sent_again_in_order() {
        let mut store = store(4, 1 << 20);
        for packet in [7, 8, 9] {
            assert!(store.oldest().is_some());
            store.sent(packet);
        }
        assert!(store.confirmed(8) && !store.confirmed(8) && !store.confirmed(1));
        assert_eq!((store.len(), store.in_flight()), (3, 2));
        store.unsend();
        for expected in [0, 2, 3] {
            assert_eq!(number(store.oldest()), Some(expected));
            store.sent(expected.into());
            assert!(store.confirmed(expected.into()));
        }
        assert!(store.oldest().is_none() && store.is_empty() && store.bytes() == 0);
    }

    #[test]
    fn messages_that_are_too_old_are_dropped() {
        let mut store = Store::new(1 << 20, Duration::from_millis(30));
        store.push("t", vec![1]);
        store.sent(1);
        store.push("t", vec![2]);
        std::thread::sleep(Duration::from_millis(50));
        store.push("t", vec![3]);
        assert_eq!((number(store.oldest()), store.dropped()), (Some(3), 1));
        assert!(store.confirmed(1), "what is on its way is not too old");
    }

    fn on_disk(folder: &Path, until_stored: bool) -> Store {
        Store::open(folder, 1 << 20, until_stored).unwrap()
    }

    /// Sends everything that may be sent, and returns the numbers in the payloads.
    fn send(store: &mut Store, packet: &mut u16) -> Vec<u64> {
        let mut numbers = vec![];
        while store.may_send(usize::MAX)
            && let Some((_, payload)) = store.to_send()
        {
            let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!(payload["part"], payload["number"], "{payload}");
            numbers.push(payload["number"].as_u64().unwrap());
            *packet += 1;
            store.sent(*packet);
            assert!(store.confirmed(*packet));
        }
        numbers
    }

    fn push(store: &mut Store, numbers: std::ops::RangeInclusive<u64>) {
        numbers.for_each(|number| store.push("a/parts", format!("{{\"part\":{number}}}").into_bytes()));
    }

    #[test]
    fn more_than_the_memory_holds_waits_on_the_disk_and_comes_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = on_disk(folder.path(), false);
        push(&mut store, 1..=10_000);
        assert!(store.len() == 10_000 && store.bytes < WINDOW + 1000 && store.waiting.len() < 4000);
        let mut packet = 0;
        assert_eq!(send(&mut store, &mut packet), (1..=10_000).collect::<Vec<_>>());
        assert!(store.is_empty() && store.bytes == 0 && store.dropped() == 0);
        push(&mut store, 10_001..=10_003);
        drop(store);
        let mut store = on_disk(folder.path(), false);
        push(&mut store, 10_004..=10_004);
        assert_eq!(send(&mut store, &mut packet), [10_001, 10_002, 10_003, 10_004]);
    }

    #[test]
    fn messages_stay_until_the_collector_has_stored_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = on_disk(folder.path(), true);
        push(&mut store, 1..=2000);
        let mut packet = 0;
        // Only so many: the collector may be away.
        assert_eq!(send(&mut store, &mut packet), (1..=MAX_PUBLISHED as u64).collect::<Vec<_>>());
        let id = store.disk.as_ref().unwrap().id.clone();
        store.stored("another run", 100);
        store.stored(&id, 5000);
        assert_eq!(store.len(), 2000);
        store.stored(&id, 100);
        assert_eq!((store.len(), send(&mut store, &mut packet).len()), (1900, 100));
        // The broker is gone, and with it perhaps what it had confirmed.
        store.unsend();
        assert_eq!(send(&mut store, &mut packet), (101..=600).collect::<Vec<_>>());
        store.publish_again();
        assert!(send(&mut store, &mut packet).is_empty(), "not before the pause");
        store.disk.as_mut().unwrap().pause = Duration::ZERO;
        store.publish_again();
        assert_eq!(send(&mut store, &mut packet), (101..=600).collect::<Vec<_>>());
        drop(store);
        let mut store = on_disk(folder.path(), true);
        assert_eq!(send(&mut store, &mut packet).first(), Some(&101));
        let id = store.disk.as_ref().unwrap().id.clone();
        store.stored(&id, 2000);
        assert!(store.is_empty() && store.bytes == 0);
    }

    #[test]
    fn a_full_disk_store_drops_the_oldest_and_says_which_is_the_lowest() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 32 << 10, false).unwrap();
        push(&mut store, 1..=5000);
        assert_eq!(store.dropped() + store.len() as u64, 5000);
        assert!(store.bytes() <= 32 << 10 && store.dropped() > 1000);
        let (_, payload) = store.to_send().unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["since"], store.dropped() + 1);
        assert_eq!(send(&mut store, &mut 0).len() as u64, 5000 - store.dropped());
    }
}
