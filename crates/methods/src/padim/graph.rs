//! The exported model: image → features → Mahalanobis distance at each position → anomaly map and score.

use super::model::Model;
use crate::features::{FeatureLevels, Levels, add_by_position};
use crate::image_score::ImageScorer;
use crate::method::{DISTANCES, View};
use networks::onnx::{GraphBuilder, Value};
use networks::resample::{bilinear, gaussian};
use networks::teacher::Teacher;

/// Builds the ONNX model for `view`, with `image_score` of the distances if given.
///
/// With v = reduction(features) − mean at a position: distance = √(v Σ⁻¹ vᵀ / dimensions), about 1 on good parts. With the
/// method's own score, `anomaly_map` = resize(smooth(distance)) and `score` = mean of the worst share of smooth(distance).
#[must_use]
pub fn build(teacher: &Teacher, model: &Model, view: View, image_score: Option<&ImageScorer>) -> Vec<u8> {
    let mut graph = GraphBuilder::new("padim");
    let g = &mut graph;
    let ((distances, levels), map) = (add_distances(teacher, model, g, view), view.map());
    if let Some(image_score) = image_score {
        image_score.add(g, &distances, Some(&levels), map);
        return graph.finish();
    }
    let [rows, columns] = [distances.shape()[2], distances.shape()[3]];
    let enlarge = |from, to: u32| bilinear(from, to as usize).after(&gaussian(from, model.smoothing));
    let map = g.resample(&distances, &enlarge(rows, map.height), &enlarge(columns, map.width));
    g.output("anomaly_map", &map);
    let smooth =
        g.resample(&distances, &gaussian(rows, model.smoothing), &gaussian(columns, model.smoothing));
    let worst = (rows * columns) as f64 * model.worst.unwrap_or(0.0) / 100.0;
    let score = g.mean_of_largest(&smooth, (worst as usize).max(1));
    g.output("score", &score);
    graph.finish()
}

/// Builds the ONNX model that gives [`DISTANCES`] only.
#[must_use]
pub fn build_distances(teacher: &Teacher, model: &Model, view: View) -> Vec<u8> {
    let mut graph = GraphBuilder::new("padim");
    let (distances, _) = add_distances(teacher, model, &mut graph, view);
    graph.output(DISTANCES, &distances);
    graph.finish()
}

/// Adds the distances (1×1×h×w) of an `image` (RGB 0..1) to the graph, and returns the backbone's levels too.
fn add_distances(
    teacher: &Teacher,
    model: &Model,
    g: &mut GraphBuilder,
    view: View,
) -> (Value, FeatureLevels) {
    let image = g.input("image", &view.shape());
    let levels = FeatureLevels::add(teacher, Levels::All, g, &image);
    let reduced = levels.project(&model.reduction, "projection", g);
    let (by_position, [rows, columns]) = add_by_position(g, &reduced, view.tiles);
    let d = reduced.shape()[1];
    let (positions, each) = (rows * columns, model.cell * model.cell);
    let cells = positions / each;
    let [high, wide] = [rows / model.cell, columns / model.cell];
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
    (g.reshape(&gathered, &[1, 1, rows, columns]), levels)
}
