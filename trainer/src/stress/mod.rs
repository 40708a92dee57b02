//! Judges good photos under changed light, focus and position, to find the strength from which a bundle rejects more of them than it
//! claims.
//!
//! | module | what it does |
//! |---|---|
//! | [`disturbance`] | photo → the same part under worse conditions |
//! | [`outcome`] | how many were rejected, and where the claim breaks |
//! | [`report`] | a table, and a page with curves |

pub mod disturbance;
pub mod outcome;
pub mod report;

pub use disturbance::{Disturbance, Steps};
pub use outcome::{Outcomes, StressStep};

use judge::{Frame, Judge};
use shared_format::Verdict;

/// Judges every photo as it is and in each step. `progress` is called after each photo and returns whether to continue; if not, the
/// result is `None`.
pub fn stress(
    judge: &mut Judge,
    photos: &[Frame],
    wanted: &Steps,
    progress: &mut dyn FnMut() -> bool,
) -> Option<Outcomes> {
    let thresholds = &judge.bundle().thresholds;
    let (claimed, threshold) = (thresholds.evidence.claimed_fpr(), thresholds.image_threshold);
    let mut steps = Vec::new();
    let mut judged = |disturbance: Option<Disturbance>, strength: f64| {
        let (mut rejected, mut scores) = (0, Vec::new());
        for (seed, photo) in (0..).zip(photos) {
            let judgement = match disturbance {
                None => judge.judge(photo),
                Some(disturbance) => judge.judge(&disturbance.apply(photo, strength, seed)?),
            };
            rejected += usize::from(judgement.verdict != Verdict::Pass);
            scores.extend(judgement.score.map(|score| score / threshold));
            if !progress() {
                return None;
            }
        }
        scores.sort_by(f32::total_cmp);
        let median = scores.get(scores.len() / 2).copied();
        Some(StressStep { disturbance, strength, rejected, judged: photos.len(), median })
    };
    let undisturbed = judged(None, 0.0)?;
    for &(disturbance, strength) in wanted.as_slice() {
        if disturbance.needs_colour() && photos.iter().all(Frame::is_grey) {
            continue;
        }
        steps.push(judged(Some(disturbance), strength)?);
    }
    Some(Outcomes { claimed, undisturbed, steps })
}
