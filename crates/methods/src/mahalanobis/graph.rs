//! The exported model: image → features → their mean → distance → score, and a map that repeats the score
//! everywhere.

use networks::onnx::GraphBuilder;
use networks::resample::bilinear;
use networks::teacher::Teacher;
use shared_format::Size;

use super::model::Model;
use crate::features::{Levels, add_features};

/// Builds the ONNX model for input size `input`.
///
/// With v = mean of the features over all positions − mean: `score` = √(v Σ⁻¹ vᵀ / channels), about 1 on good parts.
pub(super) fn build(teacher: &Teacher, model: &Model, input: Size) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("mahalanobis");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let features = add_features(teacher, Levels::All, g, &image);
    let [channels, rows, columns] = [features.shape()[1], features.shape()[2], features.shape()[3]];
    let by_channel = g.reshape(&features, &[1, channels, rows * columns]);
    let over_positions = g.mean_of_last(&by_channel);
    let mean = g.constant("gaussian.mean", &[1, channels], &model.mean);
    let centred = g.sub(&over_positions, &mean);
    let whitening = g.constant("gaussian.whitening", &[channels, channels], &model.whitening);
    let white = g.mat_mul(&centred, &whitening);
    let squares = g.mul(&white, &white);
    let mean_square = g.mean_of_last(&squares);
    let score = g.sqrt(&mean_square);
    let everywhere = g.reshape(&score, &[1, 1, 1, 1]);
    let map = g.resample(&everywhere, &bilinear(1, height), &bilinear(1, width));
    g.output("anomaly_map", &map);
    g.output("score", &score);
    graph.finish()
}
