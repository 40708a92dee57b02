//! The thread that inspects parts: frames of a part's views → votes of each view → votes of the views → the part's verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use judge::{Fault, FrameArea, FrameRows, Judge, Judgement, StageTimes};
use shared_format::{ThresholdFile, Verdict};

use super::gatekeeper::TriggeredPart;
use super::line_state::LineState;
use super::mailbox::{Mailbox, Message};
use super::view::{PartView, View, ViewResult};
use crate::capture::luma::mean_luma;
use crate::capture::{Arrivals, CameraState, CapturedFrame, Undecoded};
use crate::clock::Moment;
use crate::health::TimedStage;
use crate::log::limited;
use crate::part::{PartVerdict, ViewCount, ViewScore, ViewVote, VoteCount};

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
    /// Mean luma of what was judged, 0 to 255; `None` if nothing was.
    pub brightness: Option<f32>,
}

impl InspectedFrame {
    /// Ranks a frame for the observer: one without a score is shown only if there is no other.
    pub(super) fn score(&self) -> f32 {
        self.judgement.score.unwrap_or(f32::NEG_INFINITY)
    }
}

/// What was found about a part.
#[derive(Debug)]
pub struct InspectedPart {
    /// Its verdict.
    pub verdict: PartVerdict,
    /// What each view said.
    pub views: Vec<ViewResult>,
    /// The index of the view that decided or, of a fault, of one that could not be judged; its frame is the decisive one.
    pub decisive: usize,
}

/// A callback for each inspected part. It must never block the inspector.
pub type PartObserver = Box<dyn Fn(&TriggeredPart, InspectedPart) + Send>;

/// The judges of all products and views.
pub struct Judges(pub Vec<Judge>);

impl Judges {
    fn threshold(&self, judge: Option<usize>) -> f32 {
        let judge = judge.and_then(|judge| self.0.get(judge));
        judge.map_or(f32::NAN, |judge| judge.bundle().thresholds.image_threshold)
    }

    /// Returns the level of a zone of a judge's bundle.
    fn level(&self, judge: usize, zone: usize) -> Option<u8> {
        self.0.get(judge)?.bundle().thresholds.image_score.zones()?.levels().nth(zone)
    }
}

/// What the inspector judges with from the next part on.
#[derive(Debug)]
pub enum JudgeUpdate {
    /// Another threshold for a bundle.
    Threshold {
        /// The index of its judge.
        judge: usize,
        /// The threshold.
        value: f32,
    },
    /// Another bundle.
    Bundle {
        /// The index of the judge that it replaces.
        judge: usize,
        /// Its judge.
        opened: Box<Judge>,
        /// How its frames vote.
        votes: VoteCount,
    },
}

/// A callback for each update that was taken up, with the index of the judge and its thresholds.
pub type UpdateObserver = Box<dyn Fn(usize, &ThresholdFile) + Send>;

/// Where updates come from, and where judges go that are no longer used: to take one apart takes time.
pub struct Updates {
    /// The updates, in order.
    pub incoming: Receiver<JudgeUpdate>,
    /// Takes the judges.
    pub retired: Sender<Box<Judge>>,
    /// What is called with each of them.
    pub applied: UpdateObserver,
}

/// The inspector and everything it needs.
pub struct Inspector {
    /// The judges of all products and views.
    pub judges: Judges,
    /// How the frames of a view vote, for each judge.
    pub votes: Vec<VoteCount>,
    /// The cameras; a part is judged by all of them together.
    pub views: Vec<View>,
    /// How the views vote.
    pub view_votes: ViewCount,
    /// What the views' frames are reported to.
    pub arrivals: Arc<Arrivals>,
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
            let inspected = inspected.unwrap_or_else(|_| {
                limited!(error, "the inspector panicked on part {}; the part is a fault", part.number);
                self.not_inspected(&part)
            });
            self.mailbox.send(Message::Verdict(inspected.verdict));
            self.shared.latencies.add(TimedStage::TriggeredToVerdict, Moment::now().since(part.triggered_at));
            (self.observer)(&part, inspected);
        }
    }

    /// Takes up what has come since the last part. Nothing here waits or reads files.
    fn update(&mut self) {
        let Some(updates) = &self.updates else { return };
        while let Ok(update) = updates.incoming.try_recv() {
            let index = match update {
                JudgeUpdate::Threshold { judge: index, value } => {
                    let Some(judge) = self.judges.0.get_mut(index) else { continue };
                    // Checked where it came from.
                    let _ = judge.set_image_threshold(value);
                    index
                }
                JudgeUpdate::Bundle { judge: index, mut opened, votes } => {
                    let (Some(used), Some(counted)) =
                        (self.judges.0.get_mut(index), self.votes.get_mut(index))
                    else {
                        continue;
                    };
                    std::mem::swap(used, &mut *opened);
                    *counted = votes;
                    // If nobody takes it, the line is ending.
                    let _ = updates.retired.send(opened);
                    index
                }
            };
            if let Some(judge) = self.judges.0.get(index) {
                (updates.applied)(index, &judge.bundle().thresholds);
            }
        }
    }

    /// Returns a fault.
    fn not_inspected(&self, part: &TriggeredPart) -> InspectedPart {
        let judge = self.views.first().and_then(|view| view.judge_of(part));
        let verdict = fault_verdict(part, self.judges.threshold(judge));
        InspectedPart { verdict, views: vec![], decisive: 0 }
    }

    fn inspect_part(&mut self, part: &TriggeredPart) -> InspectedPart {
        let (judges, votes) = (&self.judges, &self.votes);
        let begun: Option<Vec<PartView<'_>>> = (0..)
            .zip(&self.views)
            .map(|(index, view)| {
                let judge = view.judge_of(part)?;
                let begun = (judge, votes.get(judge)?, judges.threshold(Some(judge)));
                Some(PartView::new(view, index, begun, part.triggered_at))
            })
            .collect();
        let Some(mut views) = begun else { return self.not_inspected(part) };
        let mut other_product = false;
        let decided = loop {
            // Before looking: what arrives from here on ends the wait.
            let seen = self.arrivals.count();
            for view in &mut views {
                if let Err(e) = view.take_arrived() {
                    limited!(warn, "part {}: {}{e}", part.number, view.label());
                }
            }
            let votes: Vec<ViewVote> = views.iter().map(PartView::vote).collect();
            if let Some(verdict) = self.view_votes.decided(&votes) {
                break verdict;
            }
            if let Some((captured, view)) = views.iter_mut().find_map(|view| Some((view.next_frame()?, view)))
            {
                self.shared.judging.begin(Moment::now());
                let frame = self.judges.inspect(part, view, captured, &self.shared);
                self.shared.judging.stop();
                other_product |= matches!(frame.judgement.fault, Some(Fault::OtherProduct { .. }));
                view.add(frame);
                continue;
            }
            match views.iter().filter_map(PartView::waits_until).min() {
                Some(deadline) => self.arrivals.wait(seen, deadline),
                // An open view waits for a frame or has one; if not, nothing would ever decide the part.
                None => break Verdict::Fault,
            }
        };
        self.finish(part, views, decided, other_product)
    }

    /// Gathers what the views said.
    fn finish(
        &self,
        part: &TriggeredPart,
        views: Vec<PartView<'_>>,
        decided: Verdict,
        other_product: bool,
    ) -> InspectedPart {
        let scores: Vec<ViewScore> = views
            .iter()
            .filter(|view| matches!(view.vote(), ViewVote::Voted(_)))
            .filter_map(|view| {
                let score = view.votes().deciding_score()?;
                Some(ViewScore {
                    view: view.index,
                    score,
                    threshold: self.judges.threshold(Some(view.judge)),
                })
            })
            .collect();
        let deciding = self.view_votes.deciding(&scores).map(|deciding| deciding.view);
        let faulty = views.iter().position(|view| view.vote() == ViewVote::Voted(Verdict::Fault));
        let decisive = if decided == Verdict::Fault { faulty.or(deciding) } else { deciding }.unwrap_or(0);
        let judge = views.get(decisive).map(|view| view.judge);
        let mut verdict = fault_verdict(part, self.judges.threshold(judge));
        verdict.verdict = decided;
        verdict.other_product = other_product && decided == Verdict::Fault;
        verdict.view = (views.len() > 1).then(|| u16::try_from(decisive).unwrap_or(u16::MAX));
        verdict.frames = views.iter().fold(0, |frames, view| view.votes().judged().saturating_add(frames));
        verdict.captured_at = views.iter().filter_map(PartView::captured_at).max();
        if let Some(view) = views.get(decisive) {
            verdict.score = view.votes().deciding_score();
            verdict.zone = view.votes().deciding_zone().and_then(|zone| self.judges.level(view.judge, zone));
        }
        InspectedPart { verdict, views: views.into_iter().map(PartView::finish).collect(), decisive }
    }
}

fn fault_verdict(part: &TriggeredPart, threshold: f32) -> PartVerdict {
    PartVerdict {
        part: part.number,
        verdict: Verdict::Fault,
        other_product: false,
        score: None,
        threshold,
        zone: None,
        view: None,
        frames: 0,
        captured_at: None,
    }
}

impl Judges {
    fn inspect(
        &mut self,
        part: &TriggeredPart,
        view: &PartView<'_>,
        captured: Arc<CapturedFrame>,
        shared: &LineState,
    ) -> InspectedFrame {
        match self.judge(part, view, &captured, shared) {
            Ok((judgement, brightness)) => InspectedFrame { captured, judgement, refused: None, brightness },
            Err(reason) => {
                limited!(warn, "part {}: {}{reason}", part.number, view.label());
                let (verdict, threshold) = (Verdict::Fault, self.threshold(Some(view.judge)));
                let (score, region, defect, fault, map, zones) = (None, None, None, None, None, None);
                let times = StageTimes::default();
                let judgement =
                    Judgement { verdict, score, threshold, region, defect, fault, map, zones, times };
                InspectedFrame { captured, judgement, refused: Some(reason), brightness: None }
            }
        }
    }

    /// Judges a frame, and returns the mean luma of its region of interest, too. `Err` says why the frame can't be trusted or decoded,
    /// which makes it a fault.
    fn judge(
        &mut self,
        part: &TriggeredPart,
        view: &PartView<'_>,
        captured: &CapturedFrame,
        shared: &LineState,
    ) -> Result<(Judgement, Option<f32>), Refusal> {
        let state = view.camera_state();
        if matches!(state, CameraState::Frozen | CameraState::Black | CameraState::BurntOut) {
            return Err(Refusal::Untrusted(state));
        }
        if captured.is_repeated() {
            return Err(Refusal::Repeated);
        }
        let Some(judge) = self.0.get_mut(view.judge) else {
            return Err(Refusal::NoProduct);
        };
        let roi = judge.bundle().thresholds.recipe.roi;
        let (judgement, brightness) = match captured.undecoded() {
            // Nobody has needed the whole frame so far.
            Some(Undecoded::File(bytes, max_size)) => {
                let (judgement, brightness) =
                    judge.judge_bytes_within(bytes, max_size, |area| mean_luma(area, roi));
                if let Some(Fault::Decode(e)) = &judgement.fault {
                    return Err(Refusal::Undecodable(e.to_string()));
                }
                (judgement, brightness)
            }
            Some(Undecoded::Rows(rows)) => {
                let area = FrameArea::from(&rows as &dyn FrameRows);
                (judge.judge(area), Some(mean_luma(area, roi)))
            }
            None => {
                let begin = Instant::now();
                let frame = captured.frame();
                let decode = begin.elapsed();
                let frame = frame.map_err(|e| Refusal::Undecodable(e.to_string()))?;
                let mut judgement = judge.judge(frame);
                judgement.times.decode = decode;
                (judgement, Some(mean_luma(frame.into(), roi)))
            }
        };
        shared.latencies.add_stages(&judgement.times);
        if let Some(fault) = &judgement.fault {
            limited!(warn, "part {}: {}{fault}", part.number, view.label());
        }
        Ok((judgement, brightness))
    }
}
