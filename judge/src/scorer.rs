//! Frame → score and anomaly map. Knows no threshold: calibration scores normals with it, and verdicts rest on it.

use std::time::{Duration, Instant};

use shared_format::{Descriptor, ImageScore, Recipe, Size};

use crate::anomaly_map::AnomalyMap;
use crate::engine::{EngineError, Network, Options, TiledNetwork, unexpected_output};
use crate::fault::Fault;
use crate::frame::Frame;
use crate::ignore_mask::IgnoredPixels;
use crate::image_score::{distance, features};
use crate::prepare::Preparer;
use crate::tiles::blend;
use crate::zones::{ZoneEvidence, ZoneScorer};

/// Name of the model's output with an anomaly value per input pixel.
const MAP: &str = "anomaly_map";
/// Name of the model's output with one value per image.
const SCORE: &str = "score";

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
    /// How long each stage took.
    pub times: StageTimes,
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
    input: Vec<f32>,
}

impl Scorer {
    /// Loads a model that scores frames itself, with outputs `anomaly_map` (1×1×height×width) and `score` (1) for the
    /// recipe's input size, using the kernels with 32-bit floats. With several tiles, it may also judge all of them together; the map
    /// is then that of [`Recipe::picture`] (see [`TiledNetwork`]).
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
    pub fn new_with(onnx: impl AsRef<[u8]>, recipe: Recipe, options: Options) -> Result<Self, EngineError> {
        let network = TiledNetwork::load(onnx, &recipe, &[MAP, SCORE], options)?;
        let Size { width, height } = if network.judges_frames() { recipe.picture() } else { recipe.input };
        let [map, score] = network.output_shapes() else {
            return Err(EngineError::Model("it does not have two outputs".to_owned()));
        };
        let expected = [1, 1, height as usize, width as usize];
        if map[..] != expected {
            return Err(unexpected_output(MAP, map, &expected));
        }
        if score.iter().product::<usize>() != 1 {
            return Err(unexpected_output(SCORE, score, &[1]));
        }
        Ok(Self { network, preparer: Preparer::new(recipe), rule: ScoreRule::Model, input: Vec::new() })
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
    pub fn score(&mut self, frame: &Frame) -> Result<FrameScore, Fault> {
        let start = Instant::now();
        let movement = self.preparer.prepare(frame, &mut self.input)?;
        let prepared = Instant::now();
        let mut score = f32::NEG_INFINITY;
        let mut maps = vec![];
        for outputs in self.network.run(&self.input)? {
            let Ok([map, own_score]) = <[Vec<f32>; 2]>::try_from(outputs) else {
                return Err(EngineError::Run("it did not return two outputs".to_owned()).into());
            };
            let own_score = own_score.first().copied().unwrap_or(f32::NAN);
            check_finite("the score", own_score)?;
            if let Some(&value) = map.iter().find(|v| !v.is_finite()) {
                check_finite("a value of the anomaly map", value)?;
            }
            score = score.max(own_score);
            maps.push(map);
        }
        let mut map = frame_map(self.preparer.recipe(), self.preparer.ignored(), maps);
        let mut zones = None;
        match &mut self.rule {
            ScoreRule::Model => {}
            ScoreRule::Descriptor(descriptor) => score = distance(descriptor, &features(&map, score)),
            ScoreRule::Zones(scorer) => {
                let scored = scorer.score(&map);
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
        let times = StageTimes { prepare: prepared - start, infer: prepared.elapsed(), ..Default::default() };
        check_finite("the score", score)?;
        Ok(FrameScore { score, map, zones, times })
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
