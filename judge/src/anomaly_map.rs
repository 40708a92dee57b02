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

    /// Returns the lower quartile of the values that are not ignored: of *n* ascending ones, that at index ⌊0.25 · (*n* − 1)⌋. `None` if
    /// all are ignored.
    #[must_use]
    pub fn lower_quartile(&self) -> Option<f32> {
        lower_quartile(&mut self.judged().into_owned())
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

/// Returns the lower quartile of a map's values, which it reorders; see [`AnomalyMap::lower_quartile`].
#[must_use]
pub fn lower_quartile(values: &mut [f32]) -> Option<f32> {
    let rank = values.len().checked_sub(1)? / 4;
    Some(*values.select_nth_unstable_by(rank, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_what_is_judged_is_not_above_the_lower_quartile() {
        let values: Vec<f32> = (0..101).map(|i| (i * 7 % 101) as f32).collect();
        let mut map = AnomalyMap { width: 101, height: 1, values, ignored: vec![] };
        assert_eq!(map.lower_quartile(), Some(25.0));
        map.ignored = map.values.iter().map(|value| *value < 50.0).collect();
        assert_eq!(map.lower_quartile(), Some(62.0));
        map.ignored = vec![true; 101];
        assert_eq!(map.lower_quartile(), None);
        assert_eq!(lower_quartile(&mut [3.0, 1.0, 2.0]), Some(1.0));
    }
}
