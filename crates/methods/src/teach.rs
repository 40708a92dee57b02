//! Good parts, and nothing else, → a bundle: fitted to all of them, calibrated by cross-fitting.
//!
//! A part that is in the bank can't say how far new parts are from it. So the parts are dealt into folds, and those of a
//! fold are scored by a model that was fitted to the others. The model that is shipped has seen all parts; its threshold
//! is an estimate, and is called one in the threshold file.

use std::path::{Path, PathBuf};

use judge::{AnomalyMap, Scorer};
use shared_format::Recipe;

use crate::configured::Configured;
use crate::features::{Extractor, FeatureError, FeatureSet, Flip, likeness};
use crate::method::{FitError, Progress};
use bundle::export::judged;
use bundle::seeded::Seeded;
use bundle::{Calibration, Calibrator};
use bundle::{Export, ExportError, ScoreKind, export_calibrated};
use networks::teacher::Teacher;

/// Fewest parts that can be taught from.
pub const MIN_PARTS: usize = 5;
const FOLDS: usize = 5;
const STREAM: u64 = 0x7ea;

/// What to learn from, and how.
#[derive(Debug)]
pub struct Lesson<'a> {
    /// The backbone.
    pub teacher: &'a Teacher,
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// Mirrored copies that are learned from, too.
    pub flip: Flip,
    /// Good parts: the frames of each.
    pub parts: &'a [Vec<PathBuf>],
    /// The method, with its options.
    pub method: &'a dyn Configured,
    /// Share of good parts that may be rejected, 0..1 exclusive.
    pub target_fpr: f64,
    /// Seeds the folds and the method's choices.
    pub seed: u64,
    /// Threads of the engine.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Taught {
    /// The thresholds.
    pub calibration: Calibration,
    /// Frames of parts that look unlike the others.
    pub strangers: Vec<PathBuf>,
}

/// Why nothing was taught; what stood at the bundle's place is untouched.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    /// Too few parts.
    #[error("{0} good part(s); at least {MIN_PARTS} are needed, to learn from some and calibrate on others")]
    TooFew(usize),
    /// All parts look the same.
    #[error(
        "the {0} parts are the same picture again and again; show different parts: what good parts differ by is learned from them"
    )]
    Identical(usize),
    /// A frame has no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The method.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The bundle.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The frames of a part give no score.
    #[error("a part's frames don't fit the rule of votes; take all parts with the same line file")]
    Votes,
    /// Someone asked to stop.
    #[error("stopped; nothing was written")]
    Stopped,
}

/// Fits, calibrates and writes the bundle to `out` in one step. `decide` makes of a part's frame scores the one that
/// decides the part; `progress` is called after each step (see [`steps`]) and says whether to go on.
///
/// # Errors
/// See [`TeachError`].
pub fn teach(
    lesson: &Lesson<'_>,
    decide: &dyn Fn(&[f32]) -> Option<f32>,
    out: &Path,
    progress: Progress<'_>,
) -> Result<Taught, TeachError> {
    if lesson.parts.len() < MIN_PARTS {
        return Err(TeachError::TooFew(lesson.parts.len()));
    }
    let frames: Vec<PathBuf> = lesson.parts.iter().flatten().cloned().collect();
    let settled = lesson.method.settled(frames.len());
    let lesson = &Lesson { method: settled.as_ref(), ..*lesson };
    let extractor =
        Extractor::new(lesson.teacher, lesson.recipe, lesson.flip, lesson.method.levels(), lesson.threads)?;
    let all: Vec<usize> = (0..frames.len()).collect();
    let mut set = FeatureSet::new(extractor, frames);
    let found = likeness(&mut set, &all)?;
    if found.identical {
        return Err(TeachError::Identical(lesson.parts.len()));
    }
    let strangers = found.strangers.iter().map(|&index| set.path(index).to_owned()).collect();
    let scored = cross_fit(lesson, decide, &mut set, progress)?;
    let onnx = model(lesson, &mut set, &all, progress)?;
    let first_frames: Vec<PathBuf> = lesson.parts.iter().filter_map(|part| part.first().cloned()).collect();
    let request = Export {
        onnx: &onnx,
        recipe: lesson.recipe,
        method: lesson.method.name(),
        teacher: &lesson.teacher.name,
        score: ScoreKind::Model,
        calibration: &first_frames,
        target_fpr: lesson.target_fpr,
        require_claim: false,
    };
    Ok(Taught { calibration: export_calibrated(&request, scored, out)?, strangers })
}

/// The ONNX model of the images at `indices`.
fn model(
    lesson: &Lesson<'_>,
    set: &mut FeatureSet,
    indices: &[usize],
    progress: Progress<'_>,
) -> Result<Vec<u8>, TeachError> {
    let model = lesson.method.fit(set, indices, lesson.seed, progress)?.ok_or(TeachError::Stopped)?;
    Ok(model.onnx(lesson.teacher, lesson.recipe.input))
}

/// How often [`teach`] calls its `progress`, for this many parts of `frames` frames.
#[must_use]
pub fn steps(parts: usize, frames: usize) -> usize {
    // Every part is in all folds' models but one, is scored once, and is in the final model.
    (FOLDS - 1) * parts * frames + parts + parts * frames
}

/// Scores each part by a model of the parts in other folds.
fn cross_fit(
    lesson: &Lesson<'_>,
    decide: &dyn Fn(&[f32]) -> Option<f32>,
    set: &mut FeatureSet,
    progress: Progress<'_>,
) -> Result<Calibrator, TeachError> {
    let count = lesson.parts.len();
    let fold_of = folds(count, lesson.seed);
    let mut results: Vec<Option<(f32, Vec<AnomalyMap>)>> = (0..count).map(|_| None).collect();
    for fold in 0..FOLDS {
        let (mut others, mut at) = (vec![], 0);
        for (part, frames) in lesson.parts.iter().enumerate() {
            if fold_of[part] != fold {
                others.extend(at..at + frames.len());
            }
            at += frames.len();
        }
        let onnx = model(lesson, set, &others, progress)?;
        let mut scorer = Scorer::new(&onnx, lesson.recipe, lesson.threads).map_err(ExportError::from)?;
        for (part, frames) in lesson.parts.iter().enumerate().filter(|(part, _)| fold_of[*part] == fold) {
            results[part] = Some(score(&mut scorer, frames, decide)?);
            if !progress() {
                return Err(TeachError::Stopped);
            }
        }
    }
    let input = lesson.recipe.input;
    let positions = input.width as usize * input.height as usize * lesson.recipe.tiles.count();
    let frames = lesson.parts.iter().map(Vec::len).sum();
    let mut calibrator = Calibrator::cross_fitted(frames, positions);
    for (part, result) in lesson.parts.iter().zip(results) {
        let Some((score, maps)) = result else { continue };
        let name = part.first().map(|frame| frame.display().to_string());
        calibrator.add(name.unwrap_or_default(), score, &[]);
        maps.iter().for_each(|map| calibrator.add_map(&map.values));
    }
    Ok(calibrator)
}

/// The fold of each part; all folds are equally large, but for one part.
fn folds(count: usize, seed: u64) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..count).map(|part| part % FOLDS).collect();
    Seeded::new(seed, STREAM).shuffle(&mut folds);
    folds
}

fn score(
    scorer: &mut Scorer,
    frames: &[PathBuf],
    decide: &dyn Fn(&[f32]) -> Option<f32>,
) -> Result<(f32, Vec<AnomalyMap>), TeachError> {
    let (mut scores, mut maps) = (vec![], vec![]);
    for path in frames {
        let (_, scored) = judged(scorer, path)?;
        scores.push(scored.score);
        maps.push(scored.map);
    }
    Ok((decide(&scores).ok_or(TeachError::Votes)?, maps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_even_and_seeded() {
        for count in MIN_PARTS..60 {
            let dealt = folds(count, 1);
            let sizes: Vec<usize> = (0..FOLDS).map(|f| dealt.iter().filter(|&&x| x == f).count()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
        assert_eq!(folds(50, 1), folds(50, 1));
        assert_ne!(folds(50, 1), folds(50, 2));
    }
}
