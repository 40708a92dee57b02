//! Simulated outputs that tests can inspect and make fail.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::gate::Signal;
use crate::line_file::Safe;
use crate::output::Output;
use crate::report::PartReport;

/// The number of changes that are kept.
const MAX_CHANGES: usize = 4096;

/// A change of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedChange {
    /// The signal that was driven.
    pub signal: Signal,
    /// The level that it was driven to.
    pub on: bool,
}

/// An output that only records its levels. Clones share the record, which keeps the last 4096 changes.
#[derive(Debug, Clone)]
pub struct RecordedLevels {
    safe: Safe,
    log: Arc<Mutex<LevelLog>>,
}

#[derive(Debug)]
struct LevelLog {
    changes: VecDeque<RecordedChange>,
    heartbeats: u64,
}

impl RecordedLevels {
    /// Creates outputs in their safe state.
    pub fn new(safe: Safe) -> Self {
        let log = LevelLog { changes: VecDeque::with_capacity(MAX_CHANGES), heartbeats: 0 };
        let levels = Self { safe, log: Arc::new(Mutex::new(log)) };
        levels.drive_safe();
        levels
    }

    /// Returns the last changes, oldest first.
    pub fn changes(&self) -> Vec<RecordedChange> {
        self.with(|log| log.changes.iter().copied().collect())
    }

    /// Returns the level that an output was last driven to.
    pub fn level(&self, signal: Signal) -> Option<bool> {
        self.with(|log| log.changes.iter().rev().find(|change| change.signal == signal).map(|c| c.on))
    }

    /// Returns how often the heartbeat was driven.
    pub fn heartbeats(&self) -> u64 {
        self.with(|log| log.heartbeats)
    }

    fn with<T>(&self, access: impl FnOnce(&mut LevelLog) -> T) -> T {
        // A panic elsewhere leaves the list intact.
        access(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn drive(&self, signal: Signal, on: bool) {
        self.with(|log| {
            if log.changes.len() == MAX_CHANGES {
                log.changes.pop_front();
            }
            log.changes.push_back(RecordedChange { signal, on });
        });
    }

    fn drive_safe(&self) {
        for signal in Signal::ALL {
            self.drive(signal, signal.safe_level(self.safe));
        }
    }
}

impl Output for RecordedLevels {
    fn set(&self, signal: Signal, on: bool) -> io::Result<()> {
        self.drive(signal, on);
        Ok(())
    }

    fn heartbeat(&self, _on: bool) -> io::Result<()> {
        self.with(|log| log.heartbeats += 1);
        Ok(())
    }

    fn safe_state(&self) -> io::Result<()> {
        self.drive_safe();
        Ok(())
    }
}

/// An output that passes reports to a function.
pub struct ReportSink<F>(pub F);

impl<F: Fn(&PartReport) + Send + Sync> Output for ReportSink<F> {
    fn deliver(&self, report: &PartReport) {
        (self.0)(report);
    }
}

/// Outputs that fail while `fails` is set. Clones share the flag.
#[derive(Clone)]
pub struct FailingOutput {
    pub levels: RecordedLevels,
    pub fails: Arc<AtomicBool>,
    /// The number of calls of `safe_state` that fail in any case.
    pub safe_state_failures: Arc<AtomicU64>,
}

impl FailingOutput {
    pub fn new() -> Self {
        let levels = RecordedLevels::new(Safe::Reject);
        Self { levels, fails: Arc::default(), safe_state_failures: Arc::default() }
    }

    fn attempt(&self) -> io::Result<()> {
        if self.fails.load(Ordering::Acquire) { Err(io::Error::other("the bus hangs")) } else { Ok(()) }
    }
}

impl Output for FailingOutput {
    fn set(&self, signal: Signal, on: bool) -> io::Result<()> {
        self.attempt().and_then(|()| self.levels.set(signal, on))
    }

    fn heartbeat(&self, on: bool) -> io::Result<()> {
        self.attempt().and_then(|()| self.levels.heartbeat(on))
    }

    fn safe_state(&self) -> io::Result<()> {
        let left = self.safe_state_failures.load(Ordering::Acquire);
        self.safe_state_failures.store(left.saturating_sub(1), Ordering::Release);
        if left > 0 {
            return Err(io::Error::other("the bus hangs"));
        }
        self.attempt().and_then(|()| self.levels.safe_state())
    }
}
