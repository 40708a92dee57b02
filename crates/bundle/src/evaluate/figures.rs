//! The figures of an evaluation, as printed and as written to JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared_format::Verdict;

use super::bins::Binned;
use super::bootstrap::{ConfidenceInterval, Ranked, draws};
use super::{ImageOutcome, LabelledPixels, MaskStatus, PRO_LIMIT, aupro, auroc};
use crate::dataset::GOOD;

/// A map whose values differ by less than this share of the largest is the same everywhere.
const ROUNDING_NOISE: f32 = 1e-5;

/// Figures over all test images, and per kind of defect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Over all kinds.
    #[serde(flatten)]
    pub all: KindFigures,
    /// The bundle's image threshold.
    pub threshold: f32,
    /// Images without a score; they don't count in any other figure.
    pub n_fault: usize,
    /// Images with a score whose mask can't be read; like the next two kinds, they don't count in pixel figures.
    pub unreadable_masks: usize,
    /// Defective images with a score and a mask that marks nothing.
    pub empty_masks: usize,
    /// Defective images with a score and no mask.
    pub missing_masks: usize,
    /// Each kind of defect against all normals.
    pub kinds: BTreeMap<String, KindFigures>,
}

/// Figures over the normals and one kind of defect (or all kinds). `None` (JSON null) if the images don't allow the
/// figure; pixel figures also if all maps are the same everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The uncertainty of the figures.
    pub intervals: Intervals,
}

/// 95 % intervals of the figures of the same names, see [`super::bootstrap`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after their figures")]
pub struct Intervals {
    pub image_auroc: Option<ConfidenceInterval>,
    pub pixel_auroc: Option<ConfidenceInterval>,
    pub aupro_30: Option<ConfidenceInterval>,
    pub fpr_at_threshold: Option<ConfidenceInterval>,
    pub tpr_at_threshold: Option<ConfidenceInterval>,
}

/// Computes the figures of `outcomes`, judged at `threshold`.
#[must_use]
pub fn figures(outcomes: &[ImageOutcome], threshold: f32) -> Figures {
    let scored: Vec<&ImageOutcome> = outcomes.iter().filter(|o| o.score.is_some()).collect();
    let mut kinds: Vec<&str> = scored.iter().map(|o| o.kind.as_str()).filter(|&kind| kind != GOOD).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_kind = |kind: &str| {
        let chosen: Vec<&ImageOutcome> =
            scored.iter().copied().filter(|o| o.kind == GOOD || o.kind == kind).collect();
        (kind.to_owned(), kind_figures(&chosen))
    };
    let masks = |state| scored.iter().filter(|o| o.mask == state).count();
    Figures {
        all: kind_figures(&scored),
        threshold,
        n_fault: outcomes.len() - scored.len(),
        unreadable_masks: masks(MaskStatus::Unreadable),
        empty_masks: masks(MaskStatus::Empty),
        missing_masks: masks(MaskStatus::Missing),
        kinds: kinds.iter().map(|kind| of_kind(kind)).collect(),
    }
}

fn kind_figures(outcomes: &[&ImageOutcome]) -> KindFigures {
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
    let pixels: Vec<&LabelledPixels> = outcomes.iter().filter_map(|o| o.pixels.as_ref()).collect();
    let masked = pixels.iter().any(|p| p.regions.iter().any(|&r| r > 0)) && localises(&pixels);
    KindFigures {
        image_auroc: auroc(&mut scores),
        pixel_auroc: if masked { pixel_auroc(&pixels) } else { None },
        aupro_30: if masked { aupro(&pixels, PRO_LIMIT) } else { None },
        fpr_at_threshold,
        tpr_at_threshold,
        n_normal,
        n_defective,
        intervals: intervals(outcomes, masked),
    }
}

/// Returns whether any map differs from place to place. The maps of a model that looks at the part as a whole are the same everywhere,
/// so they say nothing about where a defect is; moving them back onto an aligned part leaves rounding noise.
fn localises(images: &[&LabelledPixels]) -> bool {
    images.iter().any(|image| {
        let range = image.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
        range.1 - range.0 > ROUNDING_NOISE * range.1.abs().max(range.0.abs())
    })
}

fn intervals(outcomes: &[&ImageOutcome], masked: bool) -> Intervals {
    let scores: Vec<(f32, bool)> =
        outcomes.iter().map(|o| (o.score.unwrap_or(f32::NAN), o.kind != GOOD)).collect();
    let sorts: Vec<bool> = scores.iter().map(|item| item.1).collect();
    let ranked = Ranked::new(&scores);
    let with_pixels: Vec<usize> =
        (0..outcomes.len()).filter(|&i| masked && outcomes[i].pixels.is_some()).collect();
    let pixels: Vec<&LabelledPixels> =
        with_pixels.iter().filter_map(|&i| outcomes[i].pixels.as_ref()).collect();
    let binned = Binned::new(&pixels);
    let mut drawn: [Vec<Option<f64>>; 5] = [const { Vec::new() }; 5];
    for times in draws(&sorts) {
        let areas = binned.areas(with_pixels.iter().map(|&i| times[i]), PRO_LIMIT);
        let rejected = |defective: bool| {
            let of = outcomes.iter().zip(&times).filter(|(o, _)| (o.kind != GOOD) == defective);
            let (all, rejected) = of.fold((0, 0), |(all, rejected), (o, &times)| {
                (all + times, rejected + if o.verdict == Verdict::Reject { times } else { 0 })
            });
            (all > 0).then(|| f64::from(rejected) / f64::from(all))
        };
        let figures = [ranked.auroc(&times), areas.auroc, areas.aupro, rejected(false), rejected(true)];
        drawn.iter_mut().zip(figures).for_each(|(of, figure)| of.push(figure));
    }
    let [image_auroc, pixel_auroc, aupro_30, fpr_at_threshold, tpr_at_threshold] =
        drawn.map(ConfidenceInterval::of);
    Intervals { image_auroc, pixel_auroc, aupro_30, fpr_at_threshold, tpr_at_threshold }
}

fn pixel_auroc(images: &[&LabelledPixels]) -> Option<f64> {
    let mut items: Vec<(f32, bool)> =
        images.iter().flat_map(|i| i.values.iter().zip(&i.regions).map(|(&v, &r)| (v, r > 0))).collect();
    auroc(&mut items)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(kind: &str, score: f32, values: [f32; 4]) -> ImageOutcome {
        let defective = kind != GOOD;
        let regions = if defective { vec![0, 0, 0, 1] } else { vec![0; 4] };
        ImageOutcome {
            path: kind.into(),
            kind: kind.to_owned(),
            verdict: Verdict::of(score, 1.5),
            score: Some(score),
            zone: None,
            took: Duration::ZERO,
            problem: None,
            mask: MaskStatus::Known,
            pixels: Some(LabelledPixels { values: values.to_vec(), regions }),
        }
    }

    #[test]
    fn maps_that_are_the_same_everywhere_have_no_pixel_figures() {
        // With rounding noise, as alignment leaves it.
        let whole = [outcome(GOOD, 1.0, [1.0; 4]), outcome("dent", 2.0, [2.0, 2.0, 2.0, 2.000_001])];
        let Figures { all, .. } = figures(&whole, 1.5);
        assert_eq!((all.image_auroc, all.pixel_auroc, all.aupro_30), (Some(1.0), None, None));
        assert_eq!((all.intervals.pixel_auroc, all.intervals.aupro_30), (None, None));
        // One map that differs is enough.
        let placed = [outcome(GOOD, 1.0, [1.0; 4]), outcome("dent", 2.0, [0.9, 0.9, 0.9, 2.0])];
        assert_eq!(figures(&placed, 1.5).all.pixel_auroc, Some(1.0));
    }
}
