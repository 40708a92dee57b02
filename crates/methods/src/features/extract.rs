//! Computes features of frames with the judge's engine.

use std::path::{Path, PathBuf};

use judge::{DecodeError, EngineError, Frame, Network, PrepareError, Preparer, decode_file};
use shared_format::{Recipe, Size};

use super::flip::Flip;
use super::graph::{Levels, add_features, shape};
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

/// The features of one tile or its mirrored copy: a vector for each position, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Length of a vector.
    pub channels: usize,
    /// positions × channels values.
    pub vectors: Vec<f32>,
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
        Ok(Self { network, preparer: Preparer::new(recipe), flip, input: vec![], shape, groups })
    }

    /// Returns the channels, rows and columns of a tile's features.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Returns the channels of each backbone level, in order.
    #[must_use]
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Returns the number of samples of a frame: its tiles and their mirrored copies.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.preparer.recipe().tiles.count() * self.flip.copies()
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
        let [channels, rows, columns] = self.shape;
        let Recipe { input: Size { width, height }, tiles, .. } = *self.preparer.recipe();
        let mut found = Vec::with_capacity(self.samples());
        let length = self.input.len() / tiles.count();
        for tile in self.input.chunks_exact_mut(length) {
            for copy in 0..self.flip.copies() {
                if copy > 0 {
                    self.flip.mirror(tile, height as usize, width as usize);
                }
                let planes = self.network.run(tile)?.swap_remove(0);
                if planes.iter().any(|x| !x.is_finite()) {
                    return Err(FeatureError::NotFinite { what: what.to_owned() });
                }
                found.push(Features { channels, vectors: by_position(&planes, rows * columns) });
            }
        }
        Ok(found)
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
