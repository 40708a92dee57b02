//! Presence: something other than the empty belt is in view. The trigger of a line that has no other sensor.
//!
//! A frame is reduced to the brightness of 32 × 24 cells and compared with what has been learnt of the empty belt. A
//! part begins when the share of cells that differ exceeds the setting, and ends when it falls below half of it. The
//! belt is learnt only while it is empty: slow changes of light (up to about a fifth of the contrast per second) are
//! followed, and dirt that is too small for a part is learnt within a few minutes.
//!
//! Limitations:
//! * The first frame is taken for the empty belt. If a part is in it, parts are missed or counted twice until the image
//!   has been different for ten seconds.
//! * Two parts without empty belt between them (in the region, in at least one frame) count as one part.
//! * A part as bright as the belt is not seen, whatever its colour.
//! * A sudden change of light is a part for ten seconds; then the new image is taken for the empty belt.
//! * So is a part that stays in view for ten seconds. If it leaves and the belt is as it was before, that is recognised;
//!   if it only moves on a little, it is counted again.

use std::time::Duration;

use judge::Frame;
use shared_format::Roi;

use crate::capture::luma::LumaGrid;
use crate::clock::Moment;

const GRID: LumaGrid = LumaGrid { columns: 32, rows: 24, samples: 4 };
/// Time in which two thirds of a change are learnt if it is below the contrast.
const LEARN_TIME: Duration = Duration::from_secs(5);
/// The same for a change above the contrast.
const LEARN_TIME_DIFFERENT: Duration = Duration::from_secs(60);
/// The same for the image that may become the new belt.
const LEARN_TIME_STUCK: Duration = Duration::from_secs(1);
/// Something that stays in view this long isn't a part.
const STUCK_TIME: Duration = Duration::from_secs(10);

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceState {
    /// The empty belt.
    Empty,
    /// The first frame of a part: the trigger.
    Enters,
    /// A part that was there before.
    Stays,
    /// The first frame without it.
    Leaves,
}

/// Tells parts from the empty belt, frame by frame.
#[derive(Debug)]
pub struct PresenceDetector {
    share: f32,
    contrast: f32,
    region: Option<Roi>,
    /// Cells of the empty belt; empty before the first frame.
    belt: Vec<f32>,
    /// The belt before it was relearnt.
    previous_belt: Option<Vec<f32>>,
    part: Option<PartInView>,
    seen_at: Moment,
}

#[derive(Debug)]
struct PartInView {
    since: Moment,
    /// What the belt looks like if this isn't a part.
    average: Vec<f32>,
}

impl PresenceDetector {
    /// Detects a part if more than `share` of the cells differ by more than `contrast` (0 to 255), within the region or in
    /// the whole frame.
    #[must_use]
    pub fn new(share: f64, contrast: f64, region: Option<Roi>) -> Self {
        let (share, contrast) = (share as f32, contrast as f32);
        let (belt, seen_at) = (vec![], Moment::default());
        Self { share, contrast, region, belt, previous_belt: None, part: None, seen_at }
    }

    /// Looks at the next frame, captured at `at`. The cost doesn't depend on the size of the frame.
    pub fn update(&mut self, frame: &Frame, at: Moment) -> PresenceState {
        let cells = GRID.lumas(frame, self.region);
        // A gap in the frames must not count as a long time of learning.
        let passed = at.since(self.seen_at).min(Duration::from_secs(1));
        self.seen_at = at;
        if self.belt.len() != cells.len() {
            self.belt = cells;
            return PresenceState::Empty;
        }
        let share = self.differing_share(&self.belt, &cells);
        if share > self.share && self.is_as_before(&cells) {
            return if self.part.take().is_some() { PresenceState::Leaves } else { PresenceState::Empty };
        }
        match self.part.take() {
            None if share > self.share => {
                self.part = Some(PartInView { since: at, average: cells });
                PresenceState::Enters
            }
            None => {
                self.learn(&cells, passed);
                PresenceState::Empty
            }
            Some(_) if share < self.share / 2.0 => PresenceState::Leaves,
            Some(part) => self.keep_part(part, &cells, at, passed),
        }
    }

    fn keep_part(
        &mut self,
        mut part: PartInView,
        cells: &[f32],
        at: Moment,
        passed: Duration,
    ) -> PresenceState {
        approach(&mut part.average, cells, |_| rate(passed, LEARN_TIME_STUCK));
        if at.since(part.since) >= STUCK_TIME {
            self.previous_belt = Some(std::mem::replace(&mut self.belt, part.average));
            return PresenceState::Leaves;
        }
        self.part = Some(part);
        PresenceState::Stays
    }

    /// Returns whether the belt is as it was before it was relearnt. That is recognised once: later a part could look like
    /// it.
    fn is_as_before(&mut self, cells: &[f32]) -> bool {
        let known = |previous_belt: &Vec<f32>| self.differing_share(previous_belt, cells) < self.share / 2.0;
        if !self.previous_belt.as_ref().is_some_and(known) {
            return false;
        }
        self.belt = self.previous_belt.take().unwrap_or_default();
        true
    }

    fn learn(&mut self, cells: &[f32], passed: Duration) {
        let (near, far) = (rate(passed, LEARN_TIME), rate(passed, LEARN_TIME_DIFFERENT));
        let contrast = self.contrast;
        approach(&mut self.belt, cells, |difference| if difference > contrast { far } else { near });
    }

    fn differing_share(&self, belt: &[f32], cells: &[f32]) -> f32 {
        let differ = belt.iter().zip(cells).filter(|(belt, cell)| (*belt - *cell).abs() > self.contrast);
        differ.count() as f32 / belt.len().max(1) as f32
    }
}

/// Moves each value towards its target by a share of the difference that depends on the difference's size.
fn approach(values: &mut [f32], targets: &[f32], share: impl Fn(f32) -> f32) {
    for (value, target) in values.iter_mut().zip(targets) {
        *value += (target - *value) * share((target - *value).abs());
    }
}

fn rate(passed: Duration, time: Duration) -> f32 {
    (passed.as_secs_f32() / time.as_secs_f32()).min(1.0)
}

#[cfg(test)]
mod tests {
    use judge::Pixels;
    use shared_format::Size;

    use super::*;

    const SIZE: Size = Size { width: 160, height: 96 };
    const FPS: u64 = 30;

    /// A belt with parts of 40 × 40 pixels at the given positions, and noise.
    struct Belt {
        presence: PresenceDetector,
        light: f32,
        number: u64,
        states: Vec<PresenceState>,
    }

    impl Belt {
        fn new(region: Option<Roi>) -> Self {
            let presence = PresenceDetector::new(0.05, 20.0, region);
            Self { presence, light: 80.0, number: 0, states: vec![] }
        }

        fn see(&mut self, parts: &[i64]) -> PresenceState {
            self.number += 1;
            let mut noise = (self.number as u32).wrapping_mul(2_654_435_761) | 1;
            let mut pixels = vec![];
            for n in 0..SIZE.width * SIZE.height {
                let (x, y) = (i64::from(n % SIZE.width), n / SIZE.width);
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let grain = (noise >> 27) as f32 - 15.5;
                let part = (28..68).contains(&y) && parts.iter().any(|at| (*at..at + 40).contains(&x));
                pixels.push((self.light + grain + if part { 90.0 } else { 0.0 }).clamp(0.0, 255.0) as u8);
            }
            let frame = Frame::new(SIZE, Pixels::Grey8(pixels)).unwrap();
            let state = self.presence.update(&frame, Moment(self.number * 1_000_000_000 / FPS));
            self.states.push(state);
            state
        }

        fn empty(&mut self, frames: u64) {
            (0..frames).for_each(|_| _ = self.see(&[]));
        }

        /// Moves one part across at 8 pixels per frame, with `others` that many pixels behind it.
        fn cross(&mut self, others: &[i64]) {
            let last = others.iter().max().copied().unwrap_or(0);
            for x in (-40..=160 + last).step_by(8) {
                let places: Vec<i64> = std::iter::once(x).chain(others.iter().map(|o| x - o)).collect();
                self.see(&places);
            }
        }

        fn count(&self, wanted: PresenceState) -> usize {
            self.states.iter().filter(|state| **state == wanted).count()
        }
    }

    #[test]
    fn noise_is_no_part() {
        let mut belt = Belt::new(None);
        belt.empty(300);
        assert_eq!(belt.count(PresenceState::Empty), 300);
    }

    #[test]
    fn slow_changes_of_light_are_followed() {
        let mut belt = Belt::new(None);
        for _ in 0..20 * FPS {
            belt.light += 3.0 / FPS as f32;
            belt.see(&[]);
        }
        assert_eq!(belt.count(PresenceState::Empty), belt.states.len());
    }

    #[test]
    fn a_part_enters_once_and_leaves_once() {
        let mut belt = Belt::new(None);
        belt.empty(10);
        for _ in 0..5 {
            belt.cross(&[]);
            belt.empty(3);
        }
        assert_eq!((belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves)), (5, 5));
        assert_eq!(belt.states.last(), Some(&PresenceState::Empty));
    }

    #[test]
    fn parts_with_empty_belt_between_them_in_the_region_are_two() {
        let region = Some(Roi { x: 60, y: 0, width: 40, height: 96 });
        for (region, parts) in [(region, 2), (None, 1)] {
            let mut belt = Belt::new(region);
            belt.empty(10);
            // 60 pixels between them: more than the region is wide, less than the frame is.
            belt.cross(&[100]);
            assert_eq!(belt.count(PresenceState::Enters), parts, "{region:?}");
            assert_eq!(belt.count(PresenceState::Leaves), parts, "{region:?}");
        }
    }

    #[test]
    fn a_lamp_that_goes_on_is_a_part_for_ten_seconds_and_then_the_belt() {
        let mut belt = Belt::new(None);
        belt.empty(10);
        belt.light += 60.0;
        belt.empty(10 * FPS + 2);
        assert_eq!((belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves)), (1, 1));
        assert_eq!(belt.states.last(), Some(&PresenceState::Empty));
        belt.cross(&[]);
        assert_eq!((belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves)), (2, 2));
    }

    #[test]
    fn a_part_that_stood_and_leaves_is_not_counted_again() {
        let mut belt = Belt::new(None);
        belt.empty(10);
        (0..12 * FPS).for_each(|_| _ = belt.see(&[60]));
        assert_eq!(belt.states.last(), Some(&PresenceState::Empty));
        // Removed by hand.
        belt.empty(3);
        assert_eq!((belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves)), (1, 1));
        belt.cross(&[]);
        assert_eq!((belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves)), (2, 2));
    }

    #[test]
    fn a_region_outside_of_the_frame_shows_nothing() {
        let mut belt = Belt::new(Some(Roi { x: 500, y: 0, width: 10, height: 10 }));
        belt.cross(&[]);
        assert_eq!(belt.count(PresenceState::Empty), belt.states.len());
    }
}
