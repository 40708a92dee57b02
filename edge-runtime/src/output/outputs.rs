//! The outputs of a line, driven as the gate wants them: signals that could not be driven are retried.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{KINDS, OpenError, Output};
use crate::gate::Signal;
use crate::line_file::LineFile;
use crate::link::Links;
use crate::log::limited;
use crate::report::PartReport;

/// Number of attempts to drive the safe state at the end, with a pause between them: a bus may hang for a moment.
const SAFE_STATE_ATTEMPTS: u32 = 20;
const SAFE_STATE_PAUSE: Duration = Duration::from_millis(10);

/// The outputs, and the level last requested for each signal. Owned and driven by the gate's thread.
pub struct Outputs {
    all: Vec<Arc<dyn Output>>,
    requested: [Option<bool>; Signal::ALL.len()],
    beat: Option<bool>,
    failing: bool,
}

impl Outputs {
    /// Opens the outputs that a line file enables, in their safe state.
    ///
    /// # Errors
    /// [`OpenError`]; outputs that were already opened are left in their safe state.
    pub fn open(line: &LineFile, links: &Links) -> Result<Self, OpenError> {
        let opened = KINDS.iter().filter_map(|kind| kind.open(line, links).transpose());
        Ok(Self::new(opened.collect::<Result<_, _>>()?))
    }

    /// Wraps outputs that are in their safe state.
    #[must_use]
    pub fn new(all: Vec<Arc<dyn Output>>) -> Self {
        Self { all, requested: [None; Signal::ALL.len()], beat: None, failing: false }
    }

    /// Returns a handle to query the outputs' state from any thread.
    #[must_use]
    pub fn handle(&self) -> OutputsHandle {
        OutputsHandle(self.all.clone())
    }

    /// Drives a signal.
    ///
    /// # Errors
    /// The system's error; the signal may have any level until [`Self::retry`] succeeds.
    pub fn set(&mut self, signal: Signal, on: bool) -> io::Result<()> {
        for (of, requested) in Signal::ALL.into_iter().zip(&mut self.requested) {
            if of == signal {
                *requested = Some(on);
            }
        }
        let driven = self.for_each_output(|output| output.set(signal, on));
        self.record_result(driven)
    }

    /// Drives the heartbeat.
    ///
    /// # Errors
    /// As with [`Self::set`].
    pub fn heartbeat(&mut self, on: bool) -> io::Result<()> {
        self.beat = Some(on);
        let driven = self.for_each_output(|output| output.heartbeat(on));
        self.record_result(driven)
    }

    /// Delivers the report on a part to all outputs.
    pub fn deliver(&self, report: &PartReport) {
        self.all.iter().for_each(|output| output.deliver(report));
    }

    /// Whether a signal could not be driven, and [`Self::retry`] has not succeeded since.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failing
    }

    /// Drives all signals to their last requested level again, if one of them could not be driven. Call it at a limited rate.
    ///
    /// # Errors
    /// The system's error for the first signal that can't be driven; the others are still driven.
    pub fn retry(&mut self) -> io::Result<()> {
        if !self.failing {
            return Ok(());
        }
        let mut result = Ok(());
        for (signal, requested) in Signal::ALL.into_iter().zip(self.requested) {
            if let Some(on) = requested {
                result = result.and(self.for_each_output(|output| output.set(signal, on)));
            }
        }
        if let Some(on) = self.beat {
            result = result.and(self.for_each_output(|output| output.heartbeat(on)));
        }
        if result.is_ok() {
            self.failing = false;
            limited!(info, "all outputs can be driven again");
        }
        self.record_result(result)
    }

    /// Drives the safe state, retrying for up to a fifth of a second. It blocks that long, so call it only at the end.
    ///
    /// # Errors
    /// The system's last error; the outputs may then have any level.
    pub fn safe_state(&mut self) -> io::Result<()> {
        let mut result = self.for_each_output(|output| output.safe_state());
        for _ in 1..SAFE_STATE_ATTEMPTS {
            if result.is_ok() {
                break;
            }
            std::thread::sleep(SAFE_STATE_PAUSE);
            result = self.for_each_output(|output| output.safe_state());
        }
        self.record_result(result)
    }

    /// Drives all outputs and returns the first error.
    fn for_each_output(&self, drive: impl Fn(&dyn Output) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        for output in &self.all {
            result = result.and(drive(output.as_ref()));
        }
        result
    }

    fn record_result(&mut self, driven: io::Result<()>) -> io::Result<()> {
        if let Err(e) = &driven {
            self.failing = true;
            limited!(
                error,
                "an output can't be driven: {e}; the line is held; check gpio.chip and its power supply"
            );
        }
        driven
    }
}

/// A handle to query the state of a line's outputs. Clones refer to the same outputs.
#[derive(Clone, Default)]
pub struct OutputsHandle(Vec<Arc<dyn Output>>);

impl OutputsHandle {
    /// Returns the number of reports that were lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.iter().map(|output| output.dropped()).sum()
    }

    /// Returns the outputs' current problems, one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let ended = self.ended().into_iter().map(str::to_owned);
        ended.chain(self.0.iter().flat_map(|output| output.problems())).collect()
    }

    /// Returns one sentence for each output whose thread has ended unexpectedly.
    #[must_use]
    pub fn ended(&self) -> Vec<&'static str> {
        self.0.iter().filter_map(|output| output.ended()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::testing::outputs::FailingOutput;

    fn outputs(levels: &FailingOutput) -> Outputs {
        Outputs::new(vec![Arc::new(levels.clone())])
    }

    #[test]
    fn the_last_level_is_what_is_tried_again_for_each_output() {
        let levels = FailingOutput::new();
        let mut outputs = outputs(&levels);
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
        // One output that works again is not enough.
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
        // Without a failure, a retry drives nothing.
        outputs.retry().unwrap();
        assert_eq!(levels.levels.changes().len(), changes + 4);
    }

    #[test]
    fn an_output_that_fails_keeps_no_other_from_being_driven() {
        let (bad, good) = (FailingOutput::new(), FailingOutput::new());
        let mut outputs = Outputs::new(vec![Arc::new(bad.clone()), Arc::new(good.clone())]);
        bad.fails.store(true, Ordering::Release);
        assert!(outputs.set(Signal::Reject, false).is_err() && outputs.heartbeat(true).is_err());
        assert_eq!((good.levels.level(Signal::Reject), good.levels.heartbeats()), (Some(false), 1));
        assert!(outputs.safe_state().is_err());
        assert_eq!(good.levels.level(Signal::Reject), Some(true));
    }

    #[test]
    fn the_safe_state_is_tried_until_it_is_there_but_not_for_ever() {
        let levels = FailingOutput::new();
        let mut outputs = outputs(&levels);
        outputs.set(Signal::Reject, false).unwrap();
        levels.safe_state_failures.store(3, Ordering::Release);
        outputs.safe_state().unwrap();
        assert_eq!(levels.levels.level(Signal::Reject), Some(true));
        levels.safe_state_failures.store(u64::MAX, Ordering::Release);
        assert!(outputs.safe_state().is_err() && outputs.is_failing());
    }
}
