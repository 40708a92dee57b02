//! The exported model: image → features → their mean → distance → score, and a map that repeats the score
//! everywhere.

use networks::onnx::GraphBuilder;
use networks::teacher::Teacher;
use shared_format::Size;

use super::model::Model;
use crate::features::{Levels, add_features, add_mean_vector, add_score_everywhere};

/// Builds the ONNX model for input size `input`.
///
/// With v = mean of the features over all positions − mean: `score` = √(v Σ⁻¹ vᵀ / channels), about 1 on good parts.
pub(super) fn build(teacher: &Teacher, model: &Model, input: Size) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("mahalanobis");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let features = add_features(teacher, Levels::All, g, &image);
    let channels = features.shape()[1];
    let over_positions = add_mean_vector(g, &features);
    let mean = g.constant("gaussian.mean", &[1, channels], &model.mean);
    let centred = g.sub(&over_positions, &mean);
    let whitening = g.constant("gaussian.whitening", &[channels, channels], &model.whitening);
    let white = g.mat_mul(&centred, &whitening);
    let squares = g.mul(&white, &white);
    let mean_square = g.mean_of_last(&squares);
    let score = g.sqrt(&mean_square);
    add_score_everywhere(g, &score, input);
    graph.finish()
}
