//! A bundle computed with another arithmetic: whether it wins, and what it does to scores.

use std::time::Duration;

use anyhow::{Result, bail};
use judge::{Bundle, Judge, Replaced, decode_file};
use shared_format::{Arithmetic, Golden};

use crate::report::in_ms;

/// Frames that each arithmetic is timed with, in turn.
const ROUNDS: usize = 15;

/// A bundle's judges: one for each arithmetic.
#[derive(Debug)]
pub struct Arithmetics {
    old: Judge,
    new: Judge,
}

/// What changes with the arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Median times of a golden frame in the network, before and after.
    pub times: [Duration; 2],
    /// The golden frames with their new scores.
    pub golden: Vec<Golden>,
    /// How far the scores of golden frames moved at most, as a share of the normals' spread (q99 − q50).
    pub moved: f32,
}

impl Arithmetics {
    /// The bundle that `old` judges by, and the same with `arithmetic`, which is another.
    ///
    /// # Errors
    /// Where the bundle can't be opened again.
    pub fn new(old: Judge, arithmetic: Arithmetic, threads: usize) -> Result<Self> {
        let mut bundle = Bundle::open(&old.bundle().folder)?;
        bundle.thresholds.arithmetic = arithmetic;
        Ok(Self { old, new: Judge::from_bundle(bundle, threads)? })
    }

    /// Whether the two compute anything differently: some models have nothing that is computed with 16-bit floats.
    pub fn differ(&mut self) -> bool {
        let is_half = |kernel: &Replaced| kernel.arithmetic == Arithmetic::Half;
        [&mut self.old, &mut self.new].into_iter().any(|judge| judge.network().replaced().iter().any(is_half))
    }

    /// Judges the golden frames by both, in turn.
    ///
    /// # Errors
    /// Where there is no golden frame, or one can't be judged.
    pub fn compare(&mut self) -> Result<Change> {
        let thresholds = &self.old.bundle().thresholds;
        let (spread, mut golden) = (thresholds.evidence.scores.spread(), thresholds.golden.to_vec());
        let Some(first) = golden.first() else {
            bail!(
                "the bundle has no golden frames to compare by; export it again with this program's trainer"
            );
        };
        let frame = decode_file(&self.old.bundle().golden_path(&first.file))?;
        let mut times = [vec![], vec![]];
        for _ in 0..ROUNDS {
            for (judge, times) in [&mut self.old, &mut self.new].into_iter().zip(&mut times) {
                times.push(judge.judge(&frame).times.infer);
            }
        }
        let mut moved = 0f32;
        for (golden, result) in golden.iter_mut().zip(self.new.check_golden()?) {
            moved = moved.max((result.score - golden.score).abs());
            golden.score = result.score;
        }
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times.get(ROUNDS / 2).copied().unwrap_or_default()
        };
        Ok(Change { times: times.map(median), golden, moved: moved / spread.max(f32::MIN_POSITIVE) })
    }

    /// The judge with the arithmetic that was there.
    #[must_use]
    pub fn into_old(self) -> Judge {
        self.old
    }

    /// The judge with the other arithmetic.
    #[must_use]
    pub fn into_new(self) -> Judge {
        self.new
    }
}

impl Change {
    /// Whether a frame takes less time than before.
    #[must_use]
    pub fn wins(&self) -> bool {
        self.times[1] < self.times[0]
    }

    /// For people.
    #[must_use]
    pub fn in_words(&self, from: Arithmetic, to: Arithmetic) -> String {
        let [before, after] = self.times.map(in_ms);
        format!(
            "a frame takes {after:.1} ms with {}, {before:.1} ms with {}; golden frames score up to {:.0} % of the good parts' \
             spread otherwise",
            name(to),
            name(from),
            self.moved * 100.0
        )
    }
}

const fn name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::Single => "32-bit floats",
        Arithmetic::Half => "16-bit floats",
    }
}
