//! Messages to the gate thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::gate::Hold;
use crate::input::{Event, EventKind};
use crate::part::PartVerdict;
use crate::realtime::Waker;

/// The largest number of waiting messages; the gate takes all of them whenever it wakes.
pub const CAPACITY: usize = 4096;

/// A message to the gate thread.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Message {
    /// Something happened on the line.
    Event(Event),
    /// The inspector has a part's verdict.
    Verdict(PartVerdict),
}

/// The reason why parts may pass unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blind {
    /// The camera that detects parts delivers no frames.
    Camera,
    /// The serial port that reports triggers or the belt's movement is unavailable.
    Serial,
    /// The gateway that reports triggers or the belt's movement is not connected.
    Gateway,
}

/// Numbers of messages that a full mailbox has lost, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LostMessages {
    /// Parts that were triggered.
    pub triggers: u64,
    /// Movements of the belt.
    pub movements: u64,
    /// Verdicts, without which parts go to the safe side, and all other messages.
    pub others: u64,
}

impl LostMessages {
    /// Returns the total.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.triggers + self.movements + self.others
    }
}

/// A mailbox to which any thread sends without ever waiting. Holds and the stop request are states, not messages, so
/// they can't be lost.
#[derive(Debug, Clone)]
pub struct Mailbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Each message with what had been lost before it.
    messages: ArrayQueue<(LostMessages, Message)>,
    lost_triggers: AtomicU64,
    lost_movements: AtomicU64,
    lost_others: AtomicU64,
    not_ready: AtomicBool,
    /// One bit per [`Blind`] reason.
    blind: AtomicU8,
    output_failed: AtomicBool,
    stopped: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    /// Creates an empty mailbox for a line that is not ready; `waker` wakes its owner.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        Self(Arc::new(Inner {
            messages: ArrayQueue::new(CAPACITY),
            lost_triggers: AtomicU64::new(0),
            lost_movements: AtomicU64::new(0),
            lost_others: AtomicU64::new(0),
            not_ready: AtomicBool::new(true),
            blind: AtomicU8::new(0),
            output_failed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            waker,
        }))
    }

    /// Sends a message. A full mailbox loses and counts it; the part then goes to the safe side without a verdict.
    pub fn send(&self, message: Message) {
        if let Err((_, message)) = self.0.messages.push((self.lost(), message)) {
            let (counter, count) = match message {
                Message::Event(Event { kind: EventKind::Trigger, .. }) => (&self.0.lost_triggers, 1),
                Message::Event(Event { kind: EventKind::TriggersLost { parts }, .. }) => {
                    (&self.0.lost_triggers, u64::from(parts))
                }
                Message::Event(Event {
                    kind: EventKind::Encoder { .. } | EventKind::EncoderJump, ..
                }) => (&self.0.lost_movements, 1),
                Message::Event(_) | Message::Verdict(_) => (&self.0.lost_others, 1),
            };
            counter.fetch_add(count, Ordering::Release);
        }
        self.0.waker.wake();
    }

    /// Takes the oldest message, with what had been lost before it was sent.
    #[must_use]
    pub fn take(&self) -> Option<(LostMessages, Message)> {
        self.0.messages.pop()
    }

    /// Returns the numbers of lost messages.
    #[must_use]
    pub fn lost(&self) -> LostMessages {
        let count = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        LostMessages {
            triggers: count(&self.0.lost_triggers),
            movements: count(&self.0.lost_movements),
            others: count(&self.0.lost_others),
        }
    }

    /// Holds the line in its safe state, or lifts that hold. [`Hold::Blind`] stands for [`Blind::Camera`].
    pub fn hold(&self, hold: Hold, on: bool) {
        match hold {
            Hold::NotReady => self.0.not_ready.store(on, Ordering::Release),
            Hold::Blind => return self.blind(Blind::Camera, on),
            Hold::Output => self.0.output_failed.store(on, Ordering::Release),
        }
        self.0.waker.wake();
    }

    /// Whether the line is to be held for this reason.
    #[must_use]
    pub fn is_held(&self, hold: Hold) -> bool {
        match hold {
            Hold::NotReady => self.0.not_ready.load(Ordering::Acquire),
            Hold::Blind => self.0.blind.load(Ordering::Acquire) != 0,
            Hold::Output => self.0.output_failed.load(Ordering::Acquire),
        }
    }

    /// Marks the line as blind for this reason, or clears the mark.
    pub fn blind(&self, reason: Blind, on: bool) {
        if on {
            self.0.blind.fetch_or(bit(reason), Ordering::AcqRel);
        } else {
            self.0.blind.fetch_and(!bit(reason), Ordering::AcqRel);
        }
        self.0.waker.wake();
    }

    /// Whether the line is blind for this reason.
    #[must_use]
    pub fn is_blind(&self, reason: Blind) -> bool {
        self.0.blind.load(Ordering::Acquire) & bit(reason) != 0
    }

    /// Asks the gate thread to drive the safe state and stop.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Whether the gate thread is asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }
}

const fn bit(reason: Blind) -> u8 {
    match reason {
        Blind::Camera => 1,
        Blind::Serial => 2,
        Blind::Gateway => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::realtime::Waiter;

    #[test]
    fn a_full_mailbox_loses_messages_and_counts_them_but_neither_holds_nor_the_end() {
        let mailbox = Mailbox::new(Waiter::new().unwrap().waker());
        for _ in 0..CAPACITY + 5 {
            mailbox.send(Message::Event(Event { at: Moment(1), kind: EventKind::Fell }));
        }
        assert_eq!(mailbox.lost(), LostMessages { others: 5, ..LostMessages::default() });
        assert!(mailbox.is_held(Hold::NotReady) && !mailbox.is_held(Hold::Blind) && !mailbox.is_stopped());
        mailbox.hold(Hold::Blind, true);
        mailbox.hold(Hold::NotReady, false);
        mailbox.stop();
        assert!(!mailbox.is_held(Hold::NotReady) && mailbox.is_held(Hold::Blind) && mailbox.is_stopped());
        assert_eq!(std::iter::from_fn(|| mailbox.take()).count(), CAPACITY);
    }

    #[test]
    fn triggers_and_movements_that_are_lost_are_counted_apart_and_known_to_the_next_message() {
        let mailbox = Mailbox::new(Waiter::new().unwrap().waker());
        let send = |kind| mailbox.send(Message::Event(Event { at: Moment(1), kind }));
        (0..CAPACITY).for_each(|_| send(EventKind::Fell));
        for kind in [
            EventKind::Trigger,
            EventKind::TriggersLost { parts: 3 },
            EventKind::Encoder { ticks: 9 },
            EventKind::EncoderJump,
            EventKind::Acknowledge,
        ] {
            send(kind);
        }
        let lost = LostMessages { triggers: 4, movements: 2, others: 1 };
        assert_eq!((mailbox.lost(), mailbox.lost().all()), (lost, 7));
        assert_eq!(mailbox.take().unwrap().0, LostMessages::default());
        send(EventKind::Trigger);
        let last = std::iter::from_fn(|| mailbox.take()).last().unwrap();
        assert_eq!(last.0, lost);
    }

    #[test]
    fn the_line_is_blind_as_long_as_one_reason_holds() {
        let mailbox = Mailbox::new(Waiter::new().unwrap().waker());
        mailbox.blind(Blind::Serial, true);
        mailbox.hold(Hold::Blind, true);
        mailbox.blind(Blind::Camera, false);
        assert!(mailbox.is_held(Hold::Blind) && !mailbox.is_blind(Blind::Camera));
        mailbox.blind(Blind::Serial, false);
        assert!(!mailbox.is_held(Hold::Blind));
    }
}
