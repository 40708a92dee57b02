//! Backbone levels → one feature vector for each position, as ONNX nodes.

use shared_format::Size;

use crate::network::{normalise, to_onnx};
use crate::onnx::{GraphBuilder, Value};
use crate::resample::{bilinear, edge_padded};
use crate::teacher::Teacher;

/// A position's feature is the mean over the positions around it: 3×3, as in PatchCore.
const NEIGHBOURHOOD: usize = 3;

/// The backbone levels that make up a feature, counted from the finest, which is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// Levels 1 and 2 on the grid of level 1: PatchCore's choice (layer2 and layer3 of a ResNet).
    Coarse,
    /// All levels on the grid of level 1: PaDiM's choice, without its finest grid.
    All,
}

impl Levels {
    /// Of a network with this many levels.
    const fn indices(self, levels: usize) -> std::ops::Range<usize> {
        match self {
            _ if levels == 1 => 0..1,
            Self::Coarse => 1..3,
            Self::All => 0..3,
        }
    }
}

/// Adds the features of `image` (1×3×H×W, RGB 0..1) to `graph`: 1×C×h×w on the grid of level 1 (an eighth of the input's
/// sides). Each level is averaged over its 3×3 neighbourhood, then resized bilinearly. A patch description network has one
/// level only, of a quarter of the sides less what its patches need: its outermost positions go on to the edges.
#[must_use]
pub fn add_features(teacher: &Teacher, levels: Levels, graph: &mut GraphBuilder, image: &Value) -> Value {
    let normalised = normalise(&teacher.network, graph, image);
    let all = to_onnx(&teacher.network, &teacher.weights, graph, &normalised, "teacher.");
    let grid = [0, 1].map(|axis| image.shape()[2 + axis] / 8);
    let chosen = levels.indices(all.len()).filter_map(|index| all.get(index));
    let aligned: Vec<Value> = chosen
        .map(|level| {
            let mean = graph.local_mean(level, NEIGHBOURHOOD);
            if mean.shape()[2..] == grid {
                return mean;
            }
            let resized = |axis: usize| {
                let length = mean.shape()[2 + axis];
                let margin = if all.len() == 1 { (2 * grid[axis]).saturating_sub(length) / 2 } else { 0 };
                bilinear(length + 2 * margin, grid[axis]).after(&edge_padded(length, margin))
            };
            let [rows, columns] = [0, 1].map(resized);
            graph.resample(&mean, &rows, &columns)
        })
        .collect();
    graph.concat_channels(&aligned)
}

/// Channels, rows and columns of the features for this input size, and the channels of each level.
#[must_use]
pub(super) fn shape(teacher: &Teacher, levels: Levels, input: Size) -> ([usize; 3], Vec<usize>) {
    let mut graph = GraphBuilder::new("shape");
    let image = graph.input("image", &[1, 3, input.height as usize, input.width as usize]);
    let features = add_features(teacher, levels, &mut graph, &image);
    let &[_, channels, rows, columns] = features.shape() else { return ([0; 3], vec![]) };
    let all = &teacher.network.levels;
    let groups = levels.indices(all.len()).filter_map(|index| teacher.network.channels(*all.get(index)?));
    ([channels, rows, columns], groups.collect())
}

/// Positions of the features' grid for this input size.
#[must_use]
pub fn positions(teacher: &Teacher, input: Size) -> usize {
    let ([_, rows, columns], _) = shape(teacher, Levels::Coarse, input);
    rows * columns
}
