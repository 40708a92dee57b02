//! How well a bundle separates good from defective parts, on images with known answers.

mod curves;
mod figures;
mod mask;

pub use curves::{aupro, auroc};
pub use figures::{Figures, KindFigures, figures};
pub use mask::{MaskError, regions};

use std::path::PathBuf;

use judge::{AnomalyMap, Judge, decode_file_within, region_of_interest};
use shared_format::Verdict;

use crate::dataset::TestImage;

/// The largest false-positive rate that counts for AUPRO (Bergmann et al.: *The MVTec Anomaly Detection Dataset*, 2021).
pub const PRO_LIMIT: f64 = 0.3;

/// What the judge said of one test image.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The file.
    pub path: PathBuf,
    /// [`crate::dataset::GOOD`], or the kind of defect.
    pub kind: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The score; `None` for a fault.
    pub score: Option<f32>,
    /// Why there is no score, or no mask.
    pub problem: Option<String>,
    /// Whether there is a mask that can't be read.
    pub mask_unreadable: bool,
    /// The map's values with the region (0 = normal, 1… = regions of the mask) of each, for images whose truth is known
    /// per pixel: normal ones and those with a mask.
    pub pixels: Option<Pixels>,
}

/// Map values with their truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// Anomaly map, row-major.
    pub values: Vec<f32>,
    /// For each value: 0 = normal, n = the mask's n-th connected region.
    pub regions: Vec<u32>,
}

/// Judges one test image. `keep_pixels` keeps what pixel figures need, 8 bytes a pixel of the map.
pub fn evaluate_image(judge: &mut Judge, image: &TestImage, keep_pixels: bool) -> Outcome {
    let mut outcome = Outcome {
        path: image.path.clone(),
        kind: image.kind.clone(),
        verdict: Verdict::Fault,
        score: None,
        problem: None,
        mask_unreadable: false,
        pixels: None,
    };
    let most = judge.bundle().thresholds.recipe.frames.most();
    let frame = match decode_file_within(&image.path, most) {
        Ok(frame) => frame,
        Err(e) => {
            outcome.problem = Some(e.to_string());
            return outcome;
        }
    };
    let judgement = judge.judge(&frame);
    outcome.verdict = judgement.verdict;
    outcome.score = judgement.score;
    outcome.problem = judgement.fault.map(|fault| fault.to_string());
    let roi = region_of_interest(&judge.bundle().thresholds.recipe, frame.size());
    if !keep_pixels {
        return outcome;
    }
    if let (Some(AnomalyMap { width, height, values }), Ok(roi)) = (judgement.map, roi) {
        let truth = match &image.mask {
            None if image.is_defective() => return outcome,
            None => Ok(vec![0; values.len()]),
            Some(mask) => regions(mask, frame.size(), roi, width, height),
        };
        match truth {
            Ok(regions) => outcome.pixels = Some(Pixels { values, regions }),
            Err(e) => {
                outcome.problem = Some(e.to_string());
                outcome.mask_unreadable = true;
            }
        }
    }
    outcome
}
