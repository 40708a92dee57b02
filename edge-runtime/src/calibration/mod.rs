//! Good parts → thresholds with their evidence.
//!
//! What is calibrated is the score that decides a part, see [`deciding_score`]: the claim is about parts, whatever the
//! number of frames that vote.

mod arithmetic;
mod folder;

use anyhow::{Result, bail};
use bundle::{Calibration, Calibrator};
use judge::{AnomalyMap, Frame, Judge};

use crate::line_file::Votes;
use crate::part::deciding_score;

pub use arithmetic::{Arithmetics, Change, name};
pub use folder::FolderParts;

/// A part to calibrate with.
#[derive(Debug)]
pub struct SourcedPart {
    /// What to call it for people.
    pub name: String,
    /// Its frames, in order, or the sentence that says why there are none.
    pub frames: Result<Vec<Frame>, String>,
}

/// Where good parts come from.
pub trait PartSource {
    /// The next part; `None` after the last.
    ///
    /// # Errors
    /// Where no further part can be had. A part without usable frames is no error.
    fn next_part(&mut self) -> Result<Option<SourcedPart>>;
}

/// Judges up to `most` usable parts and finds the thresholds for `target_fpr` (0..1, exclusive). A part that can't be
/// used is named to `skipped` with the reason.
///
/// # Errors
/// Where the source fails, or gives no usable part.
pub fn calibrate(
    source: &mut dyn PartSource,
    judge: &mut Judge,
    votes: &Votes,
    most: u32,
    target_fpr: f64,
    mut skipped: impl FnMut(&str, &str),
) -> Result<Calibration> {
    let recipe = judge.bundle().thresholds.recipe;
    let positions = recipe.input.width as usize * recipe.input.height as usize * recipe.tiles.count();
    let mut calibrator = Calibrator::new(most as usize * usize::from(votes.frames), positions);
    let mut used = 0;
    while used < most
        && let Some(part) = source.next_part()?
    {
        match part.frames.and_then(|frames| score(&frames, judge, votes)) {
            Ok((score, maps)) => {
                used += 1;
                calibrator.add(part.name, score, &[]);
                maps.iter().for_each(|map| calibrator.add_map(&map.values));
            }
            Err(reason) => skipped(&part.name, &reason),
        }
    }
    match calibrator.finish(target_fpr) {
        Some(calibration) => Ok(calibration),
        None => bail!("no part can be used; give good parts as the line's camera shows them"),
    }
}

/// The score that decides a part, and its frames' maps.
fn score(frames: &[Frame], judge: &mut Judge, votes: &Votes) -> Result<(f32, Vec<AnomalyMap>), String> {
    let (mut scores, mut maps) = (vec![], vec![]);
    let (found, needed) = (frames.len(), votes.frames);
    if found != usize::from(needed) {
        return Err(format!("it has {found} frame(s); votes.frames = {needed} needs as many of each part"));
    }
    for frame in frames {
        let judgement = judge.judge(frame);
        match (judgement.score, judgement.map, judgement.fault) {
            (Some(score), Some(map), None) => {
                scores.push(score);
                maps.push(map);
            }
            (.., Some(fault)) => return Err(fault.to_string()),
            (.., None) => return Err("it got no score; judge it with `edge-runtime inspect`".to_owned()),
        }
    }
    let score = deciding_score(votes, &scores).ok_or("its frames don't fit the rule of votes")?;
    Ok((score, maps))
}
