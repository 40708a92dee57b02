//! Good parts → thresholds with their evidence.
//!
//! What is calibrated is the score that decides a part, see [`deciding_score`]: the claim is about parts, whatever the
//! number of frames that vote.

mod arithmetic;
mod error;
mod folder;
mod line;

use bundle::{Calibration, Calibrator, Rule};
use judge::{AnomalyMap, Frame, Judge};

use crate::line_file::Votes;
use crate::part::deciding_score;
use crate::trigger::waiting::TriggerError;

pub use arithmetic::{ArithmeticError, Arithmetics, Change, name};
pub use error::{CalibrateError, PartError};
pub use folder::{FolderError, FolderParts};
pub use line::CountedParts;

/// A part to calibrate with.
#[derive(Debug)]
pub struct SourcedPart {
    /// What to call it for people.
    pub name: String,
    /// Its frames, in order, or why there are none.
    pub frames: Result<Vec<Frame>, PartError>,
}

/// Where good parts come from.
pub trait PartSource {
    /// The next part; `None` after the last.
    ///
    /// # Errors
    /// Where no further part can be had. A part without usable frames is no error.
    fn next_part(&mut self) -> Result<Option<SourcedPart>, TriggerError>;
}

/// How to calibrate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What decides a part.
    pub votes: Votes,
    /// Usable parts to judge at most.
    pub parts: u32,
    /// Share of good parts that may be rejected (0..1, exclusive).
    pub target_fpr: f64,
    /// How scores become the threshold.
    pub rule: Rule,
}

/// Judges usable parts and finds the thresholds. A part that can't be used is named to `skipped` with the reason.
///
/// # Errors
/// Where the source fails, or gives no usable part.
pub fn calibrate(
    source: &mut dyn PartSource,
    judge: &mut Judge,
    options: &Options,
    mut skipped: impl FnMut(&str, &PartError),
) -> Result<Calibration, CalibrateError> {
    let Options { votes, parts: most, target_fpr, rule } = *options;
    let recipe = judge.bundle().thresholds.recipe;
    let positions = recipe.input.width as usize * recipe.input.height as usize * recipe.tiles.count();
    let mut calibrator = Calibrator::new(most as usize * usize::from(votes.frames), positions);
    let mut used = 0;
    while used < most
        && let Some(part) = source.next_part()?
    {
        match part.frames.and_then(|frames| score(&frames, judge, &votes)) {
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

/// The score that decides a part, and its frames' maps.
fn score(frames: &[Frame], judge: &mut Judge, votes: &Votes) -> Result<(f32, Vec<AnomalyMap>), PartError> {
    let (mut scores, mut maps) = (vec![], vec![]);
    let (found, needed) = (frames.len(), votes.frames);
    if found != usize::from(needed) {
        return Err(PartError::Frames { found, needed });
    }
    for frame in frames {
        let judgement = judge.judge(frame);
        match (judgement.score, judgement.map, judgement.fault) {
            (Some(score), Some(map), None) => {
                scores.push(score);
                maps.push(map);
            }
            (.., Some(fault)) => return Err(fault.into()),
            (.., None) => return Err(PartError::NoScore),
        }
    }
    let score = deciding_score(votes, &scores).ok_or(PartError::Votes)?;
    Ok((score, maps))
}
