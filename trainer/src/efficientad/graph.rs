//! Builds the exported model: image → teacher, student and autoencoder → two maps → anomaly map and score.

use methods::features::{Levels, add_features_of};
use methods::image_score::ImageScorer;
use networks::onnx::{GraphBuilder, Value};
use networks::resample::{bilinear, gaussian, zero_padded};
use networks::teacher::Teacher;
use networks::{
    Chain, ChainStep, ModelState, StateError, Weights, array_of, normalise, to_onnx, without_negligible,
};
use shared_format::Size;

use super::layout::EfficientAdLayout;
use super::statistics::{MapScale, TEACHER, TRUNK};
use crate::channels::{Channels, standardised};

/// Names of the outputs beside `anomaly_map` and `score`: where the student differs from the teacher, and where from the
/// autoencoder; 1×1×h×w each, 0 at the 0.9 quantile of the selection images and 0.1 at the 0.995 quantile.
pub const MAP_OUTPUTS: [&str; 2] = ["map_structural", "map_logical"];

/// The result of training.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// How the networks are laid out.
    pub layout: EfficientAdLayout,
    /// `student.…` and `autoencoder.…`.
    pub weights: Weights,
    /// The channels of the features to learn.
    pub channels: Channels,
    /// The channels of the level that the student starts from, if it starts from one.
    pub trunk: Option<Channels>,
    /// The scales of [`MAP_OUTPUTS`].
    pub scales: [MapScale; 2],
    /// The score of the weighted mean of [`MAP_OUTPUTS`]; `None` for the paper's score.
    pub image_score: Option<ImageScorer>,
}

impl Trained {
    /// Reads it from a run's state.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(layout: EfficientAdLayout, state: ModelState) -> Result<Self, StateError> {
        let image_score = ImageScorer::from_state(&state)?;
        let weights = state.weights;
        let (channels, trunk) = layout.channels(&weights)?;
        let [structural, logical] = MAP_OUTPUTS.map(|name| MapScale::from_state(&weights, name));
        Ok(Self { layout, weights, channels, trunk, scales: [structural?, logical?], image_score })
    }
}

/// Builds the ONNX model for input size `input`.
///
/// With T̂ the teacher's features, scaled to mean 0 and deviation 1, S and S′ the two halves of the student's and A the
/// autoencoder's:
/// * `map_structural` = 0.1 (m − q₀.₉) / (q₀.₉₉₅ − q₀.₉), m = mean over the channels of (T̂ − S)²; `map_logical` is the
///   same of (A − S′)²;
/// * with an image score, it computes `anomaly_map` and `score` from their weighted mean, see [`EfficientAdLayout::logical_share`];
/// * without one, `score` is the maximum of that mean, and `anomaly_map` is the mean, resized to the image: padded with 4 zeros for
///   patch description networks, otherwise smoothed by a Gaussian of `smoothing` positions.
///
/// # Errors
/// If a tensor is missing or has the wrong shape; the error names it.
pub fn build(
    teacher: &Teacher,
    trained: &Trained,
    input: Size,
    smoothing: f64,
) -> Result<Vec<u8>, StateError> {
    let sides = [input.height as usize, input.width as usize];
    let layout = trained.layout;
    let mut graph = GraphBuilder::new("efficientad");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, sides[0], sides[1]]);
    let normalised = normalise(&teacher.network, g, &image);
    let (target, student_input) = match &trained.trunk {
        None => {
            let weights = scaled(teacher, &trained.channels)?;
            let levels = to_onnx(&teacher.network, &weights, g, &normalised, "teacher.");
            (levels.into_iter().next().ok_or(StateError::missing("teacher"))?, normalised.clone())
        }
        Some(trunk) => {
            let levels = to_onnx(&teacher.network, &teacher.weights, g, &normalised, "teacher.");
            let features = add_features_of(&levels, Levels::Coarse, g, &image);
            let target = standardised(g, &features, &trained.channels, TEACHER);
            let level = levels.first().ok_or(StateError::missing("teacher"))?;
            (target, standardised(g, level, trunk, TRUNK))
        }
    };
    let [structural, logical] = student(g, trained, &student_input)?;
    let reproduced = layout.autoencoder(input).to_onnx(&trained.weights, g, &normalised, "autoencoder.")?;
    let features = layout.features();
    let [structural_scale, logical_scale] = &trained.scales;
    let structural = scaled_distance(g, (&target, &structural), structural_scale, features);
    let logical = scaled_distance(g, (&reproduced, &logical), logical_scale, features);
    for (name, map) in MAP_OUTPUTS.into_iter().zip([&structural, &logical]) {
        g.output(name, map);
    }
    let mean = weighted_mean(g, &structural, &logical, layout.logical_share());
    if let Some(image_score) = &trained.image_score {
        image_score.add(g, &mean, None, input);
        return Ok(graph.finish());
    }
    let [rows, columns] = [0, 1].map(|axis| {
        let (length, to) = (mean.shape()[2 + axis], sides[axis]);
        match layout {
            EfficientAdLayout::Patches(_) => {
                let margin = layout.margin();
                bilinear(length + 2 * margin, to).after(&zero_padded(length, margin))
            }
            EfficientAdLayout::Trunk { .. } => bilinear(length, to).after(&gaussian(length, smoothing)),
        }
    });
    let map = g.resample(&mean, &rows, &columns);
    g.output("anomaly_map", &map);
    // Before the zero padding, which would hide that a whole map is below 0.
    let score = g.mean_of_largest(&mean, 1);
    g.output("score", &score);
    Ok(graph.finish())
}

/// Adds (1 − share) a + share b.
fn weighted_mean(g: &mut GraphBuilder, a: &Value, b: &Value, share: f32) -> Value {
    let [of_a, of_b] = [1.0 - share, share].map(|share| g.scalar(share));
    let [a, b] = [g.mul(a, &of_a), g.mul(b, &of_b)];
    g.add(&a, &b)
}

/// Folds the channels' scaling into the last convolution of the teacher's weights.
fn scaled(teacher: &Teacher, channels: &Channels) -> Result<Weights, StateError> {
    let mut weights = teacher.weights.clone();
    let last = teacher.network.convs().last().map(|conv| conv.name.clone()).unwrap_or_default();
    let mut change = |part: &str, f: &dyn Fn(f64, usize) -> f64| {
        let name = format!("{last}.{part}");
        let array = weights.get_mut(&name).ok_or_else(|| StateError::missing(name.clone()))?;
        let per_channel = (array.data.len() / channels.mean.len()).max(1);
        for (channel, values) in array.data.chunks_mut(per_channel).enumerate() {
            for value in values {
                *value = (f(f64::from(*value), channel) / f64::from(channels.deviation[channel])) as f32;
            }
        }
        Ok::<_, StateError>(())
    };
    change("weight", &|w, _| w)?;
    change("bias", &|b, channel| b - f64::from(channels.mean[channel]))?;
    Ok(weights)
}

/// Adds the two halves of the student's features: one chain whose last convolution is split in two.
fn student(g: &mut GraphBuilder, trained: &Trained, student_input: &Value) -> Result<[Value; 2], StateError> {
    let Chain { mut steps } = trained.layout.student();
    let Some(ChainStep::Conv(last)) = steps.pop() else { return Err(StateError::Sides("student")) };
    let before = Chain { steps }.to_onnx(&trained.weights, g, student_input, "student.")?;
    let mut half = |index: usize| {
        let mut constant = |part: &str, shape: &[usize]| {
            let name = format!("student.{}.{part}", last.name);
            let array = array_of(&trained.weights, &name, shape)?;
            let count = array.data.len() / 2;
            let mut halved = shape.to_vec();
            halved[0] /= 2;
            let values = without_negligible(&array.data[index * count..][..count]);
            Ok(g.constant(&format!("{name}.{index}"), &halved, &values))
        };
        let (weight, bias) = (constant("weight", &last.weight_shape())?, constant("bias", &[last.outputs])?);
        Ok::<_, StateError>(g.conv(&before, &weight, &bias, last.stride, (last.padding, last.padding), 1))
    };
    Ok([half(0)?, half(1)?])
}

/// Adds the mean over the channels of (a − b)², scaled.
fn scaled_distance(
    g: &mut GraphBuilder,
    (a, b): (&Value, &Value),
    scale: &MapScale,
    channels: usize,
) -> Value {
    let difference = g.sub(a, b);
    let square = g.mul(&difference, &difference);
    let sum = g.sum_channels(&square);
    // The mean's division and the scale are combined into one factor.
    let factor = g.scalar(scale.factor() / channels as f32);
    let offset = g.scalar(scale.low * scale.factor());
    let scaled = g.mul(&sum, &factor);
    g.sub(&scaled, &offset)
}
