//! The outputs as the gate wants them, whatever the system says at first: what could not be driven is driven again.

use std::io;
use std::time::Duration;

use super::Levels;
use crate::gate::Signal;
use crate::log::limited;

/// At the end the safe state is tried so often, with this pause between: a bus that hangs for a moment is not the end.
const SAFE_TRIES: u32 = 20;
const SAFE_PAUSE: Duration = Duration::from_millis(10);

/// The outputs, and the level that each was last to have.
pub struct Outputs {
    levels: Box<dyn Levels>,
    wanted: [Option<bool>; Signal::ALL.len()],
    beat: Option<bool>,
    failing: bool,
}

impl Outputs {
    /// Outputs in their safe state.
    #[must_use]
    pub fn new(levels: Box<dyn Levels>) -> Self {
        Self { levels, wanted: [None; Signal::ALL.len()], beat: None, failing: false }
    }

    /// Drives an output.
    ///
    /// # Errors
    /// What the system says: the output may have any level until [`Self::retry`] succeeds.
    pub fn set(&mut self, signal: Signal, on: bool) -> io::Result<()> {
        for (of, wanted) in Signal::ALL.into_iter().zip(&mut self.wanted) {
            if of == signal {
                *wanted = Some(on);
            }
        }
        let driven = self.levels.set(signal, on);
        self.note(driven)
    }

    /// Drives the heartbeat.
    ///
    /// # Errors
    /// As with [`Self::set`].
    pub fn heartbeat(&mut self, on: bool) -> io::Result<()> {
        self.beat = Some(on);
        let driven = self.levels.heartbeat(on);
        self.note(driven)
    }

    /// Whether an output could not be driven, and not all of them have been driven since.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failing
    }

    /// Drives all outputs as they were last to be, if one of them could not be driven. Call it at a limited rate.
    ///
    /// # Errors
    /// What the system says of the first that can't be driven; the others are driven nevertheless.
    pub fn retry(&mut self) -> io::Result<()> {
        if !self.failing {
            return Ok(());
        }
        let mut result = Ok(());
        for (signal, wanted) in Signal::ALL.into_iter().zip(self.wanted) {
            if let Some(on) = wanted {
                result = result.and(self.levels.set(signal, on));
            }
        }
        if let Some(on) = self.beat {
            result = result.and(self.levels.heartbeat(on));
        }
        if result.is_ok() {
            self.failing = false;
            limited!(info, "all outputs could be driven again");
        }
        self.note(result)
    }

    /// Drives the safe state. It is tried for a fifth of a second, and it waits that long: only for the end.
    ///
    /// # Errors
    /// What the system says at last: the outputs may have any level.
    pub fn safe_state(&mut self) -> io::Result<()> {
        let mut result = self.levels.safe_state();
        for _ in 1..SAFE_TRIES {
            if result.is_ok() {
                break;
            }
            std::thread::sleep(SAFE_PAUSE);
            result = self.levels.safe_state();
        }
        self.note(result)
    }

    fn note(&mut self, driven: io::Result<()>) -> io::Result<()> {
        if let Err(e) = &driven {
            self.failing = true;
            limited!(
                error,
                "an output can't be driven: {e}; the line is held, check gpio.chip and its supply"
            );
        }
        driven
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;
    use crate::line_file::Safe;
    use crate::output::RecordedLevels;

    /// Outputs that can't be driven while a switch is on. Clones share it.
    #[derive(Clone)]
    pub(crate) struct Failing {
        pub(crate) levels: RecordedLevels,
        pub(crate) fails: Arc<AtomicBool>,
        /// Safe states that fail in any case.
        pub(crate) unsafe_for: Arc<AtomicU64>,
    }

    impl Failing {
        pub(crate) fn new() -> Self {
            let levels = RecordedLevels::new(Safe::Reject);
            Self { levels, fails: Arc::default(), unsafe_for: Arc::default() }
        }

        fn tried(&self) -> io::Result<()> {
            if self.fails.load(Ordering::Acquire) { Err(io::Error::other("the bus hangs")) } else { Ok(()) }
        }
    }

    impl Levels for Failing {
        fn set(&mut self, signal: Signal, on: bool) -> io::Result<()> {
            self.tried().and_then(|()| self.levels.set(signal, on))
        }

        fn heartbeat(&mut self, on: bool) -> io::Result<()> {
            self.tried().and_then(|()| self.levels.heartbeat(on))
        }

        fn safe_state(&mut self) -> io::Result<()> {
            let left = self.unsafe_for.load(Ordering::Acquire);
            self.unsafe_for.store(left.saturating_sub(1), Ordering::Release);
            if left > 0 {
                return Err(io::Error::other("the bus hangs"));
            }
            self.tried().and_then(|()| self.levels.safe_state())
        }
    }

    #[test]
    fn the_last_level_is_what_is_tried_again_for_each_output() {
        let levels = Failing::new();
        let mut outputs = Outputs::new(Box::new(levels.clone()));
        outputs.set(Signal::Reject, false).unwrap();
        outputs.set(Signal::Fault, false).unwrap();
        levels.fails.store(true, Ordering::Release);
        assert!(outputs.set(Signal::Reject, true).is_err() && outputs.is_failing());
        assert!(outputs.set(Signal::Reject, false).is_err());
        assert!(outputs.set(Signal::Pass, true).is_err());
        assert!(outputs.heartbeat(true).is_err());
        assert!(outputs.retry().is_err() && outputs.is_failing());
        let (changes, beats) = (levels.levels.changes().len(), levels.levels.heartbeats());
        levels.fails.store(false, Ordering::Release);
        // One that works again is not yet all.
        outputs.set(Signal::Pass, true).unwrap();
        assert!(outputs.is_failing());
        outputs.retry().unwrap();
        assert!(!outputs.is_failing());
        let level = |signal| levels.levels.level(signal);
        assert_eq!(
            [Signal::Reject, Signal::Pass, Signal::Fault].map(level),
            [Some(false), Some(true), Some(false)]
        );
        assert_eq!((levels.levels.changes().len(), levels.levels.heartbeats()), (changes + 4, beats + 1));
        // Without a failure nothing is driven.
        outputs.retry().unwrap();
        assert_eq!(levels.levels.changes().len(), changes + 4);
    }

    #[test]
    fn the_safe_state_is_tried_until_it_is_there_but_not_for_ever() {
        let levels = Failing::new();
        let mut outputs = Outputs::new(Box::new(levels.clone()));
        outputs.set(Signal::Reject, false).unwrap();
        levels.unsafe_for.store(3, Ordering::Release);
        outputs.safe_state().unwrap();
        assert_eq!(levels.levels.level(Signal::Reject), Some(true));
        levels.unsafe_for.store(u64::MAX, Ordering::Release);
        assert!(outputs.safe_state().is_err() && outputs.is_failing());
    }
}
