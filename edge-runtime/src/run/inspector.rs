//! The thread that inspects parts: frames of a part → votes → the part's verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use judge::{Judge, Judgement, StageTimes};
use shared_format::Verdict;

use super::gatekeeper::PartStart;
use super::mailbox::{Mailbox, Message};
use super::shared::Shared;
use crate::capture::{CameraState, Captured, FrameRing, NoFrame};
use crate::clock::Moment;
use crate::health::Stage;
use crate::line_file;
use crate::log::limited;
use crate::part::{PartVerdict, Votes};

/// The reason why a frame was not judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The camera's state says that its picture can't be trusted.
    #[error("the camera's picture can't be trusted: {0}")]
    Untrusted(CameraState),
    /// The camera delivered it a second time.
    #[error(
        "the camera delivered the same picture again, byte for byte; reconnect the camera, or set \
         health.equal_frames = 0 if its picture may stand still"
    )]
    Repeated,
    /// It can't be decoded; this is the decoder's message.
    #[error("{0}")]
    Undecodable(String),
    /// The part's product is not in the line file.
    #[error("the part's product is not in the line file")]
    NoProduct,
}

/// An inspected frame.
#[derive(Debug)]
pub struct Seen {
    /// The frame as the camera delivered it.
    pub captured: Arc<Captured>,
    /// The judge's result; a bare fault if the frame was not judged.
    pub judgement: Judgement,
    /// Why the frame was not judged: it can't be decoded or can't be trusted.
    pub refused: Option<Refusal>,
}

/// A callback for each inspected part: the part, its verdict, and the decisive frame, if any (for a fault, one of its
/// frames that could not be judged). It must never block the inspector.
pub type Witness = Box<dyn Fn(&PartStart, &PartVerdict, Option<Seen>) + Send>;

/// The inspector and everything it needs.
pub struct Inspector {
    /// One judge per product.
    pub judges: Vec<Judge>,
    /// How frames vote.
    pub votes: line_file::Votes,
    /// The source of frames.
    pub frames: Arc<FrameRing>,
    /// Returns the camera's state.
    pub camera: Box<dyn Fn() -> CameraState + Send>,
    /// The time from the trigger to the first exposure that counts.
    pub exposure_delay: Duration,
    /// How long to wait for a frame.
    pub patience: Duration,
    /// The triggered parts, in order.
    pub starts: Receiver<PartStart>,
    /// Receives the verdicts.
    pub mailbox: Mailbox,
    /// Shared with the other threads.
    pub shared: Arc<Shared>,
    /// Called with each inspected part.
    pub witness: Witness,
}

impl Inspector {
    /// Inspects parts until the channel of triggered parts is closed.
    pub fn inspect_all(mut self) {
        while let Ok(start) = self.starts.recv() {
            // The part has already passed the gate without a verdict; the next one may still be in time.
            if start.part <= self.shared.released() {
                self.shared.troubles.skipped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let inspected = catch_unwind(AssertUnwindSafe(|| self.inspect(&start)));
            // A panic may have left it marked as busy.
            self.shared.judging.rest();
            let (verdict, seen) = inspected.unwrap_or_else(|_| {
                limited!(error, "the inspector panicked on part {}; the part is a fault", start.part);
                (self.fault(&start), None)
            });
            self.mailbox.send(Message::Verdict(verdict));
            self.shared.latencies.add(Stage::TriggeredToVerdict, Moment::now().since(start.triggered_at));
            (self.witness)(&start, &verdict, seen);
        }
    }

    fn threshold(&self, start: &PartStart) -> f32 {
        let judge = self.judges.get(usize::from(start.product));
        judge.map_or(f32::NAN, |judge| judge.bundle().thresholds.image_threshold)
    }

    fn fault(&self, start: &PartStart) -> PartVerdict {
        let threshold = self.threshold(start);
        let (verdict, captured_at) = (Verdict::Fault, None);
        PartVerdict { part: start.part, verdict, score: None, threshold, frames: 0, captured_at }
    }

    /// Returns the part's verdict and the frame with the highest score.
    fn inspect(&mut self, start: &PartStart) -> (PartVerdict, Option<Seen>) {
        let mut votes = Votes::new(&self.votes);
        let mut verdict = self.fault(start);
        let mut worst: Option<Seen> = None;
        let mut scores = vec![];
        let mut from = start.triggered_at + self.exposure_delay;
        while votes.decided().is_none() {
            let captured = match self.frames.first_after(from, from + self.patience) {
                Ok(captured) => captured,
                Err(e) => {
                    limited!(warn, "part {}: {e}", start.part);
                    break;
                }
            };
            // A frame after a pause of the whole machine shows another part.
            if captured.captured_at() > from + self.patience {
                limited!(warn, "part {}: {}", start.part, NoFrame::TimedOut);
                break;
            }
            from = captured.captured_at() + Duration::from_nanos(1);
            verdict.captured_at = Some(captured.captured_at());
            self.shared.judging.begin(Moment::now());
            let seen = self.look(start, captured);
            self.shared.judging.rest();
            votes.add(seen.judgement.verdict);
            scores.extend(seen.judgement.score);
            if worst.as_ref().is_none_or(|worst| score(&seen.judgement) > score(&worst.judgement)) {
                worst = Some(seen);
            }
        }
        verdict.verdict = votes.close();
        verdict.frames = votes.judged();
        verdict.score = votes.decisive(&scores);
        (verdict, worst)
    }

    fn look(&mut self, start: &PartStart, captured: Arc<Captured>) -> Seen {
        match self.judge(start, &captured) {
            Ok(judgement) => Seen { captured, judgement, refused: None },
            Err(reason) => {
                limited!(warn, "part {}: {reason}", start.part);
                let (verdict, threshold) = (Verdict::Fault, self.threshold(start));
                let (score, region, fault, map) = (None, None, None, None);
                let times = StageTimes::default();
                let judgement = Judgement { verdict, score, threshold, region, fault, map, times };
                Seen { captured, judgement, refused: Some(reason) }
            }
        }
    }

    /// Judges a frame. `Err` says why the frame can't be trusted or decoded, which makes it a fault.
    fn judge(&mut self, start: &PartStart, captured: &Captured) -> Result<Judgement, Refusal> {
        let state = (self.camera)();
        if matches!(state, CameraState::Frozen | CameraState::Black | CameraState::BurntOut) {
            return Err(Refusal::Untrusted(state));
        }
        if captured.is_repeated() {
            return Err(Refusal::Repeated);
        }
        let begin = Instant::now();
        let frame = captured.frame();
        let decode = begin.elapsed();
        let frame = frame.map_err(|e| Refusal::Undecodable(e.to_string()))?;
        let Some(judge) = self.judges.get_mut(usize::from(start.product)) else {
            return Err(Refusal::NoProduct);
        };
        let mut judgement = judge.judge(frame);
        judgement.times.decode = decode;
        self.shared.latencies.add_stages(&judgement.times);
        if let Some(fault) = &judgement.fault {
            limited!(warn, "part {}: {fault}", start.part);
        }
        Ok(judgement)
    }
}

/// Ranks a frame for the witness: one without a score is shown only if there is no other.
fn score(judgement: &Judgement) -> f32 {
    judgement.score.unwrap_or(f32::NEG_INFINITY)
}
