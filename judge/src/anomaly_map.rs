//! The anomaly map of a frame.

use std::borrow::Cow;

use crate::align::{RigidTransform, warp};
use crate::ignore_mask::judged;

/// The anomaly map of the region of interest, its tiles put together.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyMap {
    /// Pixels in a row; see [`shared_format::Recipe::picture`].
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row from the top left; larger is more anomalous. No unit. Ignored positions have the smallest of the other values.
    pub values: Vec<f32>,
    /// Whether the recipe's ignore mask covers each position, row by row; empty if there is no mask.
    pub ignored: Vec<bool>,
}

impl AnomalyMap {
    /// Returns the values that are not ignored.
    #[must_use]
    pub fn judged(&self) -> Cow<'_, [f32]> {
        judged(&self.values, &self.ignored)
    }

    /// Moves the map back onto the frame, from which alignment took `movement` out.
    pub(crate) fn warp_back(&mut self, movement: RigidTransform) {
        let (sides, back) = ([self.width, self.height], movement.inverse());
        let aligned = std::mem::take(&mut self.values);
        warp(&aligned, sides, back, &mut self.values);
        if !self.ignored.is_empty() {
            let aligned: Vec<f32> =
                self.ignored.iter().map(|&ignored| f32::from(u8::from(ignored))).collect();
            let mut warped = vec![];
            warp(&aligned, sides, back, &mut warped);
            self.ignored = warped.iter().map(|share| *share > 0.0).collect();
        }
    }

    /// Sets ignored positions to the smallest of the other values.
    pub(crate) fn blank_ignored(&mut self) {
        if self.ignored.is_empty() {
            return;
        }
        let smallest = self.judged().iter().copied().fold(f32::INFINITY, f32::min);
        // With alignment, the mask may cover all that is in view.
        let smallest = if smallest.is_finite() { smallest } else { 0.0 };
        let ignored = self.values.iter_mut().zip(&self.ignored).filter(|(_, ignored)| **ignored);
        ignored.for_each(|(value, _)| *value = smallest);
    }
}
