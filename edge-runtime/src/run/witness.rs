//! Records rejects and faults, and tracks the drift of scores and brightness.

use std::sync::{Arc, Mutex, PoisonError};

use judge::Judge;
use shared_format::{ThresholdFile, Verdict};

use super::gatekeeper::PartStart;
use super::inspector::{Seen, Witness};
use crate::capture::luma::Exposure;
use crate::health::{BrightnessDrift, ScoreDrift};
use crate::part::PartVerdict;
use crate::record::{Record, Recorder};

/// The drift of one product's scores and brightness.
#[derive(Debug)]
struct ProductDrift {
    product: Arc<str>,
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
            scores: ScoreDrift::new(&judge.bundle().thresholds.evidence),
            light: BrightnessDrift::default(),
        });
        Self(Arc::new(Mutex::new(drift.collect())))
    }

    fn add(&self, start: &PartStart, verdict: &PartVerdict, seen: &Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(drift) = all.get_mut(usize::from(start.product)) else { return };
        if let (Verdict::Pass, Some(score)) = (verdict.verdict, verdict.score) {
            drift.scores.add(score);
        }
        // Black and frozen frames are reported separately.
        if seen.refused.is_none()
            && let Ok(frame) = seen.captured.frame()
        {
            drift.light.add(f64::from(Exposure::of(frame).mean));
        }
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

/// Creates the witness of a line, with or without a recorder.
pub(super) fn witness(
    recorder: Option<Arc<Recorder>>,
    drift: Drift,
    products: Vec<Arc<str>>,
    judges: &[Judge],
) -> Witness {
    let thresholds: Vec<Arc<ThresholdFile>> =
        judges.iter().map(|judge| Arc::new(judge.bundle().thresholds.clone())).collect();
    Box::new(move |start, verdict, seen| {
        let Some(seen) = seen else { return };
        drift.add(start, verdict, &seen);
        let place = usize::from(start.product);
        let (Some(recorder), Some(product), Some(thresholds)) =
            (&recorder, products.get(place), thresholds.get(place))
        else {
            return;
        };
        if verdict.verdict == Verdict::Pass {
            return;
        }
        // Dropped records are counted by the recorder.
        recorder.offer(Record {
            part: start.part,
            // It is possible that none of its frames was judged.
            frame_of_part: verdict.frames.max(1),
            product: product.to_string(),
            judgement: seen.judgement,
            captured_at: seen.captured.captured_at(),
            frame: seen.captured.frame().ok().cloned(),
            bytes: seen.captured.encoded().map(<[u8]>::to_vec),
            refused: seen.refused.map(|refusal| refusal.to_string()),
            thresholds: Arc::clone(thresholds),
        });
    })
}
