//! What PatchCore has learned.

use networks::teacher::Teacher;
use networks::{Array, State, StateError, Weights};
use serde::{Deserialize, Serialize};
use shared_format::Size;

use super::graph::build;
use crate::features::Projection;
use crate::smoothing::{SMOOTHING_NOTE, smoothing_of};

/// Fewest images whose places are compared with what they usually are.
const STANDARDISED_FROM: usize = 40;

/// How a map of distances becomes the image's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// The mean of the worst 5 % of the smoothed map, standardised place by place: how many deviations the part is from
    /// what good parts of that place are.
    Standardised,
    /// The mean of the worst 5 % of the smoothed map.
    Worst,
    /// The largest distance.
    Maximum,
    /// The largest distance, the less the closer the neighbours of its nearest entry are to it: the paper's choice.
    Reweighted,
}

impl Score {
    /// All of them, with the names that users give.
    pub const ALL: [(&'static str, Self); 4] = [
        ("standardised", Self::Standardised),
        ("worst", Self::Worst),
        ("maximum", Self::Maximum),
        ("reweighted", Self::Reweighted),
    ];

    /// The better one on the development sets for so many images to learn from. Few would be missed in the bank if they were
    /// spared, and say little of a place.
    #[must_use]
    pub const fn of_images(count: usize) -> Self {
        if count < STANDARDISED_FROM { Self::Worst } else { Self::Standardised }
    }

    /// The name that users give.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, score)| *score == self).map_or("", |(name, _)| name)
    }

    /// The score of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, score)| *score)
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Features → entries' dimensions.
    pub projection: Projection,
    /// Entries × dimensions.
    pub bank: Vec<f32>,
    /// Nearest entries whose distances are averaged; 1 for the paper's.
    pub neighbours: usize,
    /// Map → score.
    pub score: Score,
    /// What smoothed distances are on good parts, for [`Score::Standardised`].
    pub places: Option<Places>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}

/// Mean and deviation of the smoothed distance at each position, on parts that are not in the bank.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// Rows × columns.
    pub mean: Array,
    /// Rows × columns, nowhere 0.
    pub deviation: Array,
}

const MEAN: &str = "projection.mean";
const MATRIX: &str = "projection.matrix";
const BANK: &str = "bank";
const NEIGHBOURS: &str = "neighbours";
const SCORE: &str = "score";
const PLACES: [&str; 2] = ["places.mean", "places.deviation"];

impl Model {
    /// Entries of the bank.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.bank.len() / self.projection.outputs
    }
}

impl crate::method::Model for Model {
    fn summary(&self) -> String {
        let (entries, dimensions) = (self.entries(), self.projection.outputs);
        let kib = entries * (dimensions + 1) * 4 / 1024;
        format!("a bank of {entries} entries × {dimensions} dimensions ({kib} KiB)")
    }

    fn state(&self) -> State {
        let [mean, matrix] = self.projection.to_arrays();
        let bank = Array { shape: vec![self.entries(), self.projection.outputs], data: self.bank.clone() };
        let weights = [(MEAN, mean), (MATRIX, matrix), (BANK, bank)].map(|(name, a)| (name.to_owned(), a));
        let notes = [
            (NEIGHBOURS, self.neighbours.to_string()),
            (SCORE, self.score.name().to_owned()),
            (SMOOTHING_NOTE, self.smoothing.to_string()),
        ];
        let mut weights = Weights::from(weights);
        if let Some(places) = &self.places {
            weights.insert(PLACES[0].to_owned(), places.mean.clone());
            weights.insert(PLACES[1].to_owned(), places.deviation.clone());
        }
        State { weights, notes: notes.map(|(name, note)| (name.to_owned(), note)).into() }
    }

    fn restore(state: &State, _teacher: &Teacher, _input: Size) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let projection =
            Projection::from_arrays(get(MEAN)?, get(MATRIX)?).ok_or(StateError::Sides("projection"))?;
        let bank = get(BANK)?;
        if bank.shape.len() != 2 || bank.shape[1] != projection.outputs || bank.shape[0] == 0 {
            return Err(StateError::Sides(BANK));
        }
        let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        if !(finite(&bank.data) && finite(&projection.mean) && finite(&projection.matrix)) {
            return Err(StateError::values(BANK));
        }
        let neighbours = state.number(NEIGHBOURS).filter(|n| (1..=bank.shape[0]).contains(n));
        let neighbours = neighbours.ok_or(StateError::values(NEIGHBOURS))?;
        let score = state.notes.get(SCORE).and_then(|name| Score::by_name(name));
        let score = score.ok_or(StateError::values(SCORE))?;
        let places = places(&state.weights)?;
        if score == Score::Standardised && places.is_none() {
            return Err(StateError::missing(PLACES[0]));
        }
        let (bank, smoothing) = (bank.data.clone(), smoothing_of(state)?);
        Ok(Self { projection, bank, neighbours, score, places, smoothing })
    }

    fn onnx(&self, teacher: &Teacher, input: Size) -> Vec<u8> {
        build(teacher, self, input, false)
    }
}

fn places(weights: &Weights) -> Result<Option<Places>, StateError> {
    let Some((mean, deviation)) = weights.get(PLACES[0]).zip(weights.get(PLACES[1])) else { return Ok(None) };
    if mean.shape != deviation.shape || mean.shape.len() != 2 {
        return Err(StateError::Sides("statistics by place"));
    }
    let is_usual = |(m, d): (&f32, &f32)| m.is_finite() && d.is_finite() && *d > 0.0;
    if !mean.data.iter().zip(&deviation.data).all(is_usual) {
        return Err(StateError::values("statistics by place"));
    }
    Ok(Some(Places { mean: mean.clone(), deviation: deviation.clone() }))
}
