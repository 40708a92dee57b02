//! Builds the exported model: image → teacher and student → distances → anomaly map and score.

use networks::onnx::{GraphBuilder, Value};
use networks::resample::bilinear;
use networks::{Network, Weights, normalise, to_onnx};
use shared_format::Size;

use super::comparison::{Comparison, level_name};
use super::maps::{MIN_SHARE, Scoring, level_weights};

/// Names of the additional outputs that a graph with levels has: the distances, 1×1×h×w each, finest first.
pub const LEVEL_OUTPUTS: [&str; 3] = ["level_1", "level_2", "level_3"];

/// Builds the ONNX model for input size `input` from folded weights. `with_levels` adds [`LEVEL_OUTPUTS`].
///
/// With dₗ the distance of level l and Uₗ its bilinear resizing:
/// * [`Scoring::Common`]: `anomaly_map` and `score` are those that all methods compute from a map
///   ([`methods::image_score`]), here of exp(Σ wₗ Uₗ log(dₗ / cₗ)) on the finest grid, with cₗ the mean distance on good parts:
///   a weighted geometric mean, which is the paper's product to a power that keeps it from underflowing;
/// * [`Scoring::Paper`]: `anomaly_map` = Π Uₗ dₗ at the image's size, `score` its maximum.
#[must_use]
pub fn build(
    network: &Network,
    teacher: &Weights,
    student: &Weights,
    (comparison, scoring): (&Comparison, &Scoring),
    input: Size,
    with_levels: bool,
) -> Vec<u8> {
    let sides = [input.height as usize, input.width as usize];
    let mut graph = GraphBuilder::new("stpm");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, sides[0], sides[1]]);
    let normalised = normalise(network, g, &image);
    let teacher = to_onnx(network, teacher, g, &normalised, "teacher.");
    let student = to_onnx(network, student, g, &normalised, "student.");
    let residuals = comparison.add_residuals(g, &teacher, &student);
    let distances = match scoring {
        Scoring::Common { gaussians: Some(gaussians), .. } => {
            let levels = residuals.iter().zip(gaussians).enumerate();
            levels
                .map(|(level, (residual, gaussians))| gaussians.add(g, residual, &level_name(level)))
                .collect()
        }
        _ => comparison.add_distances(g, &residuals),
    };
    if with_levels {
        LEVEL_OUTPUTS.iter().zip(&distances).for_each(|(name, distance)| g.output(name, distance));
    }
    match scoring {
        Scoring::Common { scales, image_score, .. } => {
            let logs = distances.iter().zip(scales).map(|(distance, scale)| log(g, distance, 1.0 / scale));
            let logs: Vec<Value> = logs.collect();
            if let Some(sum) = weighted_sum(g, &logs) {
                let map = g.exp(&sum);
                image_score.add(g, &map, None, input);
            }
        }
        Scoring::Paper => {
            let resized: Vec<Value> = distances.iter().map(|distance| resized(g, distance, sides)).collect();
            if let Some(map) = resized.into_iter().reduce(|product, level| g.mul(&product, &level)) {
                g.output("anomaly_map", &map);
                let score = g.mean_of_largest(&map, 1);
                g.output("score", &score);
            }
        }
    }
    graph.finish()
}

/// Adds log(factor · x), finite for all x.
fn log(g: &mut GraphBuilder, x: &Value, factor: f32) -> Value {
    let factor = g.scalar(factor);
    let scaled = g.mul(x, &factor);
    let floor = g.scalar(MIN_SHARE);
    let floored = g.max(&scaled, &floor);
    g.log(&floored)
}

/// Adds Σ weight · level on the grid of the first level.
fn weighted_sum(g: &mut GraphBuilder, levels: &[Value]) -> Option<Value> {
    let fine = levels.first()?.shape();
    let sides = [fine[2], fine[3]];
    let mut sum: Option<Value> = None;
    for (level, weight) in levels.iter().zip(level_weights(levels.len())) {
        let weight = g.scalar(weight);
        let weighted = g.mul(level, &weight);
        let weighted = resized(g, &weighted, sides);
        sum = Some(match sum {
            Some(sum) => g.add(&sum, &weighted),
            None => weighted,
        });
    }
    sum
}

fn resized(g: &mut GraphBuilder, map: &Value, sides: [usize; 2]) -> Value {
    let [rows, columns] = [0, 1].map(|axis| bilinear(map.shape()[2 + axis], sides[axis]));
    g.resample(map, &rows, &columns)
}
