//! One machine for parts as a whole: the mean and the maximum of each channel over all positions.

use networks::onnx::{GraphBuilder, Value};
use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError};

use super::graph::add_distance;
use super::machine::{Machine, SAMPLES};
use super::options::OneClassSvmImage;
use crate::features::{
    ChannelStats, FeatureSet, Features, Levels, add_features, add_largest_vector, add_mean_vector,
    add_score_everywhere, largest_vector, mean_vector,
};
use crate::image_score::ImageScorer;
use crate::method::{self, FitError, ProgressCallback, View};
use crate::reservoir::Reservoir;

/// Default narrowness of the kernel: the median heuristic as it is.
const GAMMA: f64 = 1.0;
const MEAN: &str = "values.mean";
const SCALE: &str = "values.scale";

/// A fitted model. A part has two values for each channel: all means, then all maxima.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageModel {
    /// The mean of each value over good parts.
    pub mean: Vec<f32>,
    /// 1 / the deviation of each value.
    pub scale: Vec<f32>,
    /// The machine, for values in deviations from their mean.
    pub machine: Machine,
}

/// See [`method::Method::fit`].
pub(super) fn fit(
    options: &OneClassSvmImage,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<ImageModel>, FitError> {
    let mut reservoir = Reservoir::new(2 * set.shape()[0], SAMPLES, seed);
    for &index in indices {
        // Each tile and each mirrored copy is judged separately, so each is a sample.
        set.of(index)?.iter().for_each(|sample| reservoir.add(&values(sample)));
        if !progress() {
            return Ok(None);
        }
    }
    Ok(machine(options, &reservoir.finish(), 2 * set.shape()[0]))
}

fn values(features: &Features) -> Vec<f64> {
    let Features { channels, vectors } = features;
    [mean_vector(vectors, *channels), largest_vector(vectors, *channels)].concat()
}

fn machine(options: &OneClassSvmImage, parts: &[f64], values: usize) -> Option<ImageModel> {
    let stats = ChannelStats::of(parts, values);
    let standardised: Vec<f32> = stats.standardise(parts).iter().map(|&x| x as f32).collect();
    let machine = Machine::fit(&standardised, values, options.machine.settings(GAMMA))?;
    let mean = stats.mean.iter().map(|&m| m as f32).collect();
    let scale = stats.deviation.iter().map(|d| (1.0 / d) as f32).collect();
    Some(ImageModel { mean, scale, machine })
}

impl ImageModel {
    /// Adds a part's values in deviations from their mean: 1×values×1×1.
    fn add_values(&self, g: &mut GraphBuilder, features: &Value) -> Value {
        let (mean, largest) = (add_mean_vector(g, features), add_largest_vector(g, features));
        let all = g.concat_channels(&[mean, largest]);
        let shape = [1, self.mean.len()];
        let mean = g.constant(MEAN, &shape, &self.mean);
        let scale = g.constant(SCALE, &shape, &self.scale);
        let centred = g.sub(&all, &mean);
        let scaled = g.mul(&centred, &scale);
        g.reshape(&scaled, &[1, self.mean.len(), 1, 1])
    }
}

impl method::Model for ImageModel {
    fn summary(&self) -> String {
        self.machine.summary()
    }

    fn state(&self) -> ModelState {
        let mut state = ModelState::default();
        let array = |data: &[f32]| Array { shape: vec![data.len()], data: data.to_vec() };
        let arrays = [(MEAN, array(&self.mean)), (SCALE, array(&self.scale))];
        state.weights.extend(arrays.map(|(name, array)| (name.to_owned(), array)));
        self.machine.store(&mut state);
        state
    }

    fn restore(state: &ModelState, teacher: &Teacher, _view: View) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let (mean, scale) = (get(MEAN)?, get(SCALE)?);
        let levels = teacher.network.levels.iter();
        let values = 2 * levels.filter_map(|&level| teacher.network.channels(level)).sum::<usize>();
        if mean.shape != [values] || scale.shape != [values] {
            return Err(StateError::Sides("values"));
        }
        if mean.data.iter().chain(&scale.data).any(|x| !x.is_finite()) {
            return Err(StateError::values("values"));
        }
        let machine = Machine::restore(state, values)?;
        Ok(Self { mean: mean.data.clone(), scale: scale.data.clone(), machine })
    }

    fn onnx(&self, teacher: &Teacher, view: View, _image_score: Option<&ImageScorer>) -> Vec<u8> {
        let input = view.input;
        let mut graph = GraphBuilder::new("one-class-svm-image");
        let g = &mut graph;
        let image = g.input("image", &[1, 3, input.height as usize, input.width as usize]);
        let features = add_features(teacher, Levels::All, g, &image);
        let values = self.add_values(g, &features);
        let distance = add_distance(g, &values, &self.machine);
        let score = g.reshape(&distance, &[1]);
        add_score_everywhere(g, &score, input);
        graph.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_never_vary_and_few_parts_give_a_finite_model() {
        let parts = [[0.0, 1.0, 2.0], [0.0, 1.5, 1.0], [0.0, 0.5, 2.5]].concat();
        for parts in [&parts[..], &parts[..3], &[0.0; 6], &[1e5; 9]] {
            let model = machine(&OneClassSvmImage::default(), parts, 3).unwrap();
            let all = model.mean.iter().chain(&model.scale).chain(&model.machine.vectors);
            assert!(all.chain(&model.machine.weights).all(|x| x.is_finite()), "{model:?}");
            assert!(model.machine.gamma.is_finite() && model.machine.boundary > 0.0, "{model:?}");
        }
        assert!(machine(&OneClassSvmImage::default(), &[], 3).is_none());
    }
}
