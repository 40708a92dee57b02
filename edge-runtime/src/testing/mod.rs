//! Helpers for the tests of several modules.

pub mod emulator;
pub mod outputs;
pub mod small_disk;

use shared_format::{
    Arithmetic, Colour, Evidence, FrameRange, ImageScore, Recipe, Sample, ScoreQuantiles, Size,
    ThresholdFile, Tiles,
};

/// Returns thresholds for frames of 40×30 pixels.
pub fn thresholds() -> ThresholdFile {
    let size = Size { width: 40, height: 30 };
    let scores =
        ScoreQuantiles { min: 0.0, q05: 0.0, q25: 0.0, q50: 0.0, q75: 0.0, q95: 0.0, q99: 0.0, max: 0.0 };
    ThresholdFile {
        producer: "tests".try_into().unwrap(),
        method: "none".try_into().unwrap(),
        teacher: "".try_into().unwrap(),
        model_sha256: [0xab; 32],
        recipe: Recipe {
            input: Size { width: 64, height: 64 },
            roi: None,
            tiles: Tiles::ONE,
            colour: Colour::Rgb,
            frames: FrameRange { min: size, max: size },
            alignment: None,
            ignore: None,
            reference_patch: None,
        },
        arithmetic: Arithmetic::Single,
        image_score: ImageScore::Model,
        image_threshold: 0.5,
        pixel_threshold: 0.5,
        score_tolerance: 0.1,
        evidence: Evidence { normals: 1, rank: 1, sample: Sample::HeldOut, target_fpr: 0.01, scores },
        golden: [].into_iter().collect(),
        product_limit: None,
        defects: None,
    }
}
