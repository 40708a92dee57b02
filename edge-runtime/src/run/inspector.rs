//! The thread that inspects parts: frames of a part → votes → the part's verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use judge::{Fault, Judge, Judgement, StageTimes};
use shared_format::{ThresholdFile, Verdict};

use super::gatekeeper::TriggeredPart;
use super::line_state::LineState;
use super::mailbox::{Mailbox, Message};
use crate::capture::{CameraState, CapturedFrame, FrameRing, FrameWaitError};
use crate::clock::Moment;
use crate::health::TimedStage;
use crate::log::limited;
use crate::part::{PartVerdict, VoteCount, Votes};

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
pub struct InspectedFrame {
    /// The frame as the camera delivered it.
    pub captured: Arc<CapturedFrame>,
    /// The judge's result; a bare fault if the frame was not judged.
    pub judgement: Judgement,
    /// Why the frame was not judged: it can't be decoded or can't be trusted.
    pub refused: Option<Refusal>,
}

/// A callback for each inspected part: the part, its verdict, and the decisive frame, if any (for a fault, one of its
/// frames that could not be judged). It must never block the inspector.
pub type PartObserver = Box<dyn Fn(&TriggeredPart, &PartVerdict, Option<InspectedFrame>) + Send>;

/// What the inspector judges with from the next part on.
#[derive(Debug)]
pub enum JudgeUpdate {
    /// Another threshold for a product.
    Threshold {
        /// The product's index.
        product: usize,
        /// The threshold.
        value: f32,
    },
    /// Another bundle for a product.
    Bundle {
        /// The product's index.
        product: usize,
        /// Its judge.
        judge: Box<Judge>,
        /// How its frames vote.
        votes: VoteCount,
    },
}

/// Where updates come from, and where judges go that are no longer used: to take one apart takes time.
pub struct Updates {
    /// The updates, in order.
    pub incoming: Receiver<JudgeUpdate>,
    /// Takes the judges.
    pub retired: Sender<Box<Judge>>,
    /// Called with each updated product and its thresholds.
    pub applied: Box<dyn Fn(usize, &ThresholdFile) + Send>,
}

/// The inspector and everything it needs.
pub struct Inspector {
    /// One judge per product.
    pub judges: Vec<Judge>,
    /// How frames vote, for each product.
    pub votes: Vec<VoteCount>,
    /// The source of frames.
    pub frames: Arc<FrameRing>,
    /// Returns the camera's state.
    pub camera_state: Box<dyn Fn() -> CameraState + Send>,
    /// The time from the trigger to the first exposure that counts.
    pub exposure_delay: Duration,
    /// How long to wait for a frame.
    pub frame_timeout: Duration,
    /// The triggered parts, in order.
    pub parts: Receiver<TriggeredPart>,
    /// Receives the verdicts.
    pub mailbox: Mailbox,
    /// Shared with the other threads.
    pub shared: Arc<LineState>,
    /// Called with each inspected part.
    pub observer: PartObserver,
    /// Other thresholds and bundles; `None` if the line file allows none.
    pub updates: Option<Updates>,
}

impl Inspector {
    /// Inspects parts until the channel of triggered parts is closed.
    pub fn inspect_all(mut self) {
        while let Ok(part) = self.parts.recv() {
            self.update();
            // The part has already passed the gate without a verdict; the next one may still be in time.
            if part.number <= self.shared.released() {
                self.shared.problems.skipped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let inspected = catch_unwind(AssertUnwindSafe(|| self.inspect_part(&part)));
            // A panic may have left it marked as busy.
            self.shared.judging.stop();
            let (verdict, frame) = inspected.unwrap_or_else(|_| {
                limited!(error, "the inspector panicked on part {}; the part is a fault", part.number);
                (self.fault_verdict(&part), None)
            });
            self.mailbox.send(Message::Verdict(verdict));
            self.shared.latencies.add(TimedStage::TriggeredToVerdict, Moment::now().since(part.triggered_at));
            (self.observer)(&part, &verdict, frame);
        }
    }

    /// Takes up what has come since the last part. Nothing here waits or reads files.
    fn update(&mut self) {
        let Some(updates) = &self.updates else { return };
        while let Ok(update) = updates.incoming.try_recv() {
            let product = match update {
                JudgeUpdate::Threshold { product, value } => {
                    let Some(judge) = self.judges.get_mut(product) else { continue };
                    // Checked where it came from.
                    let _ = judge.set_image_threshold(value);
                    product
                }
                JudgeUpdate::Bundle { product, mut judge, votes } => {
                    let (Some(used), Some(counted)) =
                        (self.judges.get_mut(product), self.votes.get_mut(product))
                    else {
                        continue;
                    };
                    std::mem::swap(used, &mut *judge);
                    *counted = votes;
                    // If nobody takes it, the line is ending.
                    let _ = updates.retired.send(judge);
                    product
                }
            };
            if let Some(judge) = self.judges.get(product) {
                (updates.applied)(product, &judge.bundle().thresholds);
            }
        }
    }

    fn threshold(&self, part: &TriggeredPart) -> f32 {
        let judge = self.judges.get(usize::from(part.product));
        judge.map_or(f32::NAN, |judge| judge.bundle().thresholds.image_threshold)
    }

    /// Returns the level of a zone of the part's bundle.
    fn level(&self, part: &TriggeredPart, zone: usize) -> Option<u8> {
        let judge = self.judges.get(usize::from(part.product))?;
        judge.bundle().thresholds.image_score.zones()?.levels().nth(zone)
    }

    fn fault_verdict(&self, part: &TriggeredPart) -> PartVerdict {
        PartVerdict {
            part: part.number,
            verdict: Verdict::Fault,
            other_product: false,
            score: None,
            threshold: self.threshold(part),
            zone: None,
            frames: 0,
            captured_at: None,
        }
    }

    /// Returns the part's verdict and the frame with the highest score.
    fn inspect_part(&mut self, part: &TriggeredPart) -> (PartVerdict, Option<InspectedFrame>) {
        let mut verdict = self.fault_verdict(part);
        let Some(count) = self.votes.get(usize::from(part.product)).cloned() else { return (verdict, None) };
        let mut votes = Votes::new(&count, verdict.threshold);
        let mut worst: Option<InspectedFrame> = None;
        let mut other_product = false;
        let mut from = part.triggered_at + self.exposure_delay;
        while votes.decided().is_none() {
            let captured = match self.frames.first_after(from, from + self.frame_timeout) {
                Ok(captured) => captured,
                Err(e) => {
                    limited!(warn, "part {}: {e}", part.number);
                    break;
                }
            };
            // A frame after a pause of the whole machine shows another part.
            if captured.captured_at() > from + self.frame_timeout {
                limited!(warn, "part {}: {}", part.number, FrameWaitError::TimedOut);
                break;
            }
            from = captured.captured_at() + Duration::from_nanos(1);
            verdict.captured_at = Some(captured.captured_at());
            self.shared.judging.begin(Moment::now());
            let frame = self.inspect_frame(part, captured);
            self.shared.judging.stop();
            other_product |= matches!(frame.judgement.fault, Some(Fault::OtherProduct { .. }));
            votes.add(frame.judgement.scores());
            if worst.as_ref().is_none_or(|worst| score(&frame.judgement) > score(&worst.judgement)) {
                worst = Some(frame);
            }
        }
        verdict.frames = votes.judged();
        verdict.score = votes.deciding_score();
        verdict.zone = votes.deciding_zone().and_then(|zone| self.level(part, zone));
        verdict.verdict = votes.close();
        verdict.other_product = other_product && verdict.verdict == Verdict::Fault;
        (verdict, worst)
    }

    fn inspect_frame(&mut self, part: &TriggeredPart, captured: Arc<CapturedFrame>) -> InspectedFrame {
        match self.judge(part, &captured) {
            Ok(judgement) => InspectedFrame { captured, judgement, refused: None },
            Err(reason) => {
                limited!(warn, "part {}: {reason}", part.number);
                let (verdict, threshold) = (Verdict::Fault, self.threshold(part));
                let (score, region, defect, fault, map, zones) = (None, None, None, None, None, None);
                let times = StageTimes::default();
                let judgement =
                    Judgement { verdict, score, threshold, region, defect, fault, map, zones, times };
                InspectedFrame { captured, judgement, refused: Some(reason) }
            }
        }
    }

    /// Judges a frame. `Err` says why the frame can't be trusted or decoded, which makes it a fault.
    fn judge(&mut self, part: &TriggeredPart, captured: &CapturedFrame) -> Result<Judgement, Refusal> {
        let state = (self.camera_state)();
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
        let Some(judge) = self.judges.get_mut(usize::from(part.product)) else {
            return Err(Refusal::NoProduct);
        };
        let mut judgement = judge.judge(frame);
        judgement.times.decode = decode;
        self.shared.latencies.add_stages(&judgement.times);
        if let Some(fault) = &judgement.fault {
            limited!(warn, "part {}: {fault}", part.number);
        }
        Ok(judgement)
    }
}

/// Ranks a frame for the observer: one without a score is shown only if there is no other.
fn score(judgement: &Judgement) -> f32 {
    judgement.score.unwrap_or(f32::NEG_INFINITY)
}
