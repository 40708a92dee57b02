//! Collects the zones' features of frames whose maps come one by one, or tile by tile.

use bundle::zones::FrameFeatures;
use judge::ignore_mask::IgnoredPixels;
use judge::scorer::frame_map;
use judge::zones::ZoneScorer;
use shared_format::{Recipe, Zones};

/// The features of all frames so far.
pub(crate) struct ZoneFrames {
    recipe: Recipe,
    ignored: IgnoredPixels,
    scorer: ZoneScorer,
    /// Number of maps of a frame.
    of_frame: usize,
    /// The maps of the frame that isn't complete yet.
    maps: Vec<Vec<f32>>,
    /// The features of each complete frame.
    pub(crate) features: Vec<FrameFeatures>,
}

impl ZoneFrames {
    /// Expects `of_frame` maps of each frame: one, or one of each tile.
    pub(crate) fn new(recipe: &Recipe, of_frame: usize, zones: &Zones) -> Self {
        let scorer = ZoneScorer::new(zones.clone());
        Self {
            recipe: *recipe,
            ignored: IgnoredPixels::new(recipe),
            scorer,
            of_frame,
            maps: vec![],
            features: vec![],
        }
    }

    /// Adds the map that zones are scored by.
    pub(crate) fn add(&mut self, map: Vec<f32>) {
        self.maps.push(map);
        if self.maps.len() == self.of_frame {
            let frame = frame_map(&self.recipe, &self.ignored, std::mem::take(&mut self.maps));
            self.features.push(self.scorer.score(&frame).features);
        }
    }
}
