//! The exported model: image → features → distance to the nearest entries → anomaly map and score.

use shared_format::Size;

use super::model::{Model, Score};
use crate::features::{FeatureLevels, Levels, dot, squared_distance};
use crate::image_score::ImageScorer;
use crate::method::DISTANCES;
use networks::onnx::{GraphBuilder, Value};
use networks::resample::{bilinear, gaussian};
use networks::teacher::Teacher;

/// Entries compared by one convolution: its products stay in the processor's cache, and the minimum over chunks is taken
/// element by element, which is faster than along an axis.
const BANK_CHUNK: usize = 64;
/// A smaller squared distance (of features with variance 1 per level) is rounding noise, which the square root must not
/// magnify.
const FLOOR: f32 = 1e-6;
/// A squared distance larger than that of any feature.
const FAR: f32 = 1e30;
/// The score is the mean over the worst 1/20 (5 %) of the positions.
const WORST: usize = 20;
/// Neighbours of the nearest entry used in the paper's re-weighting.
const REWEIGHTING: usize = 9;

/// Builds the ONNX model for input size `input`, with `image_score` of the distances if given.
///
/// With y = projection(features) at a position and the bank's entries b: distance = √(|y|² + min(|b|² − 2by)), or its mean
/// over the `neighbours` nearest entries. With the method's own score, `anomaly_map` = resize(smooth(distance)).
#[must_use]
pub fn build(teacher: &Teacher, model: &Model, input: Size, image_score: Option<&ImageScorer>) -> Vec<u8> {
    let mut graph = GraphBuilder::new("patchcore");
    let g = &mut graph;
    let found = NeighbourSearch::add(teacher, model, g, input);
    let distances = &found.distances;
    if let Some(image_score) = image_score {
        image_score.add(g, distances, Some(&found.levels), input);
        return graph.finish();
    }
    let [rows, columns] = [distances.shape()[2], distances.shape()[3]];
    let enlarge = |from, to: u32| bilinear(from, to as usize).after(&gaussian(from, model.smoothing));
    let map = g.resample(distances, &enlarge(rows, input.height), &enlarge(columns, input.width));
    g.output("anomaly_map", &map);
    let score = match model.score {
        Some(Score::Worst) => {
            let smooth =
                g.resample(distances, &gaussian(rows, model.smoothing), &gaussian(columns, model.smoothing));
            g.mean_of_largest(&smooth, (rows * columns / WORST).max(1))
        }
        Some(Score::Maximum) | None => g.mean_of_largest(distances, 1),
        Some(Score::Reweighted) => reweighted(g, &found, model),
    };
    g.output("score", &score);
    graph.finish()
}

/// Builds the ONNX model that gives [`DISTANCES`] only.
#[must_use]
pub fn build_distances(teacher: &Teacher, model: &Model, input: Size) -> Vec<u8> {
    let mut graph = GraphBuilder::new("patchcore");
    let found = NeighbourSearch::add(teacher, model, &mut graph, input);
    graph.output(DISTANCES, &found.distances);
    graph.finish()
}

/// The result of the search in the bank.
struct NeighbourSearch {
    /// 1×1×h×w.
    distances: Value,
    /// See [`compare`].
    parts: Vec<Value>,
    /// |y|², 1×1×h×w.
    length: Value,
    /// The backbone's levels.
    levels: FeatureLevels,
}

impl NeighbourSearch {
    fn add(teacher: &Teacher, model: &Model, g: &mut GraphBuilder, input: Size) -> Self {
        let image = g.input("image", &[1, 3, input.height as usize, input.width as usize]);
        let levels = FeatureLevels::add(teacher, Levels::Coarse, g, &image);
        let projected = levels.project(&model.projection, "projection", g);
        let square = g.mul(&projected, &projected);
        let length = g.sum_channels(&square);
        let parts = compare(g, &projected, &model.bank, model.projection.outputs);
        let distances = if model.neighbours == 1 {
            let smallest = smallest(g, &parts);
            root(g, &smallest, &length)
        } else {
            nearest_mean(g, &parts, &length, model.neighbours)
        };
        Self { distances, parts, length, levels }
    }
}

/// Adds the squared distance of each position of `projected` (1×dimensions×h×w) from its nearest entry in `bank`, without the position's
/// own square: 1×1×h×w.
pub fn search(g: &mut GraphBuilder, projected: &Value, bank: &[f32], dimensions: usize) -> Value {
    let parts = compare(g, projected, bank, dimensions);
    smallest(g, &parts)
}

/// Computes the minimum over all channels of all parts.
fn smallest(g: &mut GraphBuilder, parts: &[Value]) -> Value {
    let all = parts.iter().cloned().reduce(|smallest, part| g.min(&smallest, &part));
    let all = all.unwrap_or_else(|| g.scalar(0.0));
    g.min_channels(&all)
}

/// Computes |b|² − 2by for each entry b: one value of 1×entries×h×w per part of the bank. The last part is padded with
/// entries that are far from everything, since copies of an entry would count as its neighbours.
fn compare(g: &mut GraphBuilder, projected: &Value, bank: &[f32], dimensions: usize) -> Vec<Value> {
    let part = BANK_CHUNK.min((bank.len() / dimensions).max(1));
    let mut parts = vec![];
    for (index, entries) in bank.chunks(part * dimensions).enumerate() {
        let mut squares: Vec<f32> = entries.chunks_exact(dimensions).map(|b| dot(b, b)).collect();
        let mut doubled: Vec<f32> = entries.iter().map(|b| -2.0 * b).collect();
        squares.resize(part, FAR);
        doubled.resize(part * dimensions, 0.0);
        let weight = g.constant(&format!("bank.{index}"), &[part, dimensions, 1, 1], &doubled);
        let bias = g.constant(&format!("bank.{index}.squares"), &[part], &squares);
        parts.push(g.conv(projected, &weight, &bias, 1, (0, 0), 1));
    }
    parts
}

/// Computes √max(x + |y|², floor).
fn root(g: &mut GraphBuilder, x: &Value, length: &Value) -> Value {
    let square = g.add(x, length);
    let floor = g.scalar(FLOOR);
    let square = g.max(&square, &floor);
    g.sqrt(&square)
}

/// Computes the mean distance of the `count` nearest entries.
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

/// Computes the paper's score: d · (1 − e^d / Σ e^dₙ), with d the largest distance and dₙ the distances of that position from its
/// nearest entry and that entry's nearest neighbours in the bank.
fn reweighted(g: &mut GraphBuilder, found: &NeighbourSearch, model: &Model) -> Value {
    let NeighbourSearch { distances, parts, length, .. } = found;
    let positions = distances.shape()[2] * distances.shape()[3];
    let flat = g.reshape(distances, &[positions]);
    let (largest, position) = g.top_k(&flat, 1, true);
    let all = g.concat_channels(parts);
    let entries = all.shape()[1];
    let all = g.reshape(&all, &[entries, positions]);
    let column = g.gather(&all, &position, 1);
    let column = g.reshape(&column, &[entries]);
    let length = g.reshape(length, &[positions]);
    let length = g.gather(&length, &position, 0);
    let from_there = root(g, &column, &length);
    let (_, nearest) = g.top_k(&from_there, 1, false);
    let count = REWEIGHTING.min(model.entries());
    let table = neighbour_table(model, entries, count);
    let table = g.integer_constant("bank.neighbours", &[entries, count], &table);
    let neighbours = g.gather(&table, &nearest, 0);
    let near = g.gather(&from_there, &neighbours, 0);
    let near = g.reshape(&near, &[1, count]);
    // Subtracting the largest distance keeps the exponentials in range.
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

/// Returns, for each entry, the indices of its nearest entries, itself first; padding entries get those of the last entry.
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
