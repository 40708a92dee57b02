//! Frame → score and anomaly map. Knows no threshold: calibration scores normals with it, and verdicts rest on it.

use std::time::{Duration, Instant};

use shared_format::{Descriptor, ImageScore, Recipe, Size, TaughtDefects};

use crate::anomaly_map::AnomalyMap;
use crate::engine::{EngineError, Network, Options, TiledNetwork, unexpected_output};
use crate::fault::Fault;
use crate::frame_area::FrameArea;
use crate::ignore_mask::IgnoredPixels;
use crate::image_score::{distance, features};
use crate::prepare::Preparer;
use crate::tiles::blend;
use crate::zones::{ZoneEvidence, ZoneScorer};

/// Name of the model's output with an anomaly value per input pixel.
const MAP: &str = "anomaly_map";
/// Name of the model's output with one value per image.
const SCORE: &str = "score";
/// Name of an output that a model may have: the map that its score is computed from, enlarged like [`MAP`]. Zones are scored by it.
const SCORE_MAP: &str = "score_map";
/// Name of the output with the likeness to taught defects at each input pixel.
const DEFECT_MAP: &str = "defect_map";
/// Name of the output with the likeness to each kind of taught defects. The output `defect_score` is the largest of them.
const DEFECT_KINDS: &str = "defect_kinds";

/// Wall-clock time of each stage of one frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Bytes → frame; zero if a frame was given.
    pub decode: Duration,
    /// Frame → network input.
    pub prepare: Duration,
    /// The network, all tiles.
    pub infer: Duration,
    /// Score → region and verdict.
    pub decide: Duration,
}

impl StageTimes {
    /// Returns the time of all stages together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.decode + self.prepare + self.infer + self.decide
    }
}

/// What the network says about a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameScore {
    /// Defined by [`ImageScore`]; larger is more anomalous. Finite.
    pub score: f32,
    /// The anomaly map. All values are finite.
    pub map: AnomalyMap,
    /// The scores of the zones; `None` if the image score has no zones.
    pub zones: Option<ZoneEvidence>,
    /// How much the frame resembles taught defects; `None` if none were taught.
    pub likeness: Option<Likeness>,
    /// How long each stage took.
    pub times: StageTimes,
}

/// How much a frame resembles the taught defects.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// In units of the score, to which it contributes; see [`TaughtDefects::scaled`]. Finite.
    pub score: f32,
    /// The index of the most similar kind in [`TaughtDefects::kinds`].
    pub kind: usize,
    /// The likeness at each position, not scaled. All values are finite.
    pub map: AnomalyMap,
}

/// An [`ImageScore`], ready to use.
#[derive(Debug)]
enum ScoreRule {
    Model,
    Descriptor(Box<Descriptor>),
    Zones(Box<ZoneScorer>),
}

impl From<ImageScore> for ScoreRule {
    fn from(image_score: ImageScore) -> Self {
        match image_score {
            ImageScore::Model => Self::Model,
            ImageScore::Descriptor(descriptor) => Self::Descriptor(Box::new(descriptor)),
            ImageScore::Zones(zones) => Self::Zones(Box::new(ZoneScorer::new(zones))),
        }
    }
}

/// A model and its recipe.
#[derive(Debug)]
pub struct Scorer {
    network: TiledNetwork,
    preparer: Preparer,
    rule: ScoreRule,
    has_score_map: bool,
    defects: Option<TaughtDefects>,
    input: Vec<f32>,
}

impl Scorer {
    /// Loads a model that scores frames itself, with outputs `anomaly_map` (1×1×height×width) and `score` (1) for the
    /// recipe's input size, using the kernels with 32-bit floats. With several tiles, it may also judge all of them together; the map
    /// is then that of [`Recipe::picture`] (see [`TiledNetwork`]). Zones are scored by the output `score_map` (1×1×height×width) if there
    /// is one, else by `anomaly_map`.
    ///
    /// # Errors
    /// [`EngineError`] if the bytes are not such a model.
    pub fn new(onnx: &[u8], recipe: Recipe, threads: usize) -> Result<Self, EngineError> {
        Self::new_with(onnx, recipe, Options { threads, ..Options::default() })
    }

    /// Like [`Self::new`], with options. If `onnx` is passed by value, it is freed as soon as it has been read.
    ///
    /// # Errors
    /// As [`Self::new`], and [`EngineError::Half`] if nothing can compute with the arithmetic.
    pub fn new_with(onnx: impl Into<Vec<u8>>, recipe: Recipe, options: Options) -> Result<Self, EngineError> {
        Self::taught(onnx, recipe, None, options)
    }

    /// Like [`Self::new_with`], for a model that also has the outputs `defect_map` (1×1×height×width) and `defect_kinds` (1×kinds)
    /// if `defects` are given.
    ///
    /// # Errors
    /// As [`Self::new_with`].
    pub fn taught(
        onnx: impl Into<Vec<u8>>,
        recipe: Recipe,
        defects: Option<TaughtDefects>,
        options: Options,
    ) -> Result<Self, EngineError> {
        let outputs = [MAP, SCORE, DEFECT_MAP, DEFECT_KINDS];
        let outputs = if defects.is_some() { &outputs[..] } else { &[MAP, SCORE] };
        let network = TiledNetwork::load_with(onnx, &recipe, outputs, Some(SCORE_MAP), options)?;
        let Size { width, height } = if network.judges_frames() { recipe.picture() } else { recipe.input };
        let (height, width) = (height as usize, width as usize);
        let kinds = defects.as_ref().map_or(0, |defects| defects.kinds.len());
        let has_score_map = network.output_shapes().len() > outputs.len();
        for (name, found) in outputs.iter().copied().chain([SCORE_MAP]).zip(network.output_shapes()) {
            let (fits, expected) = match name {
                SCORE => (found.iter().product::<usize>() == 1, vec![1]),
                DEFECT_KINDS => (found[..] == [1, kinds], vec![1, kinds]),
                _ => (found[..] == [1, 1, height, width], vec![1, 1, height, width]),
            };
            if !fits {
                return Err(unexpected_output(name, found, &expected));
            }
        }
        Ok(Self {
            network,
            preparer: Preparer::new(recipe),
            rule: ScoreRule::Model,
            has_score_map,
            defects,
            input: Vec::new(),
        })
    }

    /// Returns the same scorer with another kind of image score.
    #[must_use]
    pub fn with_image_score(self, image_score: ImageScore) -> Self {
        Self { rule: image_score.into(), ..self }
    }

    /// Returns the network that runs on each tile, for measurements.
    pub const fn network(&mut self) -> &mut Network {
        self.network.tile_network()
    }

    /// Returns the network that runs on the features of all tiles, for measurements; `None` if tiles are judged one by one.
    pub const fn frame_network(&mut self) -> Option<&mut Network> {
        self.network.frame_network()
    }

    /// Returns the multiply-adds for a frame with all its tiles; see [`Network::multiply_adds`].
    #[must_use]
    pub const fn multiply_adds(&self) -> u64 {
        self.network.multiply_adds()
    }

    /// Returns the recipe that frames are prepared by.
    #[must_use]
    pub const fn recipe(&self) -> &Recipe {
        self.preparer.recipe()
    }

    /// Scores a frame.
    ///
    /// # Errors
    /// [`Fault`] if the frame doesn't suit the recipe, the engine fails, or the score or a map value is not finite.
    pub fn score<'f>(&mut self, frame: impl Into<FrameArea<'f>>) -> Result<FrameScore, Fault> {
        self.score_area(frame.into())
    }

    fn score_area(&mut self, frame: FrameArea<'_>) -> Result<FrameScore, Fault> {
        let start = Instant::now();
        let movement = self.preparer.prepare(frame, &mut self.input)?;
        let prepared = Instant::now();
        let mut score = f32::NEG_INFINITY;
        let (mut maps, mut score_maps, mut defect_maps) = (vec![], vec![], vec![]);
        let (mut largest, mut most_like) = (f32::NEG_INFINITY, 0);
        for outputs in self.network.run(&self.input)? {
            let mut outputs = outputs.into_iter();
            let (Some(map), Some(own_score)) = (outputs.next(), outputs.next()) else {
                return Err(EngineError::Run("it did not return two outputs".to_owned()).into());
            };
            let own_score = own_score.first().copied().unwrap_or(f32::NAN);
            check_finite("the score", own_score)?;
            check_all_finite("a value of the anomaly map", &map)?;
            score = score.max(own_score);
            maps.push(map);
            let score_map = if self.has_score_map { outputs.next_back() } else { None };
            if let Some(map) = score_map {
                check_all_finite("a value of the score map", &map)?;
                score_maps.push(map);
            }
            if let (Some(map), Some(kinds)) = (outputs.next(), outputs.next()) {
                check_all_finite("a value of the defect map", &map)?;
                check_all_finite("the likeness to a defect", &kinds)?;
                defect_maps.push(map);
                for (kind, &value) in kinds.iter().enumerate() {
                    if value > largest {
                        (largest, most_like) = (value, kind);
                    }
                }
            }
        }
        let mut map = frame_map(self.preparer.recipe(), self.preparer.ignored(), maps);
        let mut zones = None;
        match &mut self.rule {
            ScoreRule::Model => {}
            ScoreRule::Descriptor(descriptor) => score = distance(descriptor, &features(&map, score)),
            ScoreRule::Zones(scorer) => {
                let scored = if score_maps.is_empty() {
                    scorer.score(&map)
                } else {
                    scorer.score(&frame_map(self.preparer.recipe(), self.preparer.ignored(), score_maps))
                };
                score = scored.deciding().map_or(f32::NAN, |zone| zone.score);
                zones = Some(scored);
            }
        }
        // People look for a defect where it is in the frame.
        if let Some(movement) = movement {
            map.warp_back(movement);
            if let Some(zones) = &mut zones {
                zones.warp_back([map.width, map.height], movement);
            }
        }
        map.blank_ignored();
        let likeness = self.defects.as_ref().map(|defects| {
            let mut map = frame_map(self.preparer.recipe(), self.preparer.ignored(), defect_maps);
            if let Some(movement) = movement {
                map.warp_back(movement);
            }
            map.blank_ignored();
            Likeness { score: defects.scaled(largest), kind: most_like, map }
        });
        if let Some(likeness) = &likeness {
            check_finite("the likeness to a defect", likeness.score)?;
            score = score.max(likeness.score);
        }
        let times = StageTimes { prepare: prepared - start, infer: prepared.elapsed(), ..Default::default() };
        check_finite("the score", score)?;
        Ok(FrameScore { score, map, zones, likeness, times })
    }
}

/// Makes the frame's map of those that the network returned: one, or one of each tile.
#[must_use]
pub fn frame_map(recipe: &Recipe, ignored: &IgnoredPixels, mut maps: Vec<Vec<f32>>) -> AnomalyMap {
    let Size { width, height } = recipe.picture();
    let values = if maps.len() == 1 {
        maps.swap_remove(0)
    } else {
        blend(maps.iter().map(Vec::as_slice), recipe.tiles, recipe.input)
    };
    let ignored = ignored.of_picture().to_vec();
    AnomalyMap { width: width as usize, height: height as usize, values, ignored }
}

fn check_finite(what: &'static str, value: f32) -> Result<(), Fault> {
    if value.is_finite() { Ok(()) } else { Err(Fault::NotFinite { what, value }) }
}

fn check_all_finite(what: &'static str, values: &[f32]) -> Result<(), Fault> {
    values.iter().find(|value| !value.is_finite()).map_or(Ok(()), |&value| check_finite(what, value))
}
