//! Finds photos of bad parts among the good ones before anything is learned, so that they can be left out.
//!
//! Each part is scored by a model of the others ([`CrossFit`]), and [`suspects()`] names those whose scores don't belong to the
//! others'. This is done once: fitting and scoring the rest again names hardly any more bad parts, but more good ones each time
//! (`docs/methods.md`).

use std::path::PathBuf;

use bundle::suspects;

use crate::cross_fit::{CrossFit, CrossFitError};
use crate::features::{Extractor, FeatureError, FeatureSet, Flip};
use crate::method::ProgressCallback;

/// Maximum share of the parts that may be left out, in percent: beyond that, the photos are not of good parts alone.
const MOST_LEFT_OUT: usize = 15;

/// A part that may be bad.
#[derive(Debug, Clone, PartialEq)]
pub struct SuspectPart {
    /// Its index among the parts.
    pub part: usize,
    /// Its score, by a model of the others.
    pub score: f32,
}

/// Why no suspects can be left out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScreeningError {
    /// The method can't be fitted, or a frame can't be scored.
    #[error(transparent)]
    Fit(#[from] CrossFitError),
    /// A part's frames give no score for the part.
    #[error(
        "a part's frames don't match the line file's voting rule; record all parts with the same line file"
    )]
    Votes,
    /// Too many.
    #[error(
        "{found} of {parts} photos score unlike the others, more than the 15 % that may be left out: these are not photos of good \
         parts alone. Sort them by hand, first these: {}", .first.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    TooMany {
        /// Suspects found.
        found: usize,
        /// All parts.
        parts: usize,
        /// A frame of each of the highest-scoring ones.
        first: Vec<PathBuf>,
    },
}

impl From<FeatureError> for ScreeningError {
    fn from(error: FeatureError) -> Self {
        Self::Fit(error.into())
    }
}

/// Returns the parts that may be bad, highest score first. `decide` turns the scores of a part's frames (of each, the
/// zones' scores, or its only one) into the one that decides the part.
/// `progress` is called after each step (see [`crate::cross_fit::steps`]) and says whether to go on; returns `None` if it says no.
///
/// # Errors
/// See [`ScreeningError`].
pub fn screen(
    task: &CrossFit<'_>,
    flip: Flip,
    decide: &dyn Fn(&[Vec<f32>]) -> Option<f32>,
    progress: ProgressCallback<'_>,
) -> Result<Option<Vec<SuspectPart>>, ScreeningError> {
    let extractor = Extractor::for_method(task.method, task.teacher, task.recipe, flip, task.threads)?;
    let mut set = FeatureSet::new(extractor, task.parts.concat());
    let Some(fitted) = task.run(&mut set, progress)? else { return Ok(None) };
    let scores: Option<Vec<f32>> = fitted.scores.iter().map(|frames| decide(frames)).collect();
    let scores = scores.ok_or(ScreeningError::Votes)?;
    let suspect = |part: usize| SuspectPart { part, score: scores[part] };
    let found: Vec<SuspectPart> = suspects(&scores).into_iter().map(suspect).collect();
    if found.len() > most_left_out(task.parts.len()) {
        return Err(too_many(&found, task.parts));
    }
    Ok(Some(found))
}

/// Returns how many of this many parts may be left out.
fn most_left_out(parts: usize) -> usize {
    parts * MOST_LEFT_OUT / 100
}

fn too_many(found: &[SuspectPart], parts: &[Vec<PathBuf>]) -> ScreeningError {
    const NAMED: usize = 5;
    let first = found.iter().take(NAMED).filter_map(|suspect| parts[suspect.part].first().cloned());
    ScreeningError::TooMany { found: found.len(), parts: parts.len(), first: first.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_15_percent_is_left_out() {
        assert_eq!([5, 10, 20, 33, 100].map(most_left_out), [0, 1, 3, 4, 15]);
        let found: Vec<SuspectPart> = (0..8).map(|part| SuspectPart { part, score: 9.0 }).collect();
        let parts: Vec<Vec<PathBuf>> = (0..40).map(|n| vec![format!("{n}.png").into()]).collect();
        let error = too_many(&found, &parts).to_string();
        assert!(
            error.starts_with("8 of 40 photos") && error.ends_with("0.png, 1.png, 2.png, 3.png, 4.png"),
            "{error}"
        );
    }
}
