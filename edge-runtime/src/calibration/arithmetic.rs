//! Compares two arithmetics for a bundle: which one is faster, and how far the scores move.

use std::time::Duration;

use judge::{BundleError, Fault, Judge, Replacement};
use shared_format::{Arithmetic, Golden};

use crate::report::{in_ms, significant};

/// Number of times that each arithmetic is timed, in turn.
const ROUNDS: usize = 15;
/// The gain in speed, as a share, below which the arithmetic is not worth changing.
const MIN_GAIN: f64 = 0.05;
/// Scores of golden frames may move by at most this share of the normals' spread (q99 − q50) …
const MAX_SHARE_OF_SPREAD: f32 = 0.5;
/// … or, if a small sample has hardly any spread, by this share of the largest score.
const MAX_SHARE_OF_SCORE: f32 = 0.05;

/// Reason why a bundle can't be computed with another arithmetic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArithmeticError {
    /// The bundle can't be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The folder now holds another bundle.
    #[error("the bundle has been replaced in the meantime; start again")]
    Replaced,
    /// The golden frames can't be judged with the new arithmetic.
    #[error("cannot judge the golden frames with {arithmetic}", arithmetic = arithmetic_name(*arithmetic))]
    Golden {
        /// The new arithmetic.
        arithmetic: Arithmetic,
        /// The cause.
        source: BundleError,
    },
    /// Scores move too far.
    #[error(
        "with {arithmetic}, the scores of golden frames move by up to {moved}, more than rounding explains ({limit}): this \
         model is unsuitable for it; calibrate without --arithmetic",
        moved = significant(*moved),
        arithmetic = arithmetic_name(*arithmetic),
        limit = significant(*limit)
    )]
    Moved {
        /// The new arithmetic.
        arithmetic: Arithmetic,
        /// How far they moved.
        moved: f32,
        /// How far they may move.
        limit: f32,
    },
    /// The bundle has nothing to compare with.
    #[error(
        "the bundle has no golden frames to compare with; export it again with the trainer of this version"
    )]
    NoGolden,
    /// A golden frame can't be judged.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Two judges for a bundle, one for each arithmetic.
#[derive(Debug)]
pub struct ArithmeticComparison {
    old: Judge,
    new: Judge,
}

/// Effects of changing the arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct ArithmeticChange {
    /// The new arithmetic.
    pub arithmetic: Arithmetic,
    /// The golden frames with their new scores.
    pub golden: Vec<Golden>,
    /// The largest change of their scores.
    pub moved: f32,
    /// The same as a share of the normals' spread; `None` if they have none.
    pub moved_of_spread: Option<f32>,
    /// Time that a golden frame takes in the network, before and after.
    pub times: [Duration; 2],
}

impl ArithmeticComparison {
    /// Takes the judge `old` and creates another for the same bundle with the other arithmetic.
    ///
    /// # Errors
    /// If the bundle can't be opened again, or has been replaced.
    pub fn new(old: Judge, threads: usize) -> Result<Self, ArithmeticError> {
        let before = &old.bundle().thresholds;
        let mut bundle = old.bundle().reopen()?;
        if bundle.thresholds != *before {
            return Err(ArithmeticError::Replaced);
        }
        bundle.thresholds.arithmetic = match before.arithmetic {
            Arithmetic::Single => Arithmetic::Half,
            Arithmetic::Half => Arithmetic::Single,
        };
        Ok(Self { new: Judge::from_bundle(bundle, threads)?, old })
    }

    /// Returns whether the two compute anything differently: in most models nothing is computed with 16-bit floats.
    pub fn differ(&mut self) -> bool {
        let is_half = |kernel: &Replacement| kernel.arithmetic == Arithmetic::Half;
        [&mut self.old, &mut self.new]
            .into_iter()
            .any(|judge| judge.network().replacements().iter().any(is_half))
    }

    /// Returns whether this processor would have to emulate the other arithmetic.
    pub fn is_new_emulated(&mut self) -> bool {
        self.new.network().is_emulated()
    }

    /// Judges the golden frames with both, in turn.
    ///
    /// # Errors
    /// If there is no golden frame, one can't be judged, or scores move further than rounding explains.
    pub fn compare(&mut self) -> Result<ArithmeticChange, ArithmeticError> {
        let thresholds = self.old.bundle().thresholds.clone();
        let arithmetic = self.new.bundle().thresholds.arithmetic;
        let mut golden = thresholds.golden.to_vec();
        let failed = |source| ArithmeticError::Golden { arithmetic, source };
        let results = self.new.check_golden().map_err(failed)?;
        let mut moved = 0f32;
        for (golden, result) in golden.iter_mut().zip(results) {
            moved = moved.max((result.score - golden.score).abs());
            golden.score = result.score;
        }
        let scores = &thresholds.evidence.scores;
        let limit = (MAX_SHARE_OF_SPREAD * scores.spread()).max(MAX_SHARE_OF_SCORE * scores.max.abs());
        if moved > limit {
            return Err(ArithmeticError::Moved { arithmetic, moved, limit });
        }
        let moved_of_spread = (scores.spread() > 0.0).then(|| moved / scores.spread());
        Ok(ArithmeticChange { arithmetic, golden, moved, moved_of_spread, times: self.times()? })
    }

    /// Measures the median times for the first golden frame; one run each if the processor has to emulate.
    fn times(&mut self) -> Result<[Duration; 2], ArithmeticError> {
        let bundle = self.old.bundle();
        let Some(first) = bundle.thresholds.golden.first() else {
            return Err(ArithmeticError::NoGolden);
        };
        let frame = bundle.golden_frame(&first.file)?;
        let mut judges = [&mut self.old, &mut self.new];
        let is_emulated = judges.iter_mut().any(|judge| judge.network().is_emulated());
        let mut times = [vec![], vec![]];
        for _ in 0..if is_emulated { 1 } else { ROUNDS } {
            for (judge, times) in judges.iter_mut().zip(&mut times) {
                let judgement = judge.judge(&frame);
                judgement.fault.map_or(Ok(()), Err)?;
                times.push(judgement.times.infer);
            }
        }
        Ok(times.map(|mut times| {
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        }))
    }

    /// Returns the judge with the original arithmetic.
    #[must_use]
    pub fn into_old(self) -> Judge {
        self.old
    }

    /// Returns the judge with the other arithmetic.
    #[must_use]
    pub fn into_new(self) -> Judge {
        self.new
    }
}

impl ArithmeticChange {
    /// Returns whether a frame takes clearly less time than before.
    #[must_use]
    pub fn is_faster(&self) -> bool {
        let [before, after] = self.times.map(|time| time.as_secs_f64());
        after < (1.0 - MIN_GAIN) * before
    }

    /// Describes the change, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let [before, after] = self.times.map(in_ms);
        let share = self
            .moved_of_spread
            .map_or(String::new(), |share| format!(", {:.0} % of the good parts' spread", share * 100.0));
        format!(
            "a frame takes {after:.1} ms with {}, {before:.1} ms before; scores of golden frames move by up to {}{share}",
            arithmetic_name(self.arithmetic),
            significant(self.moved)
        )
    }
}

/// Returns the name of an arithmetic, for people.
#[must_use]
pub const fn arithmetic_name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::Single => "32-bit floats",
        Arithmetic::Half => "16-bit floats",
    }
}
