//! Tries one input after the other.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::memory;
use crate::settings::Settings;
use crate::watch::{Tried, Watch};

/// A kind of input, and the limits for each input.
#[derive(Debug, Clone)]
pub struct Fuzz {
    name: &'static str,
    count: u64,
    words: Vec<&'static [u8]>,
    patience: Duration,
    memory: usize,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
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
        let patience = Duration::from_secs(60);
        Self { name, count, words: Vec::new(), patience, memory: 256 << 20 }
    }

    /// Adds tokens that have a meaning in this kind of input.
    #[must_use]
    pub fn words(mut self, words: &[&'static [u8]]) -> Self {
        self.words.extend(words);
        self
    }

    /// Sets how long one input may take, instead of a minute.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how many mebibytes one input may use, instead of 256.
    #[must_use]
    pub const fn mebibytes(mut self, mebibytes: usize) -> Self {
        self.memory = mebibytes << 20;
        self
    }

    /// Mutates valid inputs and tries them with `target`, which returns whether it accepted one as valid.
    ///
    /// # Panics
    /// If the target panics, with a message that says where the input is. An input that takes too long or too much memory
    /// ends the program, with such a message on standard error.
    pub fn run(&self, valid: &[Vec<u8>], mut target: impl FnMut(&[u8]) -> bool) -> Taken {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = Settings::new(self.count, |name| std::env::var(name).ok());
        let watch = Watch::start(self.name, self.patience);
        let mut taken = Taken::default();
        let begin = Instant::now();
        if let Some(path) = &settings.input {
            let bytes = std::fs::read(path)
                .unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
            self.one(&watch, Tried::new(bytes, settings.seed, 0), &mut target, &mut taken);
        } else {
            while settings.end.is_ahead(taken.inputs) {
                let index = taken.inputs;
                let mut chance = Chance::new(settings.seed, index);
                let mut bytes = valid[(index % valid.len() as u64) as usize].clone();
                chance.mutate(&mut bytes, valid, &self.words);
                self.one(&watch, Tried::new(bytes, settings.seed, index), &mut target, &mut taken);
            }
        }
        if settings.is_asked {
            let Taken { inputs, accepted, slowest, memory } = taken;
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
        taken
    }

    fn one(&self, watch: &Watch, tried: Tried, target: &mut impl FnMut(&[u8]) -> bool, taken: &mut Taken) {
        let bytes = tried.bytes.clone();
        watch.begin(tried);
        let begin = Instant::now();
        let (ran, memory) = memory::within(self.memory, || catch_unwind(AssertUnwindSafe(|| target(&bytes))));
        taken.slowest = taken.slowest.max(begin.elapsed());
        taken.memory = taken.memory.max(memory);
        taken.inputs += 1;
        let tried = watch.done();
        match (ran, tried) {
            (Ok(accepted), _) => taken.accepted += u64::from(accepted),
            (Err(_), Some(tried)) => panic!("{}", watch.keep(&tried, "panics")),
            (Err(panic), None) => std::panic::resume_unwind(panic),
        }
    }
}
