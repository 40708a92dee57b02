//! Determines thresholds, with their evidence, from good parts.
//!
//! Calibration uses the score that decides a part, see [`VoteCount::deciding_score`]: the claim is about parts, however many frames
//! vote.

mod arithmetic;
mod camera;
mod error;
mod folder;

use bundle::{Calibration, Calibrator, ThresholdRule};
use judge::{AnomalyMap, Frame, Judge};

use crate::part::VoteCount;
use crate::trigger::source::TriggerError;

pub use arithmetic::{ArithmeticChange, ArithmeticComparison, ArithmeticError, arithmetic_name};
pub use camera::CameraParts;
pub use error::{CalibrateError, PartError};
pub use folder::{FolderError, FolderParts};

/// A part to calibrate with.
#[derive(Debug)]
pub struct CalibrationPart {
    /// Display name, for people.
    pub name: String,
    /// Its frames, in order, or the reason why there are none.
    pub frames: Result<Vec<Frame>, PartError>,
}

/// A source of good parts.
pub trait PartSource {
    /// Returns the next part; `None` after the last.
    ///
    /// # Errors
    /// If the source can't supply another part. A part without usable frames is not an error.
    fn next_part(&mut self) -> Result<Option<CalibrationPart>, TriggerError>;

    /// Returns what weakens the evidence of the parts so far, in sentences.
    fn warnings(&self) -> Vec<String> {
        vec![]
    }
}

/// Calibration options.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many frames each part has.
    pub frames: u16,
    /// The voting rule that decides a part.
    pub votes: VoteCount,
    /// Maximum number of usable parts to judge.
    pub parts: u32,
    /// Share of good parts that may be rejected (0..1, exclusive).
    pub target_fpr: f64,
    /// The rule that turns scores into the threshold.
    pub rule: ThresholdRule,
}

/// Judges usable parts and determines the thresholds. `skipped` is called with each part that can't be used, and the
/// reason.
///
/// # Errors
/// If the source fails or yields no usable part.
pub fn calibrate(
    source: &mut dyn PartSource,
    judge: &mut Judge,
    options: &Options,
    mut skipped: impl FnMut(&str, &PartError),
) -> Result<Calibration, CalibrateError> {
    let Options { frames: needed, ref votes, parts: max_parts, target_fpr, rule } = *options;
    let recipe = judge.bundle().thresholds.recipe;
    let shared_format::Size { width, height } = recipe.picture();
    let positions = width as usize * height as usize;
    let mut calibrator = Calibrator::new(max_parts as usize * usize::from(needed), positions);
    let mut used = 0;
    while used < max_parts
        && let Some(part) = source.next_part()?
    {
        match part.frames.and_then(|frames| score(&frames, judge, needed, votes)) {
            Ok((score, maps)) => {
                used += 1;
                calibrator.add(part.name, score, &[]);
                maps.iter().for_each(|map| calibrator.add_map(&map.judged()));
            }
            Err(reason) => skipped(&part.name, &reason),
        }
    }
    calibrator.finish(target_fpr, rule).ok_or(CalibrateError::NoParts)
}

/// Returns the score that decides a part, and the anomaly maps of its frames.
fn score(
    frames: &[Frame],
    judge: &mut Judge,
    needed: u16,
    votes: &VoteCount,
) -> Result<(f32, Vec<AnomalyMap>), PartError> {
    let (mut scores, mut maps) = (vec![], vec![]);
    let found = frames.len();
    if found != usize::from(needed) {
        return Err(PartError::Frames { found, needed });
    }
    for frame in frames {
        let judgement = judge.judge(frame);
        let of_zones = judgement.scores();
        match (judgement.score, judgement.map, judgement.fault) {
            (Some(_), Some(map), None) => {
                scores.push(of_zones);
                maps.push(map);
            }
            (.., Some(fault)) => return Err(fault.into()),
            (.., None) => return Err(PartError::NoScore),
        }
    }
    let score = votes.deciding_score(&scores).ok_or(PartError::Votes)?;
    Ok((score, maps))
}
