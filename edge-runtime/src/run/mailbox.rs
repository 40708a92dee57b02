//! Messages to the thread that serves the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
}

/// Where any thread leaves messages without ever waiting. Holds and the end are no messages but states: they can't be
/// lost.
#[derive(Debug, Clone)]
pub struct Mailbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    messages: ArrayQueue<Message>,
    lost: AtomicU64,
    not_ready: AtomicBool,
    blind: AtomicBool,
    output_failed: AtomicBool,
    stopped: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    /// An empty mailbox of a line that is not ready; `waker` wakes its owner.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        Self(Arc::new(Inner {
            messages: ArrayQueue::new(CAPACITY),
            lost: AtomicU64::new(0),
            not_ready: AtomicBool::new(true),
            blind: AtomicBool::new(false),
            output_failed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            waker,
        }))
    }

    /// Leaves a message. A full mailbox loses it, which is counted: a part then goes without a verdict to the safe side.
    pub fn send(&self, message: Message) {
        if self.0.messages.push(message).is_err() {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.0.waker.wake();
    }

    /// Takes the oldest message.
    #[must_use]
    pub fn take(&self) -> Option<Message> {
        self.0.messages.pop()
    }

    /// Messages that were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Holds the line in its safe state, or not.
    pub fn hold(&self, hold: Hold, on: bool) {
        self.flag(hold).store(on, Ordering::Release);
        self.0.waker.wake();
    }

    /// Whether the line is to be held for that reason.
    #[must_use]
    pub fn is_held(&self, hold: Hold) -> bool {
        self.flag(hold).load(Ordering::Acquire)
    }

    /// The end: the safe state is to be driven and the gate left.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Whether the end has come.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    fn flag(&self, hold: Hold) -> &AtomicBool {
        match hold {
            Hold::NotReady => &self.0.not_ready,
            Hold::Blind => &self.0.blind,
            Hold::Output => &self.0.output_failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Happening;
    use crate::moment::Moment;
    use crate::realtime::Waiter;

    #[test]
    fn a_full_mailbox_loses_messages_and_counts_them_but_neither_holds_nor_the_end() {
        let mailbox = Mailbox::new(Waiter::new().unwrap().waker());
        for _ in 0..CAPACITY + 5 {
            mailbox.send(Message::Event(Event { at: Moment(1), what: Happening::Fell }));
        }
        assert_eq!(mailbox.lost(), 5);
        assert!(mailbox.is_held(Hold::NotReady) && !mailbox.is_held(Hold::Blind) && !mailbox.is_stopped());
        mailbox.hold(Hold::Blind, true);
        mailbox.hold(Hold::NotReady, false);
        mailbox.stop();
        assert!(!mailbox.is_held(Hold::NotReady) && mailbox.is_held(Hold::Blind) && mailbox.is_stopped());
        assert_eq!(std::iter::from_fn(|| mailbox.take()).count(), CAPACITY);
    }
}
