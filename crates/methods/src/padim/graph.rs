//! The exported model: image → features → Mahalanobis distance at each position → anomaly map and score.

use shared_format::Size;

use super::model::Model;
use crate::features::{Levels, add_projected_features};
use networks::onnx::GraphBuilder;
use networks::resample::{bilinear, gaussian};
use networks::teacher::Teacher;

/// Name of the additional output that a graph with distances has: 1×1×h×w.
pub const DISTANCES: &str = "distances";

/// Builds the ONNX model for input size `input`. `with_distances` adds [`DISTANCES`].
///
/// With v = reduction(features) − mean at a position: distance = √(v Σ⁻¹ vᵀ / dimensions), about 1 on good parts;
/// `anomaly_map` = resize(smooth(distance)), `score` = mean of the worst share of smooth(distance).
#[must_use]
pub fn build(teacher: &Teacher, model: &Model, input: Size, with_distances: bool) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("padim");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let reduced = add_projected_features(teacher, Levels::All, &model.reduction, g, &image);
    let [d, rows, columns] = [reduced.shape()[1], reduced.shape()[2], reduced.shape()[3]];
    let (positions, each) = (rows * columns, model.cell * model.cell);
    let cells = positions / each;
    let [high, wide] = [rows / model.cell, columns / model.cell];
    let by_channel = g.reshape(&reduced, &[d, positions]);
    let by_position = g.transpose(&by_channel, &[1, 0]);
    let mean = g.constant("gaussians.mean", &[positions, d], &model.mean);
    let centred = g.sub(&by_position, &mean);
    let split = g.reshape(&centred, &[high, model.cell, wide, model.cell, d]);
    let gathered = g.transpose(&split, &[0, 2, 1, 3, 4]);
    let by_cell = g.reshape(&gathered, &[cells, each, d]);
    let white = if model.full {
        let whitening = g.constant("gaussians.whitening", &[cells, d, d], &model.whitening);
        g.mat_mul(&by_cell, &whitening)
    } else {
        let factors = g.constant("gaussians.whitening", &[cells, 1, d], &model.whitening);
        g.mul(&by_cell, &factors)
    };
    let squares = g.mul(&white, &white);
    let mean_square = g.mean_of_last(&squares);
    let distances = g.sqrt(&mean_square);
    let split = g.reshape(&distances, &[high, wide, model.cell, model.cell]);
    let gathered = g.transpose(&split, &[0, 2, 1, 3]);
    let distances = g.reshape(&gathered, &[1, 1, rows, columns]);
    if with_distances {
        g.output(DISTANCES, &distances);
    }
    let enlarge = |from: usize, to: usize| bilinear(from, to).after(&gaussian(from, model.smoothing));
    let map = g.resample(&distances, &enlarge(rows, height), &enlarge(columns, width));
    g.output("anomaly_map", &map);
    let smooth =
        g.resample(&distances, &gaussian(rows, model.smoothing), &gaussian(columns, model.smoothing));
    let worst = (positions as f64 * model.worst / 100.0) as usize;
    let score = g.mean_of_largest(&smooth, worst.max(1));
    g.output("score", &score);
    graph.finish()
}
