//! Messages that wait for the broker, bounded in size and age.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What a message takes beside topic and payload.
const OVERHEAD: usize = 64;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    stored_at: Instant,
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
    bytes: usize,
    max_bytes: usize,
    max_age: Duration,
    dropped: u64,
}

impl Store {
    /// Creates an empty store.
    #[must_use]
    pub const fn new(max_bytes: usize, max_age: Duration) -> Self {
        Self { waiting: VecDeque::new(), sent: VecDeque::new(), bytes: 0, max_bytes, max_age, dropped: 0 }
    }

    /// Adds a message, and drops the oldest if there is no room.
    pub fn push(&mut self, topic: &str, payload: Vec<u8>) {
        let message = Stored { topic: topic.to_owned(), payload, stored_at: Instant::now() };
        self.bytes += message.bytes();
        self.waiting.push_back(message);
        self.forget();
    }

    /// Returns the oldest message that was not sent.
    pub fn oldest(&mut self) -> Option<&Stored> {
        self.forget();
        self.waiting.front()
    }

    /// Notes that the message that [`Self::oldest`] returned was sent as this packet.
    pub fn sent(&mut self, packet: u16) {
        if let Some(message) = self.waiting.pop_front() {
            self.sent.push_back((packet, message));
        }
    }

    /// Forgets a message whose packet was confirmed; returns whether there was one.
    pub fn confirmed(&mut self, packet: u16) -> bool {
        let index = self.sent.iter().position(|(sent, _)| *sent == packet);
        let Some((_, message)) = index.and_then(|index| self.sent.remove(index)) else { return false };
        self.bytes -= message.bytes();
        true
    }

    /// Takes back what was sent and not confirmed: the connection is gone.
    pub fn unsend(&mut self) {
        while let Some((_, message)) = self.sent.pop_back() {
            self.waiting.push_front(message);
        }
    }

    /// Returns the number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
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
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of messages that were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn forget(&mut self) {
        while let Some(oldest) = self.waiting.front()
            && (self.bytes > self.max_bytes || oldest.stored_at.elapsed() > self.max_age)
        {
            self.bytes -= oldest.bytes();
            self.dropped += 1;
            self.waiting.pop_front();
        }
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
}
