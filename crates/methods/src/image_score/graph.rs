//! Adds the score to an exported model.

use networks::onnx::{GraphBuilder, Value};
use shared_format::Size;

use super::{ImageScorer, SHARES, enlarge, positions_in_share};

impl ImageScorer {
    /// Adds the outputs `anomaly_map` (1×1×H×W), the smoothed distances, and `score` (1), computed from `distances`
    /// (1×1×h×w), to `graph`.
    pub fn add(&self, graph: &mut GraphBuilder, distances: &Value, input: Size) {
        let [down, across] = enlarge(self.grid, self.margin, input);
        let shown = graph.resample(distances, &down, &across);
        graph.output("anomaly_map", &shown);
        let mean = graph.constant("places.mean", distances.shape(), &self.positions.mean);
        let scale: Vec<f32> = self.positions.deviation.iter().map(|d| 1.0 / d).collect();
        let scale = graph.constant("places.scale", distances.shape(), &scale);
        let centred = graph.sub(distances, &mean);
        let map = graph.mul(&centred, &scale);
        let mut sum: Option<Value> = None;
        for (share, stats) in SHARES.iter().zip(&self.shares) {
            let worst = graph.mean_of_largest(&map, positions_in_share(*share, self.positions.mean.len()));
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
            graph.output("score", &score);
        }
    }
}
