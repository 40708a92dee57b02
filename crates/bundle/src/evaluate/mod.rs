//! Measures how well a bundle separates good from defective parts, on images with known answers.

mod bins;
pub mod bootstrap;
mod curves;
mod figures;
mod mask;

pub use bootstrap::ConfidenceInterval;
pub use curves::{aupro, auroc};
pub use figures::{Figures, Intervals, KindFigures, figures};
pub use mask::{IGNORED, MaskError, regions};

use std::path::PathBuf;
use std::time::Duration;

use judge::{AnomalyMap, Judge, decode_file_within, region_of_interest};
use shared_format::Verdict;

use crate::dataset::TestImage;

/// The largest false-positive rate that counts for AUPRO (Bergmann et al.: *The MVTec Anomaly Detection Dataset*, 2021).
pub const PRO_LIMIT: f64 = 0.3;

/// The judgement of one test image.
#[derive(Debug, Clone)]
pub struct ImageOutcome {
    /// The file.
    pub path: PathBuf,
    /// [`crate::dataset::GOOD`], or the kind of defect.
    pub kind: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The score; `None` for a fault.
    pub score: Option<f32>,
    /// The level of the zone that the score comes from; `None` without zones.
    pub zone: Option<u8>,
    /// How long it took from the decoded frame to the verdict.
    pub took: Duration,
    /// Why there is no score, or no mask.
    pub problem: Option<String>,
    /// What is known about where the defect is.
    pub mask: MaskStatus,
    /// The map's values with the region of each (0 = normal, 1… = regions of the mask), for images whose truth is known per
    /// pixel: normal ones and those with a mask.
    pub pixels: Option<LabelledPixels>,
}

/// What is known about where a part's defect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskStatus {
    /// The part has no defect, or its mask shows where the defect is.
    Known,
    /// There is no mask.
    Missing,
    /// The mask marks nothing.
    Empty,
    /// The mask can't be read.
    Unreadable,
}

/// Map values with their truth.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledPixels {
    /// The anomaly map's values.
    pub values: Vec<f32>,
    /// For each value: 0 = normal, n = the mask's n-th connected region. Values whose truth is unknown are left out.
    pub regions: Vec<u32>,
}

/// Judges test images, keeping what pixel figures need if there are masks. `progress` is called after each and says whether to go
/// on; returns `None` if it says no.
pub fn evaluate(
    judge: &mut Judge,
    images: &[TestImage],
    progress: &mut dyn FnMut() -> bool,
) -> Option<Vec<ImageOutcome>> {
    let keep_pixels = images.iter().any(|image| !image.masks.is_empty());
    let mut outcomes = Vec::with_capacity(images.len());
    for image in images {
        outcomes.push(evaluate_image(judge, image, keep_pixels));
        if !progress() {
            return None;
        }
    }
    Some(outcomes)
}

/// Judges one test image. `keep_pixels` keeps what pixel figures need, 8 bytes per pixel of the map.
fn evaluate_image(judge: &mut Judge, image: &TestImage, keep_pixels: bool) -> ImageOutcome {
    let mut outcome = ImageOutcome {
        path: image.path.clone(),
        kind: image.kind.clone(),
        verdict: Verdict::Fault,
        score: None,
        zone: None,
        took: Duration::ZERO,
        problem: None,
        mask: if image.is_defective() && image.masks.is_empty() {
            MaskStatus::Missing
        } else {
            MaskStatus::Known
        },
        pixels: None,
    };
    let most = judge.bundle().thresholds.recipe.frames.max_admitted();
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
    outcome.zone = judgement.zone().map(|zone| zone.level);
    outcome.took = judgement.times.total();
    outcome.problem = judgement.fault.map(|fault| fault.to_string());
    let roi = region_of_interest(&judge.bundle().thresholds.recipe, frame.size());
    if !keep_pixels {
        return outcome;
    }
    if let (Some(map), Ok(roi)) = (judgement.map, roi) {
        if !image.is_defective() {
            let values = map.judged().into_owned();
            let regions = vec![0; values.len()];
            outcome.pixels = Some(LabelledPixels { values, regions });
            return outcome;
        }
        let AnomalyMap { width, height, values, ignored } = map;
        if image.masks.is_empty() {
            return outcome;
        }
        match regions(&image.masks, frame.size(), roi, width, height) {
            Ok(Some(mut regions)) => {
                regions.iter_mut().zip(&ignored).filter(|(_, ignored)| **ignored).for_each(|(region, _)| {
                    *region = IGNORED;
                });
                let known = values.into_iter().zip(regions).filter(|&(_, region)| region != IGNORED);
                let (values, regions) = known.unzip();
                outcome.pixels = Some(LabelledPixels { values, regions });
            }
            Ok(None) => outcome.mask = MaskStatus::Empty,
            Err(e) => {
                outcome.problem = Some(e.to_string());
                outcome.mask = MaskStatus::Unreadable;
            }
        }
    }
    outcome
}
