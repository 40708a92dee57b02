//! Records rejects, faults and a sample of the passed parts, tracks the drift of scores and brightness, and passes on frames to be kept
//! as photos.

use std::sync::{Arc, Mutex, PoisonError};

use judge::Judge;
use shared_format::{ThresholdFile, Verdict};

use super::inspector::{InspectedPart, PartObserver};
use super::tasks::PhotoTap;
use super::view::ViewResult;
use crate::health::{BrightnessDrift, ScoreDrift};
use crate::record::{Record, Recorder};

/// The drift of what one bundle judges: a product, or a view of it.
#[derive(Debug)]
struct BundleDrift {
    product: Arc<str>,
    thresholds: Arc<ThresholdFile>,
    scores: ScoreDrift,
    light: BrightnessDrift,
}

/// The drift of all products and views; written by the inspector thread, read by the health monitor.
#[derive(Debug, Clone)]
pub(super) struct Drift(Arc<Mutex<Vec<BundleDrift>>>);

impl Drift {
    /// Creates the drift statistics of these judges, each with the name of what it judges.
    pub(super) fn new(names: &[Arc<str>], judges: &[Judge]) -> Self {
        let drift = names.iter().zip(judges).map(|(product, judge)| BundleDrift {
            product: Arc::clone(product),
            thresholds: Arc::new(judge.bundle().thresholds.clone()),
            scores: ScoreDrift::new(&judge.bundle().thresholds.evidence),
            light: BrightnessDrift::default(),
        });
        Self(Arc::new(Mutex::new(drift.collect())))
    }

    fn add(&self, judge: usize, result: &ViewResult) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(drift), Some(frame)) = (all.get_mut(judge), &result.frame) else { return };
        if let (Some(Verdict::Pass), Some(score)) = (result.verdict, result.score) {
            drift.scores.add(score);
        }
        // Black and frozen frames, which have none, are reported separately.
        if let Some(brightness) = frame.brightness {
            drift.light.add(f64::from(brightness));
        }
    }

    /// Notes that a judge judges with these thresholds from now on. With another calibration, its scores start afresh.
    pub(super) fn replace(&self, judge: usize, thresholds: &ThresholdFile) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(drift) = all.get_mut(judge) else { return };
        if drift.thresholds.evidence != thresholds.evidence {
            drift.scores = ScoreDrift::new(&thresholds.evidence);
        }
        drift.thresholds = Arc::new(thresholds.clone());
    }

    fn thresholds(&self, judge: usize) -> Option<Arc<ThresholdFile>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&all.get(judge)?.thresholds))
    }

    /// Returns one sentence for each quantity that has drifted.
    pub(super) fn sentences(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |drift: &BundleDrift| {
            let product = &drift.product;
            [drift.scores.alarm(), drift.light.alarm()]
                .map(|alarm| alarm.map(|said| format!("{product}: {said}")))
        };
        all.iter().flat_map(of).flatten().collect()
    }
}

/// What the observer knows of the line.
pub(super) struct ObservedLine {
    /// The products' names.
    pub(super) products: Vec<Arc<str>>,
    /// The views' names.
    pub(super) views: Vec<Arc<str>>,
    /// Of each view, the index of the judge of each product.
    pub(super) judge_of: Vec<Vec<usize>>,
    /// The index of the judge with each product's own bundle.
    pub(super) own: Vec<usize>,
}

/// Creates the observer of a line, with or without a recorder. Of each part, the decisive frame is recorded.
pub(super) fn part_observer(
    recorder: Option<Arc<Recorder>>,
    drift: Drift,
    line: ObservedLine,
    photos: Option<PhotoTap>,
) -> PartObserver {
    Box::new(move |part, InspectedPart { verdict, views, decisive }| {
        let product = usize::from(part.product);
        let judge_of = |view: usize| line.judge_of.get(view)?.get(product).copied();
        for result in &views {
            let Some(judge) = judge_of(result.view) else { continue };
            drift.add(judge, result);
            // A view with a bundle of its own shows nothing that the product's bundle could learn.
            if let (Some(photos), Some(frame)) = (&photos, &result.frame)
                && line.own.get(product) == Some(&judge)
            {
                photos.offer(part.product, frame);
            }
        }
        let Some(frame) = views.into_iter().nth(decisive).and_then(|result| result.frame) else { return };
        let (Some(recorder), Some(product), Some(judge)) =
            (&recorder, line.products.get(product), judge_of(decisive))
        else {
            return;
        };
        if verdict.verdict == Verdict::Pass && !recorder.samples(part.number) {
            return;
        }
        let Some(thresholds) = drift.thresholds(judge) else { return };
        // Dropped records are counted by the recorder.
        recorder.offer(Record {
            part: part.number,
            // It is possible that none of its frames was judged.
            frame_of_part: verdict.frames.max(1),
            product: product.to_string(),
            view: line.views.get(decisive).filter(|_| line.views.len() > 1).map(ToString::to_string),
            part_verdict: verdict.verdict,
            judgement: frame.judgement,
            captured_at: frame.captured.captured_at(),
            captured: frame.captured,
            refused: frame.refused.map(|refusal| refusal.to_string()),
            thresholds,
        });
    })
}
