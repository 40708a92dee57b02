//! Messages to the thread that serves the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::gate::Hold;
use crate::input::Event;
use crate::part::PartVerdict;
use crate::realtime::Waker;

/// Messages that wait at most: the gate looks at all of them whenever it wakes.
const CAPACITY: usize = 4096;

/// What the gate is told.
#[derive(Debug, Clone, Copy)]
pub enum Message {
    /// Something happened on the line.
    Event(Event),
    /// The inspector has a part's verdict.
    Verdict(PartVerdict),
    /// A hold begins or ends.
    Hold(Hold, bool),
    /// The end: drive the safe state and leave.
    Stop,
}

/// Where any thread leaves messages without ever waiting.
#[derive(Debug, Clone)]
pub struct Mailbox {
    messages: Arc<ArrayQueue<Message>>,
    lost: Arc<AtomicU64>,
    waker: Waker,
}

impl Mailbox {
    /// An empty mailbox; `waker` wakes its owner.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        let messages = Arc::new(ArrayQueue::new(CAPACITY));
        Self { messages, lost: Arc::default(), waker }
    }

    /// Leaves a message. A full mailbox loses it, which is counted: a part then goes without a verdict to the safe side.
    pub fn send(&self, message: Message) {
        if self.messages.push(message).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.waker.wake();
    }

    /// Takes the oldest message.
    #[must_use]
    pub fn take(&self) -> Option<Message> {
        self.messages.pop()
    }

    /// Messages that were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
