//! Tries one input after the other.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::memory;
use crate::rng::Rng;
use crate::settings::FuzzSettings;
use crate::watchdog::{Attempt, Watchdog};

/// A kind of input, and the limits for each input.
#[derive(Debug, Clone)]
pub struct Fuzz {
    name: &'static str,
    count: u64,
    dictionary: Vec<&'static [u8]>,
    timeout: Duration,
    memory: usize,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Inputs tried.
    pub inputs: u64,
    /// Inputs accepted as valid.
    pub accepted: u64,
    /// The longest time for one input.
    pub slowest: Duration,
    /// The most memory for one input, if the program's allocator is [`crate::Memory`].
    pub memory: usize,
}

/// Kinds of input in one program take turns, so that each measures only its own memory.
static TURN: Mutex<()> = Mutex::new(());

impl Fuzz {
    /// A kind of input, named like its test; `count` inputs are tried in the ordinary tests.
    #[must_use]
    pub const fn new(name: &'static str, count: u64) -> Self {
        // Far longer than any input takes, even on a busy machine.
        let timeout = Duration::from_secs(60);
        Self { name, count, dictionary: Vec::new(), timeout, memory: 256 << 20 }
    }

    /// Adds tokens that have a meaning in this kind of input.
    #[must_use]
    pub fn dictionary(mut self, dictionary: &[&'static [u8]]) -> Self {
        self.dictionary.extend(dictionary);
        self
    }

    /// Sets how long one input may take, instead of a minute.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many mebibytes one input may use, instead of 256.
    #[must_use]
    pub const fn memory_mib(mut self, memory_mib: usize) -> Self {
        self.memory = memory_mib << 20;
        self
    }

    /// Mutates valid inputs and tries them with `target`, which returns whether it accepted one as valid.
    ///
    /// # Panics
    /// If the target panics, with a message that says where the input is. An input that takes too long or too much memory
    /// ends the program, with such a message on standard error.
    pub fn run(&self, valid: &[Vec<u8>], mut target: impl FnMut(&[u8]) -> bool) -> Stats {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = FuzzSettings::new(self.count, |name| std::env::var(name).ok());
        let watchdog = Watchdog::start(self.name, self.timeout);
        let mut stats = Stats::default();
        let begin = Instant::now();
        if let Some(path) = &settings.input {
            let bytes = std::fs::read(path)
                .unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
            self.try_input(&watchdog, Attempt::new(bytes, settings.seed, 0), &mut target, &mut stats);
        } else {
            while settings.end.continues_after(stats.inputs) {
                let index = stats.inputs;
                let mut rng = Rng::new(settings.seed, index);
                let mut bytes = valid[(index % valid.len() as u64) as usize].clone();
                rng.mutate(&mut bytes, valid, &self.dictionary);
                self.try_input(&watchdog, Attempt::new(bytes, settings.seed, index), &mut target, &mut stats);
            }
        }
        if settings.is_asked {
            let Stats { inputs, accepted, slowest, memory } = stats;
            // Bypasses the print macros, whose output the test harness captures.
            let _ = writeln!(
                std::io::stderr(),
                "{}: {inputs} inputs in {:.0} s, {accepted} of them valid; at most {} ms and {} KiB for one",
                self.name,
                begin.elapsed().as_secs_f64(),
                slowest.as_millis(),
                memory >> 10
            );
        }
        stats
    }

    fn try_input(
        &self,
        watchdog: &Watchdog,
        attempt: Attempt,
        target: &mut impl FnMut(&[u8]) -> bool,
        stats: &mut Stats,
    ) {
        let bytes = attempt.bytes.clone();
        watchdog.begin(attempt);
        let begin = Instant::now();
        let (ran, memory) = memory::within(self.memory, || catch_unwind(AssertUnwindSafe(|| target(&bytes))));
        stats.slowest = stats.slowest.max(begin.elapsed());
        stats.memory = stats.memory.max(memory);
        stats.inputs += 1;
        let attempt = watchdog.done();
        match (ran, attempt) {
            (Ok(accepted), _) => stats.accepted += u64::from(accepted),
            (Err(_), Some(attempt)) => panic!("{}", watchdog.keep(&attempt, "panics")),
            (Err(panic), None) => std::panic::resume_unwind(panic),
        }
    }
}
