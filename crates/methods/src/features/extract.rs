//! Computes features of frames with the judge's engine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use judge::{DecodeError, EngineError, Frame, Network, PrepareError, Preparer, decode_file};
use shared_format::{Recipe, Size, Tiles};

use super::flip::Flip;
use super::graph::{Levels, add_features, shape};
use super::tile_grid::TileGrid;
use crate::dyn_method::DynMethod;
use networks::onnx::GraphBuilder;
use networks::teacher::Teacher;

/// Why a frame has no features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The backbone doesn't run.
    #[error("the teacher does not run ({0}); import it again")]
    Engine(#[from] EngineError),
    /// An image doesn't decode.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// A frame doesn't fit the recipe.
    #[error("{what}: {source}; put the image back, or leave it out")]
    Prepare {
        /// The image or part.
        what: String,
        /// What is wrong.
        source: PrepareError,
    },
    /// A feature is infinite or NaN.
    #[error("{what} gives features that are not finite; import the teacher again, or leave the image out")]
    NotFinite {
        /// The image or part.
        what: String,
    },
}

/// The features of one tile, or of a frame's tiles together, or of their mirrored copies: a vector for each position, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Length of a vector.
    pub channels: usize,
    /// positions × channels values.
    pub vectors: Vec<f32>,
}

/// What it takes to compute a frame's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameCost {
    /// Multiply-adds of all tiles.
    pub multiply_adds: u64,
    /// Time on this machine.
    pub time: Duration,
}

impl fmt::Display for FrameCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gmac, ms) = (self.multiply_adds as f64 / 1e9, self.time.as_secs_f64() * 1e3);
        write!(f, "{gmac:.2} GMAC and {ms:.0} ms")
    }
}

/// Turns frames into features.
#[derive(Debug)]
pub struct Extractor {
    network: Network,
    preparer: Preparer,
    flip: Flip,
    input: Vec<f32>,
    shape: [usize; 3],
    groups: Vec<usize>,
    /// How the features of a frame's tiles are put together; `None` if each is a sample of its own.
    together: Option<TileGrid>,
}

impl Extractor {
    /// Makes an extractor for frames prepared by `recipe`, and their mirrored copies; `threads` as in [`Network::load`].
    ///
    /// # Errors
    /// If the engine can't run the teacher.
    pub fn new(
        teacher: &Teacher,
        recipe: Recipe,
        flip: Flip,
        levels: Levels,
        threads: usize,
    ) -> Result<Self, FeatureError> {
        let (shape, groups) = shape(teacher, levels, recipe.input);
        let input = [1, 3, recipe.input.height as usize, recipe.input.width as usize];
        let mut graph = GraphBuilder::new("features");
        let image = graph.input("image", &input);
        let features = add_features(teacher, levels, &mut graph, &image);
        graph.output("features", &features);
        let network = Network::load(&graph.finish(), input, &["features"], threads)?;
        let preparer = Preparer::new(recipe);
        Ok(Self { network, preparer, flip, input: vec![], shape, groups, together: None })
    }

    /// Makes an extractor of the features that a method learns from.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_method(
        method: &dyn DynMethod,
        teacher: &Teacher,
        recipe: Recipe,
        flip: Flip,
        threads: usize,
    ) -> Result<Self, FeatureError> {
        let extractor = Self::new(teacher, recipe, flip, method.levels(), threads)?;
        Ok(if method.judges_frames() { extractor.together() } else { extractor })
    }

    /// Makes the features of a frame's tiles together one sample.
    #[must_use]
    pub fn together(mut self) -> Self {
        let ([channels, rows, columns], tiles) = (self.shape, self.preparer.recipe().tiles);
        if tiles != Tiles::ONE {
            let grid = TileGrid::new(tiles, [rows, columns]);
            let [rows, columns] = grid.whole();
            (self.together, self.shape) = (Some(grid), [channels, rows, columns]);
        }
        self
    }

    /// Measures what a frame takes: a blank one, twice, of which the faster counts.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn cost(&mut self) -> Result<FrameCost, FeatureError> {
        let tiles = self.preparer.recipe().tiles.count();
        let frame = vec![0.5; tiles * self.network.input_len()];
        let mut time = Duration::MAX;
        for _ in 0..2 {
            let start = Instant::now();
            self.network.run_each(&frame)?;
            time = time.min(start.elapsed());
        }
        Ok(FrameCost { multiply_adds: self.network.multiply_adds() * tiles as u64, time })
    }

    /// Returns the channels, rows and columns of a sample's features.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Returns the channels of each backbone level, in order.
    #[must_use]
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Returns the number of samples of a frame: its tiles, or all of them together, and their mirrored copies.
    #[must_use]
    pub fn samples(&self) -> usize {
        let tiles = if self.together.is_some() { 1 } else { self.preparer.recipe().tiles.count() };
        tiles * self.flip.copies()
    }

    /// Computes the features of an image file, one for each of its [`Self::samples`].
    ///
    /// # Errors
    /// If it doesn't decode; see also [`Self::of_frame`].
    pub fn of_file(&mut self, path: &Path) -> Result<Vec<Features>, FeatureError> {
        let frame =
            decode_file(path).map_err(|source| FeatureError::Decode { path: path.to_owned(), source })?;
        self.of_frame(&frame, &path.display().to_string())
    }

    /// Computes the features of a frame, one for each of its [`Self::samples`]; `what` names it in errors.
    ///
    /// # Errors
    /// If the frame doesn't fit the recipe, the engine fails, or a feature is not finite.
    pub fn of_frame(&mut self, frame: &Frame, what: &str) -> Result<Vec<Features>, FeatureError> {
        let prepared = self.preparer.prepare(frame, &mut self.input);
        prepared.map_err(|source| FeatureError::Prepare { what: what.to_owned(), source })?;
        let channels = self.shape[0];
        let (Recipe { input: Size { width, height }, tiles, .. }, copies) =
            (*self.preparer.recipe(), self.flip.copies());
        let length = self.input.len() / tiles.count();
        let mut inputs = Vec::with_capacity(self.input.len() * copies);
        for tile in self.input.chunks_exact_mut(length) {
            inputs.extend_from_slice(tile);
            if copies > 1 {
                self.flip.mirror(tile, height as usize, width as usize);
                inputs.extend_from_slice(tile);
            }
        }
        let mut found = Vec::with_capacity(tiles.count() * copies);
        for planes in self.network.run_each(&inputs)?.into_iter().flatten() {
            if planes.iter().any(|x| !x.is_finite()) {
                return Err(FeatureError::NotFinite { what: what.to_owned() });
            }
            found.push(by_position(&planes, planes.len() / channels));
        }
        if let Some(grid) = self.together {
            found = (0..copies).map(|copy| self.put_together(grid, &found, copy)).collect();
        }
        Ok(found.into_iter().map(|vectors| Features { channels, vectors }).collect())
    }

    /// Returns the vectors of the frame, or of its mirrored copy (1), from those of each tile and its mirrored copy.
    fn put_together(&self, grid: TileGrid, tiles: &[Vec<f32>], copy: usize) -> Vec<f32> {
        let (channels, copies) = (self.shape[0], self.flip.copies());
        let positions = tiles.first().map_or(1, |tile| tile.len() / channels);
        let layout = self.preparer.recipe().tiles;
        let mut vectors = Vec::with_capacity(self.shape.iter().product());
        for source in grid.sources() {
            let place = source / positions;
            let tile = if copy > 0 { self.flip.mirrored_tile(place, layout) } else { place };
            let from = source % positions * channels;
            vectors.extend_from_slice(&tiles[tile * copies + copy][from..from + channels]);
        }
        vectors
    }
}

/// Transposes channels × positions to positions × channels.
fn by_position(planes: &[f32], positions: usize) -> Vec<f32> {
    let channels = planes.len() / positions;
    let mut vectors = vec![0.0; planes.len()];
    for (channel, plane) in planes.chunks_exact(positions).enumerate() {
        for (position, &x) in plane.iter().enumerate() {
            vectors[position * channels + channel] = x;
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::by_position;

    #[test]
    fn planes_become_vectors() {
        assert_eq!(by_position(&[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], 3), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
    }
}
