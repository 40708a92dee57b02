//! Cross-fitting: the model learns from all good parts, and each part is scored by a model of the others.
//!
//! A part that a model has learned from can't say how far new parts are from it. So the parts are split into folds, and those of
//! a fold are scored by a model fitted to the others. The model that is kept has seen all parts, so a threshold from these
//! scores is an estimate (CV+: Barber et al.: *Predictive Inference with the Jackknife+*, 2021, who bound its false alarms by
//! twice the target).

use std::path::PathBuf;

use bundle::seeded::Seeded;
use bundle::zones::FrameFeatures;
use bundle::{ExportError, PixelCalibrator, ZoneError, cross_fit_zones, score_file};
use judge::anomaly_map::lower_quartile;
use judge::ignore_mask::judged;
use judge::{DecodeError, EngineError, IgnoredPixels, Options, Preparer, Scorer, TiledNetwork, decode_file};
use networks::teacher::Teacher;
use shared_format::{ImageScore, Recipe, Size, Tiles, Zones};

use crate::dyn_method::DynMethod;
use crate::features::{FeatureError, FeatureSet};
use crate::image_score::{EnlargedMap, HeldOut, ImageScorer, Standardised};
use crate::method::{DISTANCES, FitError, Model, ProgressCallback, View};
use crate::taught_defects::{DefectsError, Example, Examples, Lesson, Taught, TaughtScores};
use crate::zone_frames::ZoneFrames;

const FOLDS: usize = 5;
const STREAM: u64 = 0x7ea;

/// What to fit, and to what.
#[derive(Debug, Clone, Copy)]
pub struct CrossFit<'a> {
    /// The backbone.
    pub teacher: &'a Teacher,
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// Areas with limits of their own, not yet fitted; `None` if the whole part has one limit.
    pub zones: Option<&'a Zones>,
    /// The method, with its options.
    pub method: &'a dyn DynMethod,
    /// Good parts: the frames of each.
    pub parts: &'a [Vec<PathBuf>],
    /// Known defects, to which likeness is a second score.
    pub defects: Option<&'a Examples>,
    /// Seeds the folds and the method's choices.
    pub seed: u64,
    /// Threads of the engine.
    pub threads: usize,
}

/// A model of all parts, and each part's scores from a model of the others.
#[derive(Debug)]
pub struct CrossFitted {
    /// The model.
    pub model: Box<dyn Model>,
    /// How its distances become the image's score; `None` if the method scores images its own way.
    pub image_score: Option<ImageScorer>,
    /// The zones, fitted to all parts.
    pub zones: Option<Zones>,
    /// For each part, for each of its frames, the score of each zone or, without zones, the frame's score alone.
    pub scores: Vec<Vec<Vec<f32>>>,
    /// A map position belongs to a region when its value is above this.
    pub pixel_threshold: f32,
    /// The lower quartile of each frame's anomaly map; the frames are in no particular order.
    pub quartiles: Vec<f32>,
    /// The scores of the second kind, if defects were taught; [`Self::image_score`] holds the discriminants.
    pub taught: Option<TaughtScores>,
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrossFitError {
    /// The method can't be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A frame can't be scored.
    #[error(transparent)]
    Score(#[from] ExportError),
    /// Defects can't be taught.
    #[error(transparent)]
    Defects(#[from] DefectsError),
}

impl From<FeatureError> for CrossFitError {
    fn from(error: FeatureError) -> Self {
        Self::Fit(error.into())
    }
}

impl From<ZoneError> for CrossFitError {
    fn from(error: ZoneError) -> Self {
        Self::Score(error.into())
    }
}

impl From<EngineError> for CrossFitError {
    fn from(error: EngineError) -> Self {
        Self::Score(error.into())
    }
}

impl CrossFit<'_> {
    /// Fits to all parts, whose frames `set` holds in order. `progress` is called after each step (see [`steps`]) and says
    /// whether to go on; returns `None` if it says no.
    ///
    /// # Errors
    /// See [`CrossFitError`].
    pub fn run(
        &self,
        set: &mut FeatureSet,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<CrossFitted>, CrossFitError> {
        if self.defects.is_some() {
            self.check_defects()?;
        }
        let fold_of = folds(self.parts.len(), self.seed);
        let frames = self.parts.iter().map(Vec::len).sum();
        let (view, Size { width, height }) = (self.view(), self.recipe.picture());
        let mut pixels = PixelCalibrator::new(frames, width as usize * height as usize);
        let mut scores: Vec<Vec<Vec<f32>>> = vec![vec![]; self.parts.len()];
        let mut quartiles = vec![];
        let mut zone_features: Vec<Vec<FrameFeatures>> = vec![vec![]; self.parts.len()];
        let parts = vec![vec![]; self.parts.len()];
        let mut held_out = HeldOut { grid: [0; 2], margin: 0, tiles: view.tiles, parts };
        for fold in 0..FOLDS {
            let (mut others, mut at) = (vec![], 0);
            for (frames, of) in self.parts.iter().zip(&fold_of) {
                if *of != fold {
                    others.extend(at..at + frames.len());
                }
                at += frames.len();
            }
            let fitted = self.method.fit(set, &others, self.seed, progress)?;
            let Some(model) = fitted else { return Ok(None) };
            let mut scorer = self.scorer(model.as_ref())?;
            for part in (0..self.parts.len()).filter(|&part| fold_of[part] == fold) {
                for path in &self.parts[part] {
                    match &mut scorer {
                        HeldOutScorer::Own(scorer) => {
                            let (_, scored) = score_file(scorer, path)?;
                            pixels.add(&scored.map.judged());
                            quartiles.extend(scored.map.lower_quartile());
                            scores[part].push(vec![scored.score]);
                            zone_features[part].extend(scored.zones.map(|zones| zones.features));
                        }
                        HeldOutScorer::Common(distances) => {
                            held_out.parts[part].push(distances.of_file(path)?)
                        }
                    }
                }
                if !progress() {
                    return Ok(None);
                }
            }
            if let HeldOutScorer::Common(distances) = scorer {
                held_out.grid = distances.grid;
            }
        }
        let all: Vec<usize> = (0..frames).collect();
        let ignored = IgnoredPixels::new(&self.recipe);
        let maps = if self.method.judges_frames() { 1 } else { self.recipe.tiles.count() };
        let mut zone_frames = self.zones.map(|zones| ZoneFrames::new(&self.recipe, maps, zones));
        let (last, mut tiles) = (maps - 1, (0..maps).cycle());
        let mut of_frame = vec![];
        // Maps come part by part, frame by frame; those of models that judge single tiles, tile by tile.
        let mut enlarged = |map: EnlargedMap| {
            let tile = tiles.next().unwrap_or_default();
            if let Some(frames) = &mut zone_frames {
                frames.add(map.standardised);
            }
            let ignored =
                if self.method.judges_frames() { ignored.of_picture() } else { ignored.of_tile(tile) };
            let map = judged(&map.shown, ignored);
            pixels.add(&map);
            of_frame.extend_from_slice(&map);
            if tile == last {
                quartiles.extend(lower_quartile(&mut of_frame));
                of_frame.clear();
            }
        };
        let Some(model) = self.method.fit(set, &all, self.seed, progress)? else { return Ok(None) };
        let mut image_score = None;
        if held_out.parts.iter().any(|part| !part.is_empty())
            && let Some((mut score, of_parts)) = ImageScorer::fit(&held_out, view.map(), &mut enlarged)
        {
            score.score_map = self.zones.is_some();
            let alone = |frames: Vec<f32>| frames.into_iter().map(|score| vec![score]).collect();
            (image_score, scores) = (Some(score), of_parts.into_iter().map(alone).collect());
        }
        let mut zones = None;
        if let Some(unfitted) = self.zones {
            let mut frames = zone_frames.into_iter().flat_map(|frames| frames.features);
            for (features, frames_of_part) in zone_features.iter_mut().zip(self.parts) {
                features.extend(frames.by_ref().take(frames_of_part.len()));
            }
            let (fitted, of_parts) = cross_fit_zones(unfitted, &zone_features)?;
            (zones, scores) = (Some(fitted), of_parts);
        }
        let mut taught = None;
        if let Some(examples) = self.defects {
            let Some(image_score) = &mut image_score else {
                return Err(DefectsError::Method(self.method.name()).into());
            };
            let maps = held_out.standardised().map(|(_, parts)| parts).unwrap_or_default();
            let lesson =
                self.teach(examples, (model.as_ref(), image_score), &maps, &fold_of, set, progress)?;
            let Some(Taught { discriminants, scores }) = lesson else { return Ok(None) };
            (image_score.taught, taught) = (Some(discriminants), Some(scores));
        }
        let pixel_threshold = pixels.threshold();
        Ok(Some(CrossFitted { model, image_score, zones, scores, pixel_threshold, quartiles, taught }))
    }

    /// Checks that the likeness to defects can be combined with the other settings.
    fn check_defects(&self) -> Result<(), DefectsError> {
        let with = if self.recipe.tiles != Tiles::ONE {
            "tiles"
        } else if self.zones.is_some() {
            "zones"
        } else if self.parts.iter().any(|frames| frames.len() > 1) {
            "several frames for each part"
        } else {
            return Ok(());
        };
        Err(DefectsError::With(with))
    }

    /// Returns what the method's models see of a frame.
    fn view(&self) -> View {
        View::of(&self.recipe, self.method.judges_frames())
    }

    /// Learns discriminants; `model` and `image_score` score the defects as they score good parts.
    fn teach(
        &self,
        examples: &Examples,
        (model, image_score): (&dyn Model, &ImageScorer),
        maps: &[Vec<Standardised>],
        fold_of: &[usize],
        set: &mut FeatureSet,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Taught>, CrossFitError> {
        let HeldOutScorer::Common(mut distances) = self.scorer(model)? else {
            return Err(DefectsError::Method(self.method.name()).into());
        };
        let lesson = Lesson {
            teacher: self.teacher,
            recipe: self.recipe,
            levels: self.method.levels(),
            threads: self.threads,
            examples,
            parts: self.parts,
            maps,
            fold_of,
            folds: FOLDS,
        };
        let mut see = |example: &Example| {
            let maps = distances.of_file(&example.path)?;
            let maps: Vec<Vec<f32>> = maps.iter().map(|map| image_score.positions.standardise(map)).collect();
            let score = maps.iter().map(|map| image_score.of(map)).fold(f32::NEG_INFINITY, f32::max);
            Ok((maps, score))
        };
        lesson.run(set, &mut see, progress)
    }

    /// Returns the scorer for frames that `model` hasn't seen.
    fn scorer(&self, model: &dyn Model) -> Result<HeldOutScorer, EngineError> {
        let (teacher, recipe, view) = (self.teacher, self.recipe, self.view());
        let Some(onnx) = model.distances(teacher, view) else {
            let onnx = model.onnx(teacher, view, None);
            let zones = self.zones.cloned().map_or(ImageScore::Model, ImageScore::Zones);
            let scorer = Scorer::new(&onnx, recipe, self.threads)?.with_image_score(zones);
            return Ok(HeldOutScorer::Own(Box::new(scorer)));
        };
        let options = Options { threads: self.threads, ..Options::default() };
        let network = TiledNetwork::load(onnx, &recipe, &[DISTANCES], options)?;
        let grid = match network.output_shapes() {
            [shape] => shape
                .as_slice()
                .try_into()
                .map_or([0; 2], |[_, _, rows, columns]: [usize; 4]| [rows, columns]),
            _ => [0; 2],
        };
        let preparer = Preparer::new(recipe);
        Ok(HeldOutScorer::Common(Box::new(DistanceMaps { network, preparer, grid, input: vec![] })))
    }
}

/// The scorer of a fold's frames.
enum HeldOutScorer {
    /// The method's own score.
    Own(Box<Scorer>),
    /// Maps of distances, from which the score is computed once all are known.
    Common(Box<DistanceMaps>),
}

struct DistanceMaps {
    network: TiledNetwork,
    preparer: Preparer,
    /// Rows and columns of the maps.
    grid: [usize; 2],
    input: Vec<f32>,
}

impl DistanceMaps {
    /// Computes the map of each tile, or of all of them together.
    fn of_file(&mut self, path: &std::path::Path) -> Result<Vec<Vec<f32>>, CrossFitError> {
        let decoded = |source: DecodeError| FeatureError::Decode { path: path.to_owned(), source };
        let frame = decode_file(path).map_err(decoded)?;
        let prepared = self.preparer.prepare(&frame, &mut self.input);
        prepared.map_err(|source| FeatureError::Prepare { what: path.display().to_string(), source })?;
        let mut maps = vec![];
        for map in self.network.run(&self.input)?.into_iter().flatten() {
            if map.iter().any(|x| !x.is_finite()) {
                return Err(FeatureError::NotFinite { what: path.display().to_string() }.into());
            }
            maps.push(map);
        }
        Ok(maps)
    }
}

/// Returns how often [`CrossFit::run`] calls its `progress`, for this many parts with this many frames in total, and this many
/// images of defects.
#[must_use]
pub fn steps(parts: usize, frames: usize, defects: usize) -> usize {
    // Every part is in all but one of the folds' models, is scored once, and is in the final model.
    let fitting = (FOLDS - 1) * frames + parts + frames;
    if defects > 0 { fitting + defects + parts } else { fitting }
}

/// Assigns a fold to each part; the folds' sizes differ by at most one part.
fn folds(count: usize, seed: u64) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..count).map(|part| part % FOLDS).collect();
    Seeded::new(seed, STREAM).shuffle(&mut folds);
    folds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_even_and_seeded() {
        for count in 5..60 {
            let dealt = folds(count, 1);
            let sizes: Vec<usize> = (0..FOLDS).map(|f| dealt.iter().filter(|&&x| x == f).count()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
        assert_eq!(folds(50, 1), folds(50, 1));
        assert_ne!(folds(50, 1), folds(50, 2));
    }
}
