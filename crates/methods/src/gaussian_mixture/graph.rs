//! The exported model: image → features → their mean → distances from the components → score, and a map that repeats the score
//! everywhere.

use networks::onnx::GraphBuilder;
use networks::teacher::Teacher;
use shared_format::Size;

use super::model::Model;
use crate::features::{Levels, add_features, add_mean_vector, add_score_everywhere};

/// Builds the ONNX model for input size `input`.
///
/// With Dₖ² the squared Mahalanobis distance from component k and eₖ = ½ Dₖ² + its offset: `score` = √(−2 ln Σ exp(−eₖ) / channels),
/// about 1 on good parts. With one component, it is the Mahalanobis distance, as in [`crate::mahalanobis`].
pub(super) fn build(teacher: &Teacher, model: &Model, input: Size) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("gaussian-mixture");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let features = add_features(teacher, Levels::All, g, &image);
    let (channels, count) = (features.shape()[1], model.count());
    let over_positions = add_mean_vector(g, &features);
    let mean = g.constant("mixture.mean", &[1, channels], &model.mean);
    let mut part = g.sub(&over_positions, &mean);
    if let Some(whitening) = &model.whitening {
        let whitening = g.constant("mixture.whitening", &[channels, channels], whitening);
        part = g.mat_mul(&part, &whitening);
    }
    let centres = g.constant("mixture.centres", &[count, channels], &model.centres);
    let mut apart = g.sub(&part, &centres);
    if let Some(scale) = &model.scale {
        let scale = g.constant("mixture.scale", &[count, channels], scale);
        apart = g.mul(&apart, &scale);
    }
    let squares = g.mul(&apart, &apart);
    let mean_square = g.mean_of_last(&squares);
    let half = g.scalar(channels as f32 / 2.0);
    let half_square = g.mul(&mean_square, &half);
    let offsets = g.constant("mixture.offsets", &[count], &model.offsets);
    let exponents = g.add(&half_square, &offsets);
    // −ln Σ exp(−e) = m − ln Σ exp(m − e) with m = min e: no exponential is out of range.
    let exponents = g.reshape(&exponents, &[1, count, 1, 1]);
    let least = g.min_channels(&exponents);
    let relative = g.sub(&least, &exponents);
    let densities = g.exp(&relative);
    let sum = g.sum_channels(&densities);
    let log = g.log(&sum);
    let total = g.sub(&least, &log);
    let scale = g.scalar(2.0 / channels as f32);
    let square = g.mul(&total, &scale);
    let square = g.relu(&square);
    let score = g.sqrt(&square);
    let score = g.reshape(&score, &[1]);
    add_score_everywhere(g, &score, input);
    graph.finish()
}
