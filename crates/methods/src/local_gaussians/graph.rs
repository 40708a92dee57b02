//! The exported model: image → features → Mahalanobis distance from the closest of each position's Gaussians.

use networks::onnx::{GraphBuilder, Value};
use networks::teacher::Teacher;

use super::model::Model;
use super::windows::Windows;
use crate::features::{FeatureLevels, Levels, add_by_position};
use crate::image_score::ImageScorer;
use crate::method::{DISTANCES, View};

/// A smaller squared distance is rounding noise, which the square root must not magnify.
const FLOOR: f32 = 1e-6;

/// Builds the ONNX model for `view`.
pub(super) fn build(teacher: &Teacher, model: &Model, view: View, score: &ImageScorer) -> Vec<u8> {
    let mut graph = GraphBuilder::new("local-gaussians");
    let (distances, levels) = add_distances(teacher, model, &mut graph, view);
    score.add(&mut graph, &distances, Some(&levels), view.map());
    graph.finish()
}

/// Builds the ONNX model that gives [`DISTANCES`] only.
pub(super) fn build_distances(teacher: &Teacher, model: &Model, view: View) -> Vec<u8> {
    let mut graph = GraphBuilder::new("local-gaussians");
    let (distances, _) = add_distances(teacher, model, &mut graph, view);
    graph.output(DISTANCES, &distances);
    graph.finish()
}

/// Adds the distances (1×1×h×w) of an `image` (RGB 0..1) to `graph`, and returns the backbone's levels too.
///
/// With f the reduced features at a position p, μ_q and Wᵀ the mean and the whitening at a neighbour q (Wᵀ shared by q's cell):
/// distance = √(min over q of |(f − μ_q) Wᵀ|² / dimensions), about 1 on good parts.
///
/// A cell's neighbourhood is whitened once, relative to the cell's mean μ: y = (f − μ) Wᵀ and ν_q = (μ_q − μ) Wᵀ. The squared
/// distances from all means of the cell are then |y|² − 2yνᵀ + |ν|², which takes only small products; centring keeps them from
/// cancelling.
fn add_distances(
    teacher: &Teacher,
    model: &Model,
    g: &mut GraphBuilder,
    view: View,
) -> (Value, FeatureLevels) {
    let image = g.input("image", &view.shape());
    let levels = FeatureLevels::add(teacher, Levels::Coarse, g, &image);
    let reduced = levels.project(&model.projection, "projection", g);
    let (by_position, [rows, columns]) = add_by_position(g, &reduced, view.tiles);
    let d = reduced.shape()[1];
    let windows = Windows { rows, columns, cell: model.cell, reach: model.reach };
    let (cells, window_positions, members) = (windows.cells(), windows.window_positions(), windows.each());
    let table = g.integer_constant("windows", &[cells, window_positions], &windows.cell_table());
    let seen = g.gather(&by_position, &table, 0);
    let means = Means::of(model, windows);
    let centre = g.constant("gaussians.centre", &[cells, 1, d], &means.centres);
    let centred = g.sub(&seen, &centre);
    let whitening = g.constant("gaussians.whitening", &[cells, d, d], &model.whitening);
    let white = g.mat_mul(&centred, &whitening);
    let squares = g.mul(&white, &white);
    let length = g.mean_of_last(&squares);
    let length = g.reshape(&length, &[cells, window_positions, 1]);
    let offsets = g.constant("gaussians.offsets", &[cells, d, members], &means.offsets);
    let products = g.mat_mul(&white, &offsets);
    let lengths = g.constant("gaussians.lengths", &[cells, 1, members], &means.lengths);
    let sum = g.add(&length, &lengths);
    let squares = g.add(&sum, &products);
    let all = g.reshape(&squares, &[cells * window_positions * members]);
    let comparisons = windows.comparisons();
    let table = g.integer_constant("neighbours", &[rows * columns, comparisons], &windows.neighbour_table());
    let own = g.gather(&all, &table, 0);
    let least = g.min_channels(&own);
    let floor = g.scalar(FLOOR);
    let least = g.max(&least, &floor);
    let distances = g.sqrt(&least);
    (g.reshape(&distances, &[1, 1, rows, columns]), levels)
}

/// The means of each cell's positions, whitened about the cell's mean.
struct Means {
    /// Cells × dimensions: μ.
    centres: Vec<f32>,
    /// Cells × dimensions × members: −2ν / dimensions, so that the product with it is the middle term of a mean square.
    offsets: Vec<f32>,
    /// Cells × members: |ν|² / dimensions.
    lengths: Vec<f32>,
}

impl Means {
    fn of(model: &Model, windows: Windows) -> Self {
        let d = model.projection.outputs;
        let members = windows.each();
        let (mut centres, mut offsets, mut lengths) = (vec![], vec![], vec![]);
        for (cell, whitening) in model.whitening.chunks_exact(d * d).enumerate() {
            let means: Vec<&[f32]> =
                windows.members(cell).map(|position| &model.mean[position * d..(position + 1) * d]).collect();
            let centre: Vec<f32> =
                (0..d).map(|i| means.iter().map(|mean| mean[i]).sum::<f32>() / members as f32).collect();
            let mut whitened = vec![0f64; members * d];
            for (out, mean) in whitened.chunks_exact_mut(d).zip(&means) {
                for ((row, x), c) in whitening.chunks_exact(d).zip(*mean).zip(&centre) {
                    let x = f64::from(x - c);
                    out.iter_mut().zip(row).for_each(|(sum, w)| *sum += x * f64::from(*w));
                }
            }
            lengths.extend(
                whitened.chunks_exact(d).map(|v| (v.iter().map(|x| x * x).sum::<f64>() / d as f64) as f32),
            );
            let at = |i: usize, member: usize| (-2.0 * whitened[member * d + i] / d as f64) as f32;
            offsets.extend((0..d).flat_map(|i| (0..members).map(move |member| at(i, member))));
            centres.extend(centre);
        }
        Self { centres, offsets, lengths }
    }
}
