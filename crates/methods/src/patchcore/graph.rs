//! The exported model: image → features → distance to the nearest entries → anomaly map and score.

use shared_format::Size;

use super::coreset::squared_distance;
use super::model::{Model, Places, Score};
use crate::features::{Levels, add_projected_features, dot};
use networks::onnx::{GraphBuilder, Value};
use networks::resample::{bilinear, gaussian};
use networks::teacher::Teacher;

/// Name of the additional output that a graph with distances has: 1×1×h×w.
pub const DISTANCES: &str = "distances";

/// Entries that one convolution compares with: the products of a part of the bank stay in the processor's cache, and the
/// minimum over parts is taken element by element, which is faster than along an axis.
const PART: usize = 64;
/// Below this a squared distance (of features with variance 1 a level) is rounding noise; its root must not magnify it.
const FLOOR: f32 = 1e-6;
/// The score is the mean over the worst 5 % of the positions.
const WORST: usize = 20;
/// Neighbours of the nearest entry in the paper's re-weighting.
const REWEIGHTING: usize = 9;

/// Builds the ONNX model for input size `input`. `with_distances` adds [`DISTANCES`].
///
/// With y = projection(features) at a position and the bank's entries b: distance = √(|y|² + min(|b|² − 2by)), the mean of
/// it over the `neighbours` nearest entries; `anomaly_map` = resize(smooth(distance)).
#[must_use]
pub fn build(teacher: &Teacher, model: &Model, input: Size, with_distances: bool) -> Vec<u8> {
    let (height, width) = (input.height as usize, input.width as usize);
    let mut graph = GraphBuilder::new("patchcore");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, height, width]);
    let projected = add_projected_features(teacher, Levels::Coarse, &model.projection, g, &image);
    let square = g.mul(&projected, &projected);
    let length = g.sum_channels(&square);
    let parts = compare(g, &projected, &model.bank, model.projection.outputs);
    let distances = if model.neighbours == 1 {
        let smallest = smallest(g, &parts);
        root(g, &smallest, &length)
    } else {
        nearest_mean(g, &parts, &length, model.neighbours)
    };
    if with_distances {
        g.output(DISTANCES, &distances);
    }
    let [rows, columns] = [distances.shape()[2], distances.shape()[3]];
    let enlarge = |from: usize, to: usize| bilinear(from, to).after(&gaussian(from, model.smoothing));
    let map = g.resample(&distances, &enlarge(rows, height), &enlarge(columns, width));
    g.output("anomaly_map", &map);
    let score = match model.score {
        Score::Standardised | Score::Worst => {
            let smooth =
                g.resample(&distances, &gaussian(rows, model.smoothing), &gaussian(columns, model.smoothing));
            let places = model.places.as_ref().filter(|_| model.score == Score::Standardised);
            let smooth = match places {
                Some(places) => standardise(g, &smooth, places),
                None => smooth,
            };
            g.mean_of_largest(&smooth, (rows * columns / WORST).max(1))
        }
        Score::Maximum => g.mean_of_largest(&distances, 1),
        Score::Reweighted => reweighted(g, &distances, &parts, &length, model),
    };
    g.output("score", &score);
    graph.finish()
}

/// The squared distance of each position of `projected` from its nearest entry, less the position's own square.
pub(super) fn search(g: &mut GraphBuilder, projected: &Value, bank: &[f32], dimensions: usize) -> Value {
    let parts = compare(g, projected, bank, dimensions);
    smallest(g, &parts)
}

/// The smallest over all channels of all parts.
fn smallest(g: &mut GraphBuilder, parts: &[Value]) -> Value {
    let all = parts.iter().cloned().reduce(|smallest, part| g.min(&smallest, &part));
    let all = all.unwrap_or_else(|| g.scalar(0.0));
    g.min_channels(&all)
}

/// (x − mean) / deviation at each position.
fn standardise(g: &mut GraphBuilder, x: &Value, places: &Places) -> Value {
    let mean = g.constant("places.mean", x.shape(), &places.mean.data);
    let scale: Vec<f32> = places.deviation.data.iter().map(|d| 1.0 / d).collect();
    let scale = g.constant("places.scale", x.shape(), &scale);
    let centred = g.sub(x, &mean);
    g.mul(&centred, &scale)
}

/// |b|² − 2by for each entry b: one value of 1×entries×h×w for each part of the bank. The last part is filled up with
/// copies of the last entry, which are never nearer than it.
fn compare(g: &mut GraphBuilder, projected: &Value, bank: &[f32], dimensions: usize) -> Vec<Value> {
    let part = PART.min((bank.len() / dimensions).max(1));
    let last = &bank[bank.len() - dimensions..];
    let mut parts = vec![];
    for (index, entries) in bank.chunks(part * dimensions).enumerate() {
        let mut entries = entries.to_vec();
        while entries.len() < part * dimensions {
            entries.extend_from_slice(last);
        }
        let squares: Vec<f32> = entries.chunks_exact(dimensions).map(|b| dot(b, b)).collect();
        let doubled: Vec<f32> = entries.iter().map(|b| -2.0 * b).collect();
        let weight = g.constant(&format!("bank.{index}"), &[part, dimensions, 1, 1], &doubled);
        let bias = g.constant(&format!("bank.{index}.squares"), &[part], &squares);
        parts.push(g.conv(projected, &weight, &bias, 1, (0, 0), 1));
    }
    parts
}

/// √max(x + |y|², floor).
fn root(g: &mut GraphBuilder, x: &Value, length: &Value) -> Value {
    let square = g.add(x, length);
    let floor = g.scalar(FLOOR);
    let square = g.max(&square, &floor);
    g.sqrt(&square)
}

/// The mean distance of the `count` nearest entries.
fn nearest_mean(g: &mut GraphBuilder, parts: &[Value], length: &Value, count: usize) -> Value {
    let all = g.concat_channels(parts);
    let by_position = g.transpose(&all, &[0, 2, 3, 1]);
    let (nearest, _) = g.top_k(&by_position, count, false);
    let by_channel = g.transpose(&nearest, &[0, 3, 1, 2]);
    let distances = root(g, &by_channel, length);
    let last = g.transpose(&distances, &[0, 2, 3, 1]);
    let mean = g.mean_of_last(&last);
    let shape = [1, 1, length.shape()[2], length.shape()[3]];
    g.reshape(&mean, &shape)
}

/// The paper's score: d · (1 − e^d / Σ e^dₙ), with d the largest distance, and dₙ the distances of that position from its
/// nearest entry and that entry's nearest neighbours in the bank.
fn reweighted(
    g: &mut GraphBuilder,
    distances: &Value,
    parts: &[Value],
    length: &Value,
    model: &Model,
) -> Value {
    let positions = distances.shape()[2] * distances.shape()[3];
    let flat = g.reshape(distances, &[positions]);
    let (largest, place) = g.top_k(&flat, 1, true);
    let all = g.concat_channels(parts);
    let entries = all.shape()[1];
    let all = g.reshape(&all, &[entries, positions]);
    let column = g.gather(&all, &place, 1);
    let column = g.reshape(&column, &[entries]);
    let length = g.reshape(length, &[positions]);
    let length = g.gather(&length, &place, 0);
    let from_there = root(g, &column, &length);
    let (_, nearest) = g.top_k(&from_there, 1, false);
    let count = REWEIGHTING.min(model.entries());
    let table = neighbour_table(model, entries, count);
    let table = g.integer_constant("bank.neighbours", &[entries, count], &table);
    let neighbours = g.gather(&table, &nearest, 0);
    let near = g.gather(&from_there, &neighbours, 0);
    let near = g.reshape(&near, &[1, count]);
    // Differences from the largest distance keep the exponentials in range.
    let near = g.sub(&near, &largest);
    let near = g.exp(&near);
    let mean = g.mean_of_last(&near);
    let count = g.scalar(count as f32);
    let sum = g.mul(&mean, &count);
    let one = g.scalar(1.0);
    let share = g.div(&one, &sum);
    let weight = g.sub(&one, &share);
    g.mul(&largest, &weight)
}

/// For each entry (with the last one's copies) the places of its nearest entries, itself first.
fn neighbour_table(model: &Model, entries: usize, count: usize) -> Vec<i64> {
    let dimensions = model.projection.outputs;
    let bank: Vec<&[f32]> = model.bank.chunks_exact(dimensions).collect();
    let mut table = Vec::with_capacity(entries * count);
    for index in 0..entries {
        let entry = bank[index.min(bank.len() - 1)];
        let mut order: Vec<(f32, usize)> =
            bank.iter().enumerate().map(|(i, other)| (squared_distance(entry, other), i)).collect();
        order.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0));
        order.truncate(count);
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        table.extend(order.iter().map(|&(_, i)| i as i64));
    }
    table
}
