//! Collects the zones' features of frames whose maps come tile by tile.

use bundle::zones::FrameFeatures;
use judge::scorer::Mosaic;
use judge::zones::ZoneScorer;
use shared_format::{Recipe, Zones};

/// The features of all frames so far.
pub(crate) struct ZoneFrames {
    recipe: Recipe,
    scorer: ZoneScorer,
    mosaic: Mosaic,
    /// The features of each complete frame.
    pub(crate) features: Vec<FrameFeatures>,
}

impl ZoneFrames {
    pub(crate) fn new(recipe: &Recipe, zones: &Zones) -> Self {
        let scorer = ZoneScorer::new(zones.clone());
        Self { recipe: *recipe, scorer, mosaic: empty(recipe), features: vec![] }
    }

    /// Adds a tile's map and its ignored positions; the frame is complete after its last tile.
    pub(crate) fn add(&mut self, tile: usize, map: &[f32], ignored: &[bool]) {
        self.mosaic.insert_tile(tile, map, ignored);
        if tile + 1 == self.recipe.tiles.count() {
            let frame = std::mem::replace(&mut self.mosaic, empty(&self.recipe));
            self.features.push(self.scorer.score(&frame.map).features);
        }
    }
}

fn empty(recipe: &Recipe) -> Mosaic {
    Mosaic::new(recipe.tiles, recipe.input.width as usize, recipe.input.height as usize)
}
