//! The figures of an evaluation, as they are printed and written as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use shared_format::Verdict;

use super::{Outcome, PRO_LIMIT, Pixels, aupro, auroc};
use crate::dataset::GOOD;

/// Figures over all test images, and per kind of defect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Over all kinds.
    #[serde(flatten)]
    pub all: KindFigures,
    /// The bundle's image threshold.
    pub threshold: f32,
    /// Images without a score; they count in no other figure.
    pub n_fault: usize,
    /// Images with a score whose mask can't be read; they count in no pixel figure.
    pub unreadable_masks: usize,
    /// Each kind of defect against all normals.
    pub kinds: BTreeMap<String, KindFigures>,
}

/// Figures over the normals and one kind of defect (or all of them). `None` (JSON null) where the images can't tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindFigures {
    /// Area under the ROC curve of the image scores.
    pub image_auroc: Option<f64>,
    /// Area under the ROC curve of the map values, over images with masks and normals.
    pub pixel_auroc: Option<f64>,
    /// Area under the per-region-overlap curve up to 30 % false positives.
    pub aupro_30: Option<f64>,
    /// Share of the normals that are rejected.
    pub fpr_at_threshold: Option<f64>,
    /// Share of the defective ones that are rejected.
    pub tpr_at_threshold: Option<f64>,
    /// Normals with a score.
    pub n_normal: usize,
    /// Defective ones with a score.
    pub n_defective: usize,
}

/// The figures of `outcomes`, judged at `threshold`.
#[must_use]
pub fn figures(outcomes: &[Outcome], threshold: f32) -> Figures {
    let scored: Vec<&Outcome> = outcomes.iter().filter(|o| o.score.is_some()).collect();
    let mut kinds: Vec<&str> = scored.iter().map(|o| o.kind.as_str()).filter(|&kind| kind != GOOD).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_kind = |kind: &str| {
        let chosen: Vec<&Outcome> =
            scored.iter().copied().filter(|o| o.kind == GOOD || o.kind == kind).collect();
        (kind.to_owned(), kind_figures(&chosen))
    };
    Figures {
        all: kind_figures(&scored),
        threshold,
        n_fault: outcomes.len() - scored.len(),
        unreadable_masks: scored.iter().filter(|o| o.mask_unreadable).count(),
        kinds: kinds.iter().map(|kind| of_kind(kind)).collect(),
    }
}

fn kind_figures(outcomes: &[&Outcome]) -> KindFigures {
    let mut scores: Vec<(f32, bool)> =
        outcomes.iter().filter_map(|o| o.score.map(|score| (score, o.kind != GOOD))).collect();
    let rejected = |defective: bool| {
        let of = outcomes.iter().filter(|o| (o.kind != GOOD) == defective);
        let (n, hits) =
            of.fold((0, 0), |(n, hits), o| (n + 1, hits + usize::from(o.verdict == Verdict::Reject)));
        (n, (n > 0).then(|| hits as f64 / n as f64))
    };
    let (n_normal, fpr_at_threshold) = rejected(false);
    let (n_defective, tpr_at_threshold) = rejected(true);
    let pixels: Vec<&Pixels> = outcomes.iter().filter_map(|o| o.pixels.as_ref()).collect();
    let masked = pixels.iter().any(|p| p.regions.iter().any(|&r| r > 0));
    KindFigures {
        image_auroc: auroc(&mut scores),
        pixel_auroc: if masked { pixel_auroc(&pixels) } else { None },
        aupro_30: if masked { aupro(&pixels, PRO_LIMIT) } else { None },
        fpr_at_threshold,
        tpr_at_threshold,
        n_normal,
        n_defective,
    }
}

fn pixel_auroc(images: &[&Pixels]) -> Option<f64> {
    let mut items: Vec<(f32, bool)> =
        images.iter().flat_map(|i| i.values.iter().zip(&i.regions).map(|(&v, &r)| (v, r > 0))).collect();
    auroc(&mut items)
}
