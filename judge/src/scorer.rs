//! Frame → score and anomaly map. Knows no threshold: calibration scores normals with it, and verdicts rest on it.

use std::time::{Duration, Instant};

use shared_format::{Descriptor, ImageScore, Recipe, Tiles};

use crate::anomaly_map::AnomalyMap;
use crate::engine::{EngineError, Network, Options, unexpected_output};
use crate::fault::Fault;
use crate::frame::Frame;
use crate::image_score::{distance, features};
use crate::prepare::Preparer;
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
    Descriptor(Descriptor),
    Zones(ZoneScorer),
}

impl From<ImageScore> for ScoreRule {
    fn from(image_score: ImageScore) -> Self {
        match image_score {
            ImageScore::Model => Self::Model,
            ImageScore::Descriptor(descriptor) => Self::Descriptor(descriptor),
            ImageScore::Zones(zones) => Self::Zones(ZoneScorer::new(zones)),
        }
    }
}

/// A model and its recipe.
#[derive(Debug)]
pub struct Scorer {
    network: Network,
    preparer: Preparer,
    rule: ScoreRule,
    input: Vec<f32>,
}

impl Scorer {
    /// Loads a model that scores frames itself, with outputs `anomaly_map` (1×1×height×width) and `score` (1) for the
    /// recipe's input size, using the kernels with 32-bit floats.
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
        let (height, width) = (recipe.input.height as usize, recipe.input.width as usize);
        let shape = [1, 3, height, width];
        let network = Network::load_with(onnx, shape, &[MAP, SCORE], options)?;
        let [map, score] = network.output_shapes() else {
            return Err(EngineError::Model("it does not have two outputs".to_owned()));
        };
        let expected = [1, 1, height, width];
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

    /// Returns the network, for measurements.
    pub const fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Returns the multiply-adds for a frame with all its tiles; see [`Network::multiply_adds`].
    #[must_use]
    pub const fn multiply_adds(&self) -> u64 {
        self.network.multiply_adds() * self.preparer.recipe().tiles.count() as u64
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
        let Recipe { input, tiles, .. } = *self.preparer.recipe();
        let mut mosaic = Mosaic::new(tiles, input.width as usize, input.height as usize);
        let mut score = f32::NEG_INFINITY;
        let tile_len = self.input.len() / tiles.count();
        for (index, tile) in self.input.chunks_exact(tile_len).enumerate() {
            let outputs = self.network.run(tile)?;
            let [map, tile_score] = &outputs[..] else {
                return Err(EngineError::Run("it did not return two outputs".to_owned()).into());
            };
            let tile_score = tile_score.first().copied().unwrap_or(f32::NAN);
            check_finite("the score", tile_score)?;
            if let Some(&value) = map.iter().find(|v| !v.is_finite()) {
                check_finite("a value of the anomaly map", value)?;
            }
            score = score.max(tile_score);
            mosaic.insert_tile(index, map, self.preparer.ignored().of_tile(index));
        }
        let mut map = mosaic.map;
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

fn check_finite(what: &'static str, value: f32) -> Result<(), Fault> {
    if value.is_finite() { Ok(()) } else { Err(Fault::NotFinite { what, value }) }
}

/// Puts the tiles' maps side by side.
#[derive(Debug)]
pub struct Mosaic {
    /// The map of all tiles; a tile's part is 0 until it is placed.
    pub map: AnomalyMap,
    columns: usize,
    tile_width: usize,
    tile_height: usize,
}

impl Mosaic {
    /// Creates the map of tiles of this size, without any.
    #[must_use]
    pub fn new(tiles: Tiles, tile_width: usize, tile_height: usize) -> Self {
        let columns = usize::from(tiles.columns);
        let (width, height) = (columns * tile_width, usize::from(tiles.rows) * tile_height);
        let map = AnomalyMap { width, height, values: vec![0.0; width * height], ignored: vec![] };
        Self { map, columns, tile_width, tile_height }
    }

    /// Places a tile's map, and its ignored positions; `ignored` is empty if there are none.
    pub fn insert_tile(&mut self, index: usize, tile: &[f32], ignored: &[bool]) {
        let corner = [index % self.columns * self.tile_width, index / self.columns * self.tile_height];
        let AnomalyMap { width, values, ignored: all_ignored, .. } = &mut self.map;
        paste(tile, self.tile_width, values, *width, corner);
        if !ignored.is_empty() {
            all_ignored.resize(values.len(), false);
            paste(ignored, self.tile_width, all_ignored, *width, corner);
        }
    }
}

/// Copies the rows of `tile` into `whole`, with its upper left corner at `[left, top]`.
fn paste<T: Copy>(tile: &[T], tile_width: usize, whole: &mut [T], width: usize, [left, top]: [usize; 2]) {
    for (y, row) in tile.chunks_exact(tile_width).enumerate() {
        let start = (top + y) * width + left;
        if let Some(out) = whole.get_mut(start..start + row.len()) {
            out.copy_from_slice(row);
        }
    }
}
