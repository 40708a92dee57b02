//! Records rejects, faults and a sample of the passed parts, tracks the drift of scores and brightness, and passes on frames to be kept
//! as photos.

use std::sync::{Arc, Mutex, PoisonError};

use judge::Judge;
use shared_format::{ThresholdFile, Verdict};

use super::gatekeeper::TriggeredPart;
use super::inspector::{InspectedFrame, PartObserver};
use super::tasks::PhotoTap;
use crate::capture::luma::Exposure;
use crate::health::{BrightnessDrift, ScoreDrift};
use crate::part::PartVerdict;
use crate::record::{Record, Recorder};

/// The drift of one product's scores and brightness.
#[derive(Debug)]
struct ProductDrift {
    product: Arc<str>,
    thresholds: Arc<ThresholdFile>,
    scores: ScoreDrift,
    light: BrightnessDrift,
}

/// The drift of all products; written by the inspector thread, read by the health monitor.
#[derive(Debug, Clone)]
pub(super) struct Drift(Arc<Mutex<Vec<ProductDrift>>>);

impl Drift {
    /// Creates the drift statistics of these products and their judges.
    pub(super) fn new(products: &[Arc<str>], judges: &[Judge]) -> Self {
        let drift = products.iter().zip(judges).map(|(product, judge)| ProductDrift {
            product: Arc::clone(product),
            thresholds: Arc::new(judge.bundle().thresholds.clone()),
            scores: ScoreDrift::new(&judge.bundle().thresholds.evidence),
            light: BrightnessDrift::default(),
        });
        Self(Arc::new(Mutex::new(drift.collect())))
    }

    fn add(&self, part: &TriggeredPart, verdict: &PartVerdict, frame: &InspectedFrame) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(drift) = all.get_mut(usize::from(part.product)) else { return };
        if let (Verdict::Pass, Some(score)) = (verdict.verdict, verdict.score) {
            drift.scores.add(score);
        }
        // Black and frozen frames are reported separately.
        if frame.refused.is_none()
            && let Ok(pixels) = frame.captured.frame()
        {
            drift.light.add(f64::from(Exposure::of(pixels).mean));
        }
    }

    /// Notes that a product is judged with these thresholds from now on. With another calibration, its scores start afresh.
    pub(super) fn replace(&self, product: usize, thresholds: &ThresholdFile) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(drift) = all.get_mut(product) else { return };
        if drift.thresholds.evidence != thresholds.evidence {
            drift.scores = ScoreDrift::new(&thresholds.evidence);
        }
        drift.thresholds = Arc::new(thresholds.clone());
    }

    fn thresholds(&self, product: usize) -> Option<Arc<ThresholdFile>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&all.get(product)?.thresholds))
    }

    /// Returns one sentence for each quantity that has drifted.
    pub(super) fn sentences(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |drift: &ProductDrift| {
            let product = &drift.product;
            [drift.scores.alarm(), drift.light.alarm()]
                .map(|alarm| alarm.map(|said| format!("{product}: {said}")))
        };
        all.iter().flat_map(of).flatten().collect()
    }
}

/// Creates the observer of a line, with or without a recorder.
pub(super) fn part_observer(
    recorder: Option<Arc<Recorder>>,
    drift: Drift,
    products: Vec<Arc<str>>,
    photos: Option<PhotoTap>,
) -> PartObserver {
    Box::new(move |part, verdict, frame| {
        let Some(frame) = frame else { return };
        drift.add(part, verdict, &frame);
        if let Some(photos) = &photos {
            photos.offer(part.product, &frame);
        }
        let index = usize::from(part.product);
        let (Some(recorder), Some(product)) = (&recorder, products.get(index)) else { return };
        if verdict.verdict == Verdict::Pass && !recorder.samples(part.number) {
            return;
        }
        let Some(thresholds) = drift.thresholds(index) else { return };
        // Dropped records are counted by the recorder.
        recorder.offer(Record {
            part: part.number,
            // It is possible that none of its frames was judged.
            frame_of_part: verdict.frames.max(1),
            product: product.to_string(),
            part_verdict: verdict.verdict,
            judgement: frame.judgement,
            captured_at: frame.captured.captured_at(),
            frame: frame.captured.frame().ok().cloned(),
            bytes: frame.captured.encoded().map(<[u8]>::to_vec),
            refused: frame.refused.map(|refusal| refusal.to_string()),
            thresholds,
        });
    })
}
