//! One machine for the features at all positions.

use bundle::seeded::Seeded;
use networks::onnx::{GraphBuilder, Value};
use networks::teacher::Teacher;
use networks::{ModelState, StateError};
use shared_format::Size;

use super::graph::add_distance;
use super::machine::{Machine, SAMPLES};
use super::options::OneClassSvm;
use crate::features::{FeatureLevels, FeatureSet, Levels, Projection};
use crate::image_score::ImageScorer;
use crate::method::{self, DISTANCES, FitError, ProgressCallback, View};
use crate::reservoir::Reservoir;

const STREAM: u64 = 0x0c5;
/// Default narrowness of the kernel. The features at a part's positions form many small groups, which a wide kernel melts into one.
const GAMMA: f64 = 4.0;
const MEAN: &str = "projection.mean";
const MATRIX: &str = "projection.matrix";

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Maps features to the support vectors' dimensions.
    pub projection: Projection,
    /// The machine.
    pub machine: Machine,
}

/// See [`method::Method::fit`].
pub(super) fn fit(
    options: &OneClassSvm,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, FitError> {
    let [channels, rows, columns] = set.shape();
    let projection = set.projection(indices, options.dimensions.into(), seed)?;
    let mut reservoir = Reservoir::new(projection.outputs, SAMPLES, seed);
    let mut random = Seeded::new(seed, STREAM);
    // Each image contributes as many positions, chosen at random.
    let of_each = SAMPLES.div_ceil((indices.len() * set.samples()).max(1)).min(rows * columns);
    let mut places: Vec<usize> = (0..rows * columns).collect();
    for &index in indices {
        for sample in set.of(index)?.iter() {
            random.shuffle(&mut places);
            let at = |&place: &usize| &sample.vectors[place * channels..(place + 1) * channels];
            let chosen: Vec<f32> = places[..of_each].iter().flat_map(at).copied().collect();
            reservoir.add(&projection.apply(&chosen));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let machine = Machine::fit(&reservoir.finish(), projection.outputs, options.machine.settings(GAMMA));
    Ok(machine.map(|machine| Model { projection, machine }))
}

impl Model {
    /// Adds the distance at each position, 1×1×h×w, and returns the backbone's levels, too.
    fn add(&self, teacher: &Teacher, g: &mut GraphBuilder, input: Size) -> (Value, FeatureLevels) {
        let image = g.input("image", &[1, 3, input.height as usize, input.width as usize]);
        let levels = FeatureLevels::add(teacher, Levels::Coarse, g, &image);
        let projected = levels.project(&self.projection, "projection", g);
        (add_distance(g, &projected, &self.machine), levels)
    }
}

impl method::Model for Model {
    fn summary(&self) -> String {
        self.machine.summary()
    }

    fn state(&self) -> ModelState {
        let mut state = ModelState::default();
        let [mean, matrix] = self.projection.to_arrays();
        state.weights.extend([(MEAN.to_owned(), mean), (MATRIX.to_owned(), matrix)]);
        self.machine.store(&mut state);
        state
    }

    fn restore(state: &ModelState, _teacher: &Teacher, _view: View) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let projection =
            Projection::from_arrays(get(MEAN)?, get(MATRIX)?).ok_or(StateError::Sides("projection"))?;
        if projection.mean.iter().chain(&projection.matrix).any(|x| !x.is_finite()) {
            return Err(StateError::values("projection"));
        }
        let machine = Machine::restore(state, projection.outputs)?;
        Ok(Self { projection, machine })
    }

    fn onnx(&self, teacher: &Teacher, view: View, image_score: Option<&ImageScorer>) -> Vec<u8> {
        let mut graph = GraphBuilder::new("one-class-svm");
        let (distances, levels) = self.add(teacher, &mut graph, view.input);
        let plain;
        let image_score = match image_score {
            Some(image_score) => image_score,
            None => {
                plain = ImageScorer::plain([distances.shape()[2], distances.shape()[3]]);
                &plain
            }
        };
        image_score.add(&mut graph, &distances, Some(&levels), view.input);
        graph.finish()
    }

    fn distances(&self, teacher: &Teacher, view: View) -> Option<Vec<u8>> {
        let mut graph = GraphBuilder::new("one-class-svm");
        let (distances, _) = self.add(teacher, &mut graph, view.input);
        graph.output(DISTANCES, &distances);
        Some(graph.finish())
    }
}
