//! The outputs as the gate drives them, and their safe state.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::gate::Signal;
use crate::line_file::Safe;

/// The outputs of a line. They begin in the safe state; real ones go back there when they are dropped.
pub trait Levels: Send {
    /// Drives an output; one that the line does not have is left out.
    ///
    /// # Errors
    /// What the system says: the output may have any level.
    fn set(&mut self, signal: Signal, on: bool) -> io::Result<()>;

    /// Drives the heartbeat, which changes level while the gate is served.
    ///
    /// # Errors
    /// What the system says: the output may have any level.
    fn heartbeat(&mut self, on: bool) -> io::Result<()>;

    /// Drives every output as [`safe_level`] says, all at once.
    ///
    /// # Errors
    /// What the system says: the outputs may have any level.
    fn safe_state(&mut self) -> io::Result<()>;
}

/// The level of an output while nobody can be trusted: parts go to the safe side, and the fault output says so.
#[must_use]
pub const fn safe_level(signal: Signal, safe: Safe) -> bool {
    match (signal, safe) {
        (Signal::Reject, Safe::Reject) | (Signal::Pass, Safe::Pass) | (Signal::Fault, _) => true,
        (Signal::Reject, Safe::Pass) | (Signal::Pass, Safe::Reject) | (Signal::Strobe, _) => false,
    }
}

/// Changes that are remembered.
const MAX_CHANGES: usize = 4096;

/// An output that was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Moment,
    /// Which.
    pub signal: Signal,
    /// To which level.
    pub on: bool,
}

/// Outputs that exist only here, for dry runs and tests. Clones see the same outputs; the last 4096 changes are kept.
#[derive(Debug, Clone)]
pub struct RecordedLevels {
    safe: Safe,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    changes: VecDeque<Change>,
    heartbeats: u64,
}

impl RecordedLevels {
    /// Outputs in their safe state.
    #[must_use]
    pub fn new(safe: Safe) -> Self {
        let seen = Seen { changes: VecDeque::with_capacity(MAX_CHANGES), heartbeats: 0 };
        let mut levels = Self { safe, seen: Arc::new(Mutex::new(seen)) };
        levels.drive_safe();
        levels
    }

    /// The last changes, oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.with(|seen| seen.changes.iter().copied().collect())
    }

    /// The level that an output was last driven to.
    #[must_use]
    pub fn level(&self, signal: Signal) -> Option<bool> {
        self.with(|seen| seen.changes.iter().rev().find(|change| change.signal == signal).map(|c| c.on))
    }

    /// How often the heartbeat was driven.
    #[must_use]
    pub fn heartbeats(&self) -> u64 {
        self.with(|seen| seen.heartbeats)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        // A panic elsewhere leaves the list as good as it was.
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn drive(&self, signal: Signal, on: bool) {
        self.with(|seen| {
            if seen.changes.len() == MAX_CHANGES {
                seen.changes.pop_front();
            }
            seen.changes.push_back(Change { at: Moment::now(), signal, on });
        });
    }

    fn drive_safe(&mut self) {
        for signal in Signal::ALL {
            self.drive(signal, safe_level(signal, self.safe));
        }
    }
}

impl Levels for RecordedLevels {
    fn set(&mut self, signal: Signal, on: bool) -> io::Result<()> {
        self.drive(signal, on);
        Ok(())
    }

    fn heartbeat(&mut self, _on: bool) -> io::Result<()> {
        self.with(|seen| seen.heartbeats += 1);
        Ok(())
    }

    fn safe_state(&mut self) -> io::Result<()> {
        self.drive_safe();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safe_state_is_on_one_side_and_says_fault() {
        let on =
            |safe| Signal::ALL.into_iter().filter(|signal| safe_level(*signal, safe)).collect::<Vec<_>>();
        assert_eq!(on(Safe::Reject), [Signal::Reject, Signal::Fault]);
        assert_eq!(on(Safe::Pass), [Signal::Pass, Signal::Fault]);
    }

    #[test]
    fn recorded_outputs_begin_safe_and_go_back_there() {
        let mut driven = RecordedLevels::new(Safe::Reject);
        let seen = driven.clone();
        assert_eq!(seen.level(Signal::Reject), Some(true));
        driven.set(Signal::Reject, false).unwrap();
        driven.set(Signal::Fault, false).unwrap();
        driven.heartbeat(true).unwrap();
        assert_eq!((seen.level(Signal::Reject), seen.heartbeats()), (Some(false), 1));
        driven.safe_state().unwrap();
        assert_eq!((seen.level(Signal::Reject), seen.level(Signal::Fault)), (Some(true), Some(true)));
    }

    #[test]
    fn recorded_outputs_take_bounded_memory() {
        let mut levels = RecordedLevels::new(Safe::Pass);
        for turn in 0..2 * MAX_CHANGES {
            levels.set(Signal::Strobe, turn % 2 == 0).unwrap();
        }
        assert_eq!(levels.changes().len(), MAX_CHANGES);
        assert!(levels.changes().iter().all(|change| change.signal == Signal::Strobe));
    }
}
