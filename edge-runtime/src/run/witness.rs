//! What else becomes of an inspected part: a record of rejects and faults, and a look at how scores and light drift.

use std::sync::{Arc, Mutex, PoisonError};

use judge::Judge;
use shared_format::{ThresholdFile, Verdict};

use super::gatekeeper::PartStart;
use super::inspector::{Seen, Witness};
use crate::capture::luma::Exposure;
use crate::health::{BrightnessDrift, ScoreDrift};
use crate::part::PartVerdict;
use crate::record::{Record, Recorder};

/// How one product's scores and light drift.
#[derive(Debug)]
struct ProductDrift {
    product: Arc<str>,
    scores: ScoreDrift,
    light: BrightnessDrift,
}

/// How all products drift; filled by the inspector's thread, read by health.
#[derive(Debug, Clone)]
pub(super) struct Drift(Arc<Mutex<Vec<ProductDrift>>>);

impl Drift {
    /// Of these products, judged by these judges.
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
        // What is black or frozen says so itself.
        if seen.refused.is_none()
            && let Ok(frame) = seen.captured.frame()
        {
            drift.light.add(f64::from(Exposure::of(frame).mean));
        }
    }

    /// One sentence for each thing that has drifted.
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

/// The witness of a line that keeps records, or doesn't.
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
            // None of its frames may have been judged.
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
