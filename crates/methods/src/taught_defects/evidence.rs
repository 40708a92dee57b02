//! The scores of good parts and of taught defects, none of which was taught to the discriminants that scored it.

use bundle::ExportDefects;
use networks::{Array, ModelState, StateError};

use super::examples::Examples;
use crate::image_score::stats_of;

const NORMALS: &str = "defects.normals";
const EXAMPLES: &str = "defects.examples";

/// How a taught defect is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExampleScore {
    /// Index of its kind.
    pub kind: usize,
    /// Its score by the model of good parts.
    pub score: f32,
    /// Its likeness to taught defects, with discriminants that were not taught this one.
    pub likeness: f32,
}

/// Cross-fitted scores.
#[derive(Debug, Clone, PartialEq)]
pub struct TaughtScores {
    /// The likeness of each good part's frames, with discriminants that know nothing of that part.
    pub normals: Vec<Vec<f32>>,
    /// The taught defects, in the order of [`super::Examples::images`].
    pub examples: Vec<ExampleScore>,
}

impl TaughtScores {
    /// Adds the scores to a model's state.
    pub fn add_to(&self, state: &mut ModelState) {
        let normals: Vec<f32> = self.normals.concat();
        let examples = self.examples.iter().flat_map(|e| [e.kind as f32, e.score, e.likeness]).collect();
        let arrays = [
            (NORMALS, Array { shape: vec![normals.len()], data: normals }),
            (EXAMPLES, Array { shape: vec![self.examples.len(), 3], data: examples }),
        ];
        state.weights.extend(arrays.map(|(name, array)| (name.to_owned(), array)));
    }

    /// Names the taught defects that are less remarkable than most good parts by both scores: they may be good parts, or show nothing
    /// of the defect. `scores` are those of the good parts.
    #[must_use]
    pub fn warnings(&self, scores: &[f32], examples: &Examples) -> Vec<String> {
        let median = |values: &[f32]| stats_of(values.to_vec()).centre;
        let (usual, usual_likeness) = (median(scores), median(&self.normals.concat()));
        let is_usual = |e: &ExampleScore| e.score <= usual && e.likeness <= usual_likeness;
        let images = examples.images.iter().zip(&self.examples).filter(|(_, score)| is_usual(score));
        images
            .map(|(image, _)| {
                format!(
                    "{} was taught as a defect, but looks more like good parts than half of them do; if it is one, or if the \
                     defect can't be seen, remove it and teach again",
                    image.path.display()
                )
            })
            .collect()
    }

    /// Returns the score and the likeness of each taught defect.
    #[must_use]
    pub fn pairs(&self) -> Vec<(f32, f32)> {
        self.examples.iter().map(|e| (e.score, e.likeness)).collect()
    }

    /// Returns what a bundle records of taught defects of these kinds.
    #[must_use]
    pub fn to_export(&self, kinds: Vec<String>, target_fnr: Option<f64>) -> ExportDefects {
        let examples = self.examples.iter().map(|e| (e.kind, e.score, e.likeness)).collect();
        ExportDefects { kinds, examples, target_fnr }
    }

    /// Reads back what [`Self::add_to`] added, with one frame for each good part; `None` if it added nothing.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn from_state(state: &ModelState) -> Result<Option<Self>, StateError> {
        let Some(normals) = state.weights.get(NORMALS) else { return Ok(None) };
        let examples = state.weights.get(EXAMPLES).ok_or(StateError::missing(EXAMPLES))?;
        if normals.data.iter().chain(&examples.data).any(|x| !x.is_finite()) {
            return Err(StateError::values(NORMALS));
        }
        let examples = examples.data.chunks_exact(3);
        let examples = examples
            .map(|e| ExampleScore { kind: e[0].max(0.0) as usize, score: e[1], likeness: e[2] })
            .collect();
        Ok(Some(Self { normals: normals.data.iter().map(|score| vec![*score]).collect(), examples }))
    }
}
