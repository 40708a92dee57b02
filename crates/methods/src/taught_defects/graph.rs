//! Adds the likeness to taught defects to an exported model.

use networks::onnx::{GraphBuilder, Value};
use networks::resample::Matrix;

use super::discriminants::{Discriminants, MOST_DEVIATIONS, SHARE};
use crate::features::FeatureLevels;
use crate::image_score::positions_in_share;

impl Discriminants {
    /// Adds the outputs `defect_kinds` (1×kinds), the likeness to each kind, `defect_score`, the largest of them, and `defect_map`
    /// (1×1×H×W), the largest at each position. `map` has the standardised distances from good parts (1×1×h×w), and `enlarge` turns a map of the features' grid into one of the input's size.
    pub(crate) fn add(
        &self,
        graph: &mut GraphBuilder,
        levels: &FeatureLevels,
        map: &Value,
        enlarge: &[Matrix; 2],
    ) {
        let kinds = self.kinds.len();
        let projected = levels.project(&self.projection, "defects", graph);
        let offsets = graph.constant("defects.offsets", &[1, kinds, 1, 1], &self.offsets);
        let weights = graph.constant("defects.weights", &[1, kinds, 1, 1], &self.weights);
        let most = graph.scalar(MOST_DEVIATIONS);
        let unusual = graph.min(map, &most);
        let weighed = graph.mul(&unusual, &weights);
        let shifted = graph.add(&weighed, &offsets);
        let maps = graph.add(&projected, &shifted);
        let positions = maps.shape()[2] * maps.shape()[3];
        let flat = graph.reshape(&maps, &[1, kinds, positions]);
        let (worst, _) = graph.top_k(&flat, positions_in_share(SHARE, positions), true);
        let likeness = graph.mean_of_last(&worst);
        graph.output("defect_kinds", &likeness);
        let largest = graph.largest(&likeness);
        let score = graph.reshape(&largest, &[1]);
        graph.output("defect_score", &score);
        // The largest of several is minus the smallest of their opposites.
        let minus = graph.scalar(-1.0);
        let opposite = graph.mul(&maps, &minus);
        let smallest = graph.min_channels(&opposite);
        let largest = graph.mul(&smallest, &minus);
        let [down, across] = enlarge;
        let shown = graph.resample(&largest, down, across);
        graph.output("defect_map", &shown);
    }
}
