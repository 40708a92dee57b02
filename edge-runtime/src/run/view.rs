//! A view of the parts: its camera, its times, its counts, and what is known of it while a part is inspected.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared_format::Verdict;

use super::gatekeeper::TriggeredPart;
use super::inspector::InspectedFrame;
use crate::capture::{CameraState, CapturedFrame, FrameRing, FrameWaitError};
use crate::clock::Moment;
use crate::line_file::ViewTiming;
use crate::part::{ViewVote, VoteCount, Votes};

/// A view and where its frames come from.
pub struct View {
    /// How its messages begin: with its name if there are several.
    pub label: String,
    /// The source of frames.
    pub frames: Arc<FrameRing>,
    /// Returns the camera's state.
    pub camera_state: Box<dyn Fn() -> CameraState + Send>,
    /// Which frames are a part's.
    pub timing: ViewTiming,
    /// Whether a part that it has no frame of is judged by the other views.
    pub optional: bool,
    /// Of each product, the index of the judge that judges this view.
    pub judges: Vec<usize>,
    /// Parts by what this view said of them.
    pub counts: Arc<ViewCounts>,
}

/// Parts by what a view said of them, since the start.
#[derive(Debug, Default)]
pub struct ViewCounts {
    /// It found nothing wrong.
    pub passed: AtomicU64,
    /// It rejected the part.
    pub rejected: AtomicU64,
    /// It had frames that could not be judged, or lacked one, and the part needs it.
    pub faults: AtomicU64,
    /// It had no frame, and the part was judged without it.
    pub missing: AtomicU64,
}

impl View {
    /// Returns the index of the judge of this view of a part.
    pub(super) fn judge_of(&self, part: &TriggeredPart) -> Option<usize> {
        self.judges.get(usize::from(part.product)).copied()
    }
}

impl ViewCounts {
    fn add(&self, vote: ViewVote) {
        let counter = match vote {
            ViewVote::Open { .. } => return,
            ViewVote::Missing => &self.missing,
            ViewVote::Voted(Verdict::Pass) => &self.passed,
            ViewVote::Voted(Verdict::Reject) => &self.rejected,
            ViewVote::Voted(Verdict::Fault) => &self.faults,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a view said of a part.
#[derive(Debug)]
pub struct ViewResult {
    /// The view's index.
    pub view: usize,
    /// Its verdict; `None` if the part was decided without it.
    pub verdict: Option<Verdict>,
    /// The score that stands for its frames.
    pub score: Option<f32>,
    /// The frame with the highest score, or one that could not be judged.
    pub frame: Option<InspectedFrame>,
}

/// A view while a part is inspected.
pub(super) struct PartView<'p> {
    view: &'p View,
    pub(super) index: usize,
    /// The index of its judge.
    pub(super) judge: usize,
    votes: Votes<'p>,
    /// The first moment at which its next frame may have been captured.
    from: Moment,
    /// Frames that have arrived and wait for the judge.
    arrived: VecDeque<Arc<CapturedFrame>>,
    /// Number of frames that are still to arrive.
    due: u16,
    vote: ViewVote,
    worst: Option<InspectedFrame>,
    captured_at: Option<Moment>,
}

impl<'p> PartView<'p> {
    /// Begins with a part that was triggered at this moment, and is judged by the judge of this index.
    pub(super) fn new(
        view: &'p View,
        index: usize,
        (judge, count, threshold): (usize, &'p VoteCount, f32),
        triggered_at: Moment,
    ) -> Self {
        let delay = view.timing.exposure_delay;
        Self {
            view,
            index,
            judge,
            votes: Votes::new(count, threshold),
            from: Moment(triggered_at.0.saturating_add_signed(delay)),
            arrived: VecDeque::new(),
            due: count.frames(),
            vote: ViewVote::Open { optional: view.optional },
            worst: None,
            captured_at: None,
        }
    }

    pub(super) const fn vote(&self) -> ViewVote {
        self.vote
    }

    pub(super) const fn votes(&self) -> &Votes<'p> {
        &self.votes
    }

    pub(super) fn label(&self) -> &str {
        &self.view.label
    }

    pub(super) fn camera_state(&self) -> CameraState {
        (self.view.camera_state)()
    }

    /// Returns when the last frame of this view was captured.
    pub(super) const fn captured_at(&self) -> Option<Moment> {
        self.captured_at
    }

    /// Takes the part's frames that have arrived: while others are judged, they could be overwritten.
    ///
    /// # Errors
    /// Why its next frame will not come; the view has voted then.
    pub(super) fn take_arrived(&mut self) -> Result<(), FrameWaitError> {
        while self.is_waiting() {
            // Before looking, so that a frame that has arrived in time is not missed.
            let is_late = Moment::now() >= self.deadline();
            let found = match self.view.frames.first_after_now(self.from) {
                // A frame after a pause of the whole machine shows another part.
                Some(Ok(captured)) if captured.captured_at() > self.from + self.view.timing.within => {
                    Err(FrameWaitError::TimedOut)
                }
                Some(found) => found,
                None if is_late => Err(FrameWaitError::TimedOut),
                None => return Ok(()),
            };
            match found {
                Ok(captured) => {
                    self.from = captured.captured_at() + Duration::from_nanos(1);
                    self.due -= 1;
                    self.arrived.push_back(captured);
                }
                Err(reason) => {
                    self.due = 0;
                    // What has arrived is judged first.
                    if self.arrived.is_empty() {
                        self.close();
                    }
                    return Err(reason);
                }
            }
        }
        Ok(())
    }

    /// Returns until when to wait for its next frame; `None` if none is waited for.
    pub(super) fn waits_until(&self) -> Option<Moment> {
        self.is_waiting().then(|| self.deadline())
    }

    fn is_waiting(&self) -> bool {
        self.due > 0 && matches!(self.vote, ViewVote::Open { .. })
    }

    fn deadline(&self) -> Moment {
        self.from + self.view.timing.arrival
    }

    /// Returns the next frame to be judged.
    pub(super) fn next_frame(&mut self) -> Option<Arc<CapturedFrame>> {
        if !matches!(self.vote, ViewVote::Open { .. }) {
            return None;
        }
        let next = self.arrived.pop_front()?;
        self.captured_at = Some(next.captured_at());
        Some(next)
    }

    /// Adds a frame's result.
    pub(super) fn add(&mut self, frame: InspectedFrame) {
        self.votes.add(frame.judgement.scores());
        if self.worst.as_ref().is_none_or(|worst| worst.score() < frame.score()) {
            self.worst = Some(frame);
        }
        if let Some(verdict) = self.votes.decided() {
            self.vote = ViewVote::Voted(verdict);
        } else if self.due == 0 && self.arrived.is_empty() {
            self.close();
        }
    }

    /// Ends the voting: no further frame comes.
    fn close(&mut self) {
        let is_missing = self.view.optional && self.votes.judged() == 0;
        self.vote = if is_missing { ViewVote::Missing } else { ViewVote::Voted(self.votes.clone().close()) };
    }

    /// Ends the part, and returns what the view said.
    pub(super) fn finish(self) -> ViewResult {
        self.view.counts.add(self.vote);
        let verdict = match self.vote {
            ViewVote::Voted(verdict) => Some(verdict),
            ViewVote::Open { .. } | ViewVote::Missing => None,
        };
        ViewResult { view: self.index, verdict, score: self.votes.deciding_score(), frame: self.worst }
    }
}
