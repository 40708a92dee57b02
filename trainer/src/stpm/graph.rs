//! The exported model: image → teacher and student → distances → anomaly map and score.

use networks::onnx::{GraphBuilder, Value};
use networks::resample::{Matrix, bilinear, gaussian};
use networks::{Array, Network, Weights, normalise, to_onnx};
use shared_format::Size;

use super::maps::{LevelStatistics, Scoring};
use crate::samples::UNIT_LENGTH_FLOOR;

/// Names of the additional outputs that a graph with levels has: the distances, 1×1×h×w each, finest first.
pub const LEVEL_OUTPUTS: [&str; 3] = ["level_1", "level_2", "level_3"];

/// Below this a distance is rounding noise; its logarithm must stay finite.
const DISTANCE_FLOOR: f32 = 1e-9;
/// Smoothing of the anomaly map and of the score's map, in positions of the finest level.
const MAP_SIGMA: f64 = 2.0;
const SCORE_SIGMA: f64 = 1.0;
/// The score is the mean over the worst 1 % of the positions.
const WORST: usize = 100;

/// Builds the ONNX model for input size `input` from folded weights. `with_levels` adds [`LEVEL_OUTPUTS`].
///
/// With dₗ the distance of level l (see [`super::distances`]) and Uₗ its bilinear resizing to the finest level:
/// * `anomaly_map` = resize(smooth(exp(Σ wₗ Uₗ log dₗ))), a weighted geometric mean, 0..4: the paper's product of the
///   levels to a power that keeps it from underflowing. The weights add up to 1 and grow fourfold from level to level:
///   a position of a coarser level speaks for four times the area.
/// * `score` = mean of the worst 1 % of smooth(Σ wₗ Uₗ ((dₗ − μₗ) / σₗ)), with the mean μₗ and deviation σₗ of the fit
///   images at each position: how many deviations the part is from normal.
#[must_use]
pub fn build(
    network: &Network,
    teacher: &Weights,
    student: &Weights,
    scoring: &Scoring,
    input: Size,
    with_levels: bool,
) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("stpm");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let normalised = normalise(network, g, &image);
    let teacher = to_onnx(network, teacher, g, &normalised, "teacher.");
    let student = to_onnx(network, student, g, &normalised, "student.");
    let fine = teacher[0].shape()[2..].to_vec();
    let weights = level_weights(teacher.len());

    let (mut logs, mut scores) = (None, None);
    for (index, (t, s)) in teacher.iter().zip(&student).enumerate() {
        let distance = distance(g, t, s);
        if with_levels {
            g.output(LEVEL_OUTPUTS[index], &distance);
        }
        let weight = weights[index];
        let resize = [2, 3].map(|axis| bilinear(t.shape()[axis], fine[axis - 2]));
        let log = weighted_log(g, &distance, weight);
        let log = g.resample(&log, &resize[0], &resize[1]);
        logs = Some(sum(g, logs, log));

        let deviations = weighted_deviations(g, &distance, &scoring.levels[index], weight, index);
        // Smoothing and adding up commute, so that each level is resized and smoothed by one pair of matrices.
        let smooth = |axis: usize| gaussian(fine[axis], SCORE_SIGMA).after(&resize[axis]);
        let deviations = g.resample(&deviations, &smooth(0), &smooth(1));
        scores = Some(sum(g, scores, deviations));
    }
    if let (Some(logs), Some(scores)) = (logs, scores) {
        let map = g.exp(&logs);
        let enlarge = |axis: usize, to: usize| -> Matrix {
            bilinear(fine[axis], to).after(&gaussian(fine[axis], MAP_SIGMA))
        };
        let map = g.resample(&map, &enlarge(0, height), &enlarge(1, width));
        g.output("anomaly_map", &map);
        let score = g.mean_of_largest(&scores, (fine[0] * fine[1] / WORST).max(1));
        g.output("score", &score);
    }
    graph.finish()
}

fn level_weights(levels: usize) -> Vec<f32> {
    let areas: Vec<f32> = (0..levels).map(|level| 4f32.powi(level as i32)).collect();
    let total: f32 = areas.iter().sum();
    areas.into_iter().map(|area| area / total).collect()
}

/// ‖t/‖t‖ − s/‖s‖‖² along the channels.
fn distance(g: &mut GraphBuilder, t: &Value, s: &Value) -> Value {
    let (t, s) = (unit_length(g, t), unit_length(g, s));
    let difference = g.sub(&t, &s);
    let square = g.mul(&difference, &difference);
    g.sum_channels(&square)
}

fn unit_length(g: &mut GraphBuilder, x: &Value) -> Value {
    let square = g.mul(x, x);
    let sum = g.sum_channels(&square);
    let length = g.sqrt(&sum);
    let floor = g.scalar(UNIT_LENGTH_FLOOR as f32);
    let length = g.max(&length, &floor);
    g.div(x, &length)
}

fn weighted_log(g: &mut GraphBuilder, distance: &Value, weight: f32) -> Value {
    let floor = g.scalar(DISTANCE_FLOOR);
    let floored = g.max(distance, &floor);
    let log = g.log(&floored);
    let weight = g.scalar(weight);
    g.mul(&log, &weight)
}

fn weighted_deviations(
    g: &mut GraphBuilder,
    distance: &Value,
    normal: &LevelStatistics,
    weight: f32,
    level: usize,
) -> Value {
    let mean = constant(g, &format!("normal.{level}.mean"), &normal.mean);
    let scale: Vec<f32> = normal.deviation.data.iter().map(|d| weight / d).collect();
    let scale = g.constant(&format!("normal.{level}.scale"), &normal.deviation.shape, &scale);
    let centred = g.sub(distance, &mean);
    g.mul(&centred, &scale)
}

fn constant(g: &mut GraphBuilder, name: &str, array: &Array) -> Value {
    g.constant(name, &array.shape, &array.data)
}

fn sum(g: &mut GraphBuilder, so_far: Option<Value>, next: Value) -> Value {
    match so_far {
        Some(so_far) => g.add(&so_far, &next),
        None => next,
    }
}
