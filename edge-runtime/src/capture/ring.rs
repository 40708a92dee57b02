//! The most recent frames, shared by the capture thread and its consumers.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Arrivals, CapturedFrame};
use crate::clock::Moment;

/// Reason why there is no frame for a trigger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameWaitError {
    /// No frame arrived in time.
    #[error("no frame arrived in time; check the camera's frame rate and the exposure delay")]
    TimedOut,
    /// The camera is lost and is being reopened.
    #[error("the camera is lost: {0}")]
    Lost(String),
    /// The camera has delivered all its frames.
    #[error("the camera has no more frames")]
    Ended,
    /// The driver dropped a frame, or the camera was lost, between the trigger and the first available frame: the part may
    /// have moved on.
    #[error(
        "the camera dropped a frame after the trigger, and the next one may show another position of the part"
    )]
    Dropped,
    /// The frame has already been overwritten: the request came too late.
    #[error("the part's frame has already been overwritten; the inspector is too slow for this line")]
    Stale,
}

/// Counts of the frames that passed through the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Frames that the camera delivered.
    pub captured: u64,
    /// Of those, overwritten unseen: free-running cameras deliver more frames than are needed.
    pub dropped: u64,
    /// Frames that the driver dropped, judging by the gaps in their numbers.
    pub lost: u64,
    /// Requests that came too late for their frame.
    pub stale: u64,
}

/// Maximum bytes of waiting frames besides the newest, including decoded ones: eight frames of five grey megapixels.
const MAX_BYTES: usize = 64 << 20;

/// The most recent frames, in order of capture.
#[derive(Debug)]
pub struct FrameRing {
    state: Mutex<RingState>,
    changed: Condvar,
    arrivals: OnceLock<Arc<Arrivals>>,
}

#[derive(Debug)]
struct RingState {
    frames: VecDeque<RingEntry>,
    capacity: usize,
    /// Reason why no frame will come soon.
    interrupt: Option<FrameWaitError>,
    /// Capture time of the last frame that was overwritten.
    overwritten: Option<Moment>,
    /// Number of this camera's last frame; `None` right after opening.
    last: Option<u64>,
    counts: FrameCounts,
}

#[derive(Debug)]
struct RingEntry {
    captured: Arc<CapturedFrame>,
    seen: bool,
    /// Whether frames are missing before it.
    after_gap: bool,
}

impl RingState {
    fn memory(&self) -> usize {
        self.frames.iter().map(|entry| entry.captured.memory()).sum()
    }

    /// Returns the first frame captured at `moment` or later, or why there is none; `None` if it may still come.
    fn first_after(&mut self, moment: Moment) -> Option<Result<Arc<CapturedFrame>, FrameWaitError>> {
        if self.overwritten.is_some_and(|at| at >= moment) {
            self.counts.stale += 1;
            return Some(Err(FrameWaitError::Stale));
        }
        let first = self.frames.iter_mut().find(|entry| entry.captured.captured_at() >= moment);
        first.map(|entry| {
            // A moment equal to the frame's own asks for exactly this frame.
            let missed = entry.after_gap && entry.captured.captured_at() > moment;
            if missed { Err(FrameWaitError::Dropped) } else { Ok(entry.mark_seen()) }
        })
    }
}

impl RingEntry {
    fn mark_seen(&mut self) -> Arc<CapturedFrame> {
        self.seen = true;
        Arc::clone(&self.captured)
    }
}

impl FrameRing {
    /// Creates a ring for `capacity` frames, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let state = RingState {
            frames: VecDeque::new(),
            capacity: capacity.max(1),
            interrupt: None,
            overwritten: None,
            last: None,
            counts: FrameCounts::default(),
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), arrivals: OnceLock::new() }
    }

    /// Notes each frame and each interruption there, too. Only the first call counts.
    pub fn report_to(&self, arrivals: Arc<Arrivals>) {
        let _ = self.arrivals.set(arrivals);
    }

    /// Notes that the camera was opened: its frame numbers restart.
    pub fn reset_sequence(&self) {
        self.lock().last = None;
    }

    /// Adds the newest frame, dropping the oldest if there is no room. Returns the number of frames that the driver dropped
    /// before it.
    pub fn push(&self, captured: Arc<CapturedFrame>) -> u64 {
        let mut state = self.lock();
        let lost = state.last.map(|last| missing(last, captured.sequence()));
        // Frames missed while a camera was being reopened can't be counted.
        let after_gap = lost.map_or(state.counts.captured > 0, |lost| lost > 0);
        let lost = lost.unwrap_or(0);
        state.last = Some(captured.sequence());
        state.counts.lost += lost;
        state.counts.captured += 1;
        state.interrupt = None;
        while state.frames.len() >= state.capacity || state.memory() + captured.memory() > MAX_BYTES {
            let Some(oldest) = state.frames.pop_front() else { break };
            state.overwritten = Some(oldest.captured.captured_at());
            state.counts.dropped += u64::from(!oldest.seen);
        }
        state.frames.push_back(RingEntry { captured, seen: false, after_gap });
        drop(state);
        self.notify();
        lost
    }

    /// Makes waits for frames that aren't in the ring yet fail at once with `reason`, until the next frame is pushed: what
    /// shows the part has passed by then.
    pub fn interrupt(&self, reason: FrameWaitError) {
        self.lock().interrupt = Some(reason);
        self.notify();
    }

    /// Returns the newest frame, if there is one yet.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<CapturedFrame>> {
        self.lock().frames.back_mut().map(RingEntry::mark_seen)
    }

    /// Returns the first frame captured at `moment` or later, waiting for it until `deadline`. To get the successor of a
    /// frame, ask for one nanosecond after it.
    ///
    /// # Errors
    /// [`FrameWaitError`]; [`FrameWaitError::Stale`] if that frame was overwritten, even if later ones are available;
    /// [`FrameWaitError::Dropped`] if frames are missing just before it, one of which may have been the first.
    pub fn first_after(
        &self,
        moment: Moment,
        deadline: Moment,
    ) -> Result<Arc<CapturedFrame>, FrameWaitError> {
        self.wait(deadline, |state| state.first_after(moment))
    }

    /// As [`Self::first_after`], without waiting: `None` if the frame may still come.
    pub fn first_after_now(&self, moment: Moment) -> Option<Result<Arc<CapturedFrame>, FrameWaitError>> {
        let mut state = self.lock();
        let found = state.first_after(moment);
        found.or_else(|| state.interrupt.clone().map(Err))
    }

    /// Returns the newest frame captured at `moment` or later, waiting for one until `deadline`.
    ///
    /// # Errors
    /// [`FrameWaitError`], but never [`FrameWaitError::Stale`].
    pub fn newest_after(
        &self,
        moment: Moment,
        deadline: Moment,
    ) -> Result<Arc<CapturedFrame>, FrameWaitError> {
        self.wait(deadline, |state| {
            let newest = state.frames.back_mut();
            newest.filter(|entry| entry.captured.captured_at() >= moment).map(|entry| Ok(entry.mark_seen()))
        })
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> FrameCounts {
        self.lock().counts
    }

    fn notify(&self) {
        self.changed.notify_all();
        if let Some(arrivals) = self.arrivals.get() {
            arrivals.note();
        }
    }

    fn wait(
        &self,
        deadline: Moment,
        mut find: impl FnMut(&mut RingState) -> Option<Result<Arc<CapturedFrame>, FrameWaitError>>,
    ) -> Result<Arc<CapturedFrame>, FrameWaitError> {
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&mut state) {
                return found;
            }
            if let Some(reason) = &state.interrupt {
                return Err(reason.clone());
            }
            let left = deadline.since(Moment::now());
            if left.is_zero() {
                return Err(FrameWaitError::TimedOut);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ignores poisoning: a panic elsewhere leaves the frames intact, as each change is complete before anything can fail.
    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of frames missing between two frame numbers, which are the driver's 32 bits and wrap. If the number
/// does not grow, nothing can be said, and the result is 0.
const fn missing(last: u64, next: u64) -> u64 {
    let step = (next as u32).wrapping_sub(last as u32);
    if step > u32::MAX / 2 { 0 } else { step.saturating_sub(1) as u64 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capture::{FrameData, RawFormat};

    fn numbered(at: u64, sequence: u64) -> Arc<CapturedFrame> {
        let error = judge::DecodeError::UnknownFormat;
        Arc::new(CapturedFrame::new(FrameData::Refused(error), Moment(at), sequence))
    }

    /// A frame every ten nanoseconds.
    fn captured(at: u64) -> Arc<CapturedFrame> {
        numbered(at, at / 10)
    }

    fn ring(moments: impl IntoIterator<Item = u64>) -> FrameRing {
        let ring = FrameRing::new(3);
        moments.into_iter().for_each(|at| _ = ring.push(captured(at)));
        ring
    }

    fn at(found: Result<Arc<CapturedFrame>, FrameWaitError>) -> Result<u64, FrameWaitError> {
        found.map(|captured| captured.captured_at().0)
    }

    fn soon() -> Moment {
        Moment::now() + Duration::from_millis(20)
    }

    #[test]
    fn large_frames_are_fewer() {
        let ring = FrameRing::new(8);
        for at in 1..=5 {
            let size = shared_format::Size { width: 5000, height: 5000 };
            let data = FrameData::Raw { format: RawFormat::Grey, size, bytes: vec![0; 25_000_000] };
            ring.push(Arc::new(CapturedFrame::new(data, Moment(at), at)));
        }
        assert_eq!(ring.counts().dropped, 3);
        assert_eq!(ring.newest().unwrap().captured_at(), Moment(5));
    }

    #[test]
    fn the_first_frame_at_or_after_the_trigger_is_given() {
        let ring = ring([10, 20, 30]);
        assert_eq!(at(ring.first_after(Moment(11), soon())), Ok(20));
        assert_eq!(at(ring.first_after(Moment(20), soon())), Ok(20));
        assert_eq!(at(ring.newest_after(Moment(11), soon())), Ok(30));
        assert_eq!(at(ring.first_after(Moment(31), soon())), Err(FrameWaitError::TimedOut));
        assert_eq!(at(ring.newest_after(Moment(31), soon())), Err(FrameWaitError::TimedOut));
        assert_eq!(ring.newest().unwrap().captured_at(), Moment(30));
        assert!(self::ring([]).newest().is_none());
    }

    #[test]
    fn without_waiting_a_frame_is_there_or_may_still_come() {
        let arrivals = Arc::new(Arrivals::default());
        let ring = FrameRing::new(2);
        ring.report_to(Arc::clone(&arrivals));
        let now = |moment| ring.first_after_now(Moment(moment)).map(at);
        assert_eq!(now(5), None);
        ring.push(captured(10));
        assert_eq!((now(5), now(11)), (Some(Ok(10)), None));
        ring.interrupt(FrameWaitError::Ended);
        assert_eq!((now(5), now(11)), (Some(Ok(10)), Some(Err(FrameWaitError::Ended))));
        ring.push(captured(20));
        ring.push(captured(30));
        assert_eq!((now(5), now(11)), (Some(Err(FrameWaitError::Stale)), Some(Ok(20))));
        assert_eq!(arrivals.count(), 4);
    }

    #[test]
    fn who_comes_too_late_for_a_frame_does_not_get_the_one_after_it() {
        let ring = ring([10, 20, 30, 40, 50]);
        assert_eq!(at(ring.first_after(Moment(15), soon())), Err(FrameWaitError::Stale));
        assert_eq!(at(ring.first_after(Moment(20), soon())), Err(FrameWaitError::Stale));
        // 20 is gone, but this request doesn't need it.
        assert_eq!(at(ring.first_after(Moment(21), soon())), Ok(30));
        ring.push(captured(60));
        // 10 and 20 were never handed out, 30 was.
        assert_eq!(ring.counts(), FrameCounts { captured: 6, dropped: 2, lost: 0, stale: 2 });
    }

    #[test]
    fn a_waiting_inspector_wakes_by_the_frame() {
        let ring = ring([10]);
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| at(ring.first_after(Moment(20), Moment::now() + Duration::from_secs(20))));
            std::thread::sleep(Duration::from_millis(5));
            ring.push(captured(15));
            ring.push(captured(25));
            assert_eq!(waiting.join().unwrap(), Ok(25));
        });
    }

    #[test]
    fn a_lost_camera_ends_the_waiting_but_not_what_is_there() {
        let ring = ring([10]);
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| at(ring.first_after(Moment(20), Moment::now() + Duration::from_secs(20))));
            std::thread::sleep(Duration::from_millis(5));
            ring.interrupt(FrameWaitError::Lost("unplugged".to_owned()));
            assert_eq!(waiting.join().unwrap(), Err(FrameWaitError::Lost("unplugged".to_owned())));
        });
        assert_eq!(at(ring.first_after(Moment(5), soon())), Ok(10));
        ring.push(captured(30));
        assert_eq!(at(ring.first_after(Moment(40), soon())), Err(FrameWaitError::TimedOut));
        ring.interrupt(FrameWaitError::Ended);
        assert_eq!(at(ring.newest_after(Moment(40), soon())), Err(FrameWaitError::Ended));
    }

    #[test]
    fn a_part_whose_frame_may_have_been_dropped_gets_no_other() {
        let ring = FrameRing::new(8);
        let lost: Vec<_> =
            [(10, 7), (20, 8), (50, 11), (60, 12)].map(|(at, number)| ring.push(numbered(at, number))).into();
        assert_eq!(lost, [0, 0, 2, 0]);
        assert_eq!(at(ring.first_after(Moment(15), soon())), Ok(20));
        assert_eq!(at(ring.first_after(Moment(21), soon())), Err(FrameWaitError::Dropped));
        assert_eq!(at(ring.first_after(Moment(49), soon())), Err(FrameWaitError::Dropped));
        // A frame that is itself the trigger is available, and so is the one after it.
        assert_eq!(at(ring.first_after(Moment(50), soon())), Ok(50));
        assert_eq!(at(ring.first_after(Moment(51), soon())), Ok(60));
        assert_eq!(ring.counts().lost, 2);
    }

    #[test]
    fn numbers_of_a_camera_that_was_opened_again_begin_anew() {
        let ring = FrameRing::new(8);
        ring.reset_sequence();
        assert_eq!(ring.push(numbered(10, 3)), 0);
        assert_eq!(at(ring.first_after(Moment(5), soon())), Ok(10));
        ring.reset_sequence();
        assert_eq!(ring.push(numbered(90, 700)), 0);
        assert_eq!(at(ring.first_after(Moment(20), soon())), Err(FrameWaitError::Dropped));
        assert_eq!((ring.counts().lost, ring.push(numbered(100, 701))), (0, 0));
    }

    #[test]
    fn frame_numbers_wrap_and_may_stand_still() {
        assert_eq!([missing(4, 5), missing(4, 7), missing(4, 4), missing(9, 0)], [0, 2, 0, 0]);
        assert_eq!(missing(u64::from(u32::MAX), 1), 1);
    }
}
