//! Combines backbone levels into one feature vector per position, as ONNX nodes.

use shared_format::Size;

use super::projection::Projection;
use super::tile_grid::TileGrid;
use crate::method::View;
use networks::onnx::{GraphBuilder, Value};
use networks::resample::{bilinear, edge_padded};
use networks::teacher::Teacher;
use networks::{normalise, to_onnx};

/// Each feature is averaged over its neighbourhood of 3×3 positions, as in PatchCore.
const NEIGHBOURHOOD: usize = 3;

/// The backbone levels that make up a feature, counted from the finest (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// Levels 1 and 2 on the grid of level 1: PatchCore's choice (layer2 and layer3 of a ResNet).
    Coarse,
    /// All levels on the grid of level 1: PaDiM's choice, without its finest grid.
    All,
}

impl Levels {
    /// Returns their indices in a network with this many levels.
    const fn indices(self, levels: usize) -> std::ops::Range<usize> {
        match self {
            _ if levels == 1 => 0..1,
            Self::Coarse => 1..3,
            Self::All => 0..3,
        }
    }
}

/// Adds the features of `image` (N×3×H×W, RGB 0..1) to `graph`: N×C×h×w on the grid of level 1 (an eighth of the input's
/// sides). Each level is averaged over its 3×3 neighbourhood, then resized bilinearly. A patch description network has only
/// one level, of a quarter of the sides minus the border that its patches need; its outermost positions are repeated to the
/// edges.
#[must_use]
pub fn add_features(teacher: &Teacher, levels: Levels, graph: &mut GraphBuilder, image: &Value) -> Value {
    let all = add_levels(teacher, graph, image);
    add_features_of(&all, levels, graph, image)
}

/// Like [`add_features`], but from `all` levels of the backbone, which are already in the graph.
#[must_use]
pub fn add_features_of(all: &[Value], levels: Levels, graph: &mut GraphBuilder, image: &Value) -> Value {
    let resizer = LevelResizer::of(all.len(), image);
    let means = add_means(all, levels, graph);
    let aligned: Vec<Value> = means.iter().map(|mean| resizer.add(graph, mean)).collect();
    graph.concat_channels(&aligned)
}

/// The levels that make up the features, in a graph: they can be projected several times.
pub struct FeatureLevels {
    resizer: LevelResizer,
    means: Vec<Value>,
}

impl FeatureLevels {
    /// Adds the backbone for `image` (N×3×H×W, RGB 0..1) to `graph`.
    #[must_use]
    pub fn add(teacher: &Teacher, levels: Levels, graph: &mut GraphBuilder, image: &Value) -> Self {
        let all = add_levels(teacher, graph, image);
        Self { resizer: LevelResizer::of(all.len(), image), means: add_means(&all, levels, graph) }
    }

    /// Adds the projection of the features that [`add_features`] adds: N×outputs×h×w; `name` is that of its constants.
    ///
    /// Each level is projected separately and the results are added up. Resizing and projecting commute, so a level with a
    /// coarser grid is projected before it is resized, when it has fewer positions.
    #[must_use]
    pub fn project(&self, projection: &Projection, name: &str, graph: &mut GraphBuilder) -> Value {
        let mut from = 0;
        let mut sum: Option<Value> = None;
        for mean in &self.means {
            let channels = from..from + mean.shape()[1];
            from = channels.end;
            let projected = if self.resizer.enlarges(mean) {
                let projected = projection.add_part(graph, mean, channels, name);
                self.resizer.add(graph, &projected)
            } else {
                let aligned = self.resizer.add(graph, mean);
                projection.add_part(graph, &aligned, channels, name)
            };
            sum = Some(match sum {
                Some(sum) => graph.add(&projected, &sum),
                None => projected,
            });
        }
        sum.unwrap_or_else(|| graph.scalar(0.0))
    }
}

/// Adds all levels of the backbone.
fn add_levels(teacher: &Teacher, graph: &mut GraphBuilder, image: &Value) -> Vec<Value> {
    let normalised = normalise(&teacher.network, graph, image);
    to_onnx(&teacher.network, &teacher.weights, graph, &normalised, "teacher.")
}

/// Adds the chosen levels, each averaged over its neighbourhood.
fn add_means(all: &[Value], levels: Levels, graph: &mut GraphBuilder) -> Vec<Value> {
    let chosen = levels.indices(all.len()).filter_map(|index| all.get(index));
    chosen.map(|level| graph.local_mean(level, NEIGHBOURHOOD)).collect()
}

/// Brings levels onto one grid.
struct LevelResizer {
    grid: [usize; 2],
    /// The one level of a patch description network lacks positions at the edges.
    edges: bool,
}

impl LevelResizer {
    fn of(levels: usize, image: &Value) -> Self {
        let grid = [0, 1].map(|axis| image.shape()[2 + axis] / 8);
        Self { grid, edges: levels == 1 }
    }

    fn enlarges(&self, level: &Value) -> bool {
        level.shape()[2] * level.shape()[3] < self.grid[0] * self.grid[1]
    }

    fn add(&self, graph: &mut GraphBuilder, level: &Value) -> Value {
        if level.shape()[2..] == self.grid {
            return level.clone();
        }
        let [rows, columns] = [0, 1].map(|axis| {
            let (length, to) = (level.shape()[2 + axis], self.grid[axis]);
            let margin = if self.edges { (2 * to).saturating_sub(length) / 2 } else { 0 };
            bilinear(length + 2 * margin, to).after(&edge_padded(length, margin))
        });
        graph.resample(level, &rows, &columns)
    }
}

/// Returns the channels, rows and columns of the features for this input size, and the channels of each level.
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

/// Returns the number of positions of the features' grid in this view.
#[must_use]
pub fn positions(teacher: &Teacher, view: View) -> usize {
    let ([_, rows, columns], _) = shape(teacher, Levels::Coarse, view.input);
    TileGrid::new(view.tiles, [rows, columns]).whole().iter().product()
}
