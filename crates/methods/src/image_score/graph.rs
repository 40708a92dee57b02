//! Adds the score to an exported model.

use networks::onnx::{GraphBuilder, Value};
use shared_format::Size;

use super::{ImageScorer, SHARES, enlarge, positions_in_share};
use crate::features::{FeatureLevels, TileGrid};

impl ImageScorer {
    /// Adds the outputs `anomaly_map` (1×1×H×W), the smoothed distances, and `score` (1), computed from `distances`
    /// (1×1×h×w), to `graph`; `size` is the map's. With taught defects, also adds the outputs of the second score, computed from the
    /// backbone's `levels`; with [`Self::score_map`], the output `score_map` (1×1×H×W), the standardised distances.
    pub fn add(
        &self,
        graph: &mut GraphBuilder,
        distances: &Value,
        levels: Option<&FeatureLevels>,
        size: Size,
    ) {
        let enlarge = enlarge(self.grid, self.margin, size);
        let [down, across] = &enlarge;
        let shown = graph.resample(distances, down, across);
        graph.output("anomaly_map", &shown);
        let mean = graph.constant("places.mean", distances.shape(), &self.positions.mean);
        let scale: Vec<f32> = self.positions.deviation.iter().map(|d| 1.0 / d).collect();
        let scale = graph.constant("places.scale", distances.shape(), &scale);
        let centred = graph.sub(distances, &mean);
        let map = graph.mul(&centred, &scale);
        if self.score_map {
            let enlarged = graph.resample(&map, down, across);
            graph.output("score_map", &enlarged);
        }
        if let (Some(taught), Some(levels)) = (&self.taught, levels) {
            taught.add(graph, levels, &map, &enlarge);
        }
        let tiles = self.tiles_of(graph, &map);
        let mut sum: Option<Value> = None;
        for (share, stats) in SHARES.iter().zip(&self.shares) {
            let worst = match &tiles {
                Some(tiles) => {
                    graph.mean_of_largest_in_rows(tiles, positions_in_share(*share, tiles.shape()[1]))
                }
                None => graph.mean_of_largest(&map, positions_in_share(*share, self.positions.mean.len())),
            };
            let centre = graph.scalar(stats.centre);
            let centred = graph.sub(&worst, &centre);
            let scale = graph.scalar(1.0 / (stats.spread * SHARES.len() as f32));
            let told = graph.mul(&centred, &scale);
            sum = Some(match sum {
                Some(sum) => graph.add(&sum, &told),
                None => told,
            });
        }
        if let Some(score) = sum {
            // The worst tile decides.
            let score = if tiles.is_some() { graph.mean_of_largest(&score, 1) } else { score };
            graph.output("score", &score);
        }
    }

    /// Adds the tiles' parts of a map: tiles × positions. `None` if there is a single tile.
    fn tiles_of(&self, graph: &mut GraphBuilder, map: &Value) -> Option<Value> {
        if self.tiles.count() == 1 {
            return None;
        }
        let windows: Vec<Vec<usize>> = TileGrid::of_whole(self.tiles, self.grid).windows().collect();
        let shape = [windows.len(), windows.first().map_or(0, Vec::len)];
        let windows: Vec<i64> = windows.concat().iter().map(|&position| position as i64).collect();
        let windows = graph.integer_constant("places.tiles", &shape, &windows);
        let flat = graph.reshape(map, &[self.positions.mean.len()]);
        Some(graph.gather(&flat, &windows, 0))
    }
}
