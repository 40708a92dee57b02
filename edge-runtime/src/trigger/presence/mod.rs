//! Presence: something other than the empty belt is in view. The trigger of a line that has no other sensor.
//!
//! | file | contents |
//! |---|---|
//! | `belt` | what has been learnt of the empty belt |
//! | `light` | changes of the light that all cells share |
//! | `standing` | what differs from the belt and doesn't move |
//!
//! The region (the part of the picture where parts are looked for, which can be as narrow as a light barrier) is reduced to the
//! brightness of 32 × 24 cells and compared with what has been learnt of the empty belt. A part begins when the share of cells
//! that differ exceeds the setting, and ends when it falls below half of it.
//!
//! The belt is learnt only while it is empty: slow changes of light (up to about a fifth of the contrast per second) are
//! followed, and dirt that is too small for a part is learnt within a few minutes. Each cell's own fluctuation is learnt too, so
//! that a belt on which bands of a flickering lamp wander needs more contrast there. If most of the picture becomes darker by
//! the same factor, up to a quarter, or brighter, up to a third, that is light: flicker, or the camera's automatic exposure.
//!
//! What differs from the belt in the same way for ten seconds is dirt, or a part on a stopped belt. Its cells are ignored until the
//! belt shows again. If it grows, it has moved on, and is not counted again. If another part comes
//! meanwhile, the belt runs, and what stands is taken for the belt. If more than half of the region
//! has changed, the new image is taken for the belt after ten seconds: it is the light, or a part as large as the region.
//!
//! Limitations:
//! * The first frame is taken for the empty belt. If a part is in it, parts are missed until its place has been different for ten
//!   seconds more than it was not.
//! * Bands of a flickering lamp that wander while the light also drifts can be taken for parts.
//! * Two parts without empty belt between them (in the region, in at least one frame) count as one part, unless the settings say
//!   how long one takes.
//! * A part as bright as the belt is not seen, whatever its colour. Neither is one that covers four fifths of the picture from
//!   one frame to the next, if it is everywhere darker than the belt by the same factor, up to a quarter, or brighter, up to a third.
//! * A larger sudden change of light is a part for ten seconds; then the new image is taken for the empty belt.
//! * A patterned part that fills more than half of the region and is stopped there for ten seconds may be counted again.

mod belt;
mod light;
mod standing;

use std::time::Duration;

use judge::Frame;
use shared_format::Roi;

use crate::capture::luma::LumaGrid;
use crate::clock::Moment;

use belt::Belt;
use light::Light;
use standing::Standing;

const GRID: LumaGrid = LumaGrid { columns: 32, rows: 24, samples: 4 };
/// A change of a larger share of the region may be the light.
const MOST: f32 = 0.5;
/// What stood and moves on has left its place after this time.
const MOVING_TIME: Duration = Duration::from_secs(5);

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

/// What counts as a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PresenceSettings {
    /// Share of the cells that must differ from the empty belt.
    pub share: f64,
    /// How much a cell's brightness (0 to 255) must differ.
    pub contrast: f64,
    /// Where parts are looked for; in the whole picture by default.
    pub region: Option<Roi>,
    /// How long one part is in the region. What stays longer is several parts that touch each other.
    pub part_time: Option<Duration>,
}

/// Tells parts from the empty belt, frame by frame.
#[derive(Debug)]
pub struct PresenceDetector {
    share: f32,
    contrast: f32,
    region: Option<Roi>,
    part_time: Option<Duration>,
    light: Option<Light>,
    /// `None` before the first frame.
    belt: Option<Belt>,
    /// The belt before most of it was relearnt, and whether that came all at once.
    previous: Option<(Belt, bool)>,
    part: Option<PartInView>,
    standing: Option<Standing>,
    seen_at: Moment,
}

#[derive(Debug)]
struct PartInView {
    since: Moment,
    /// Whether it came into view all at once.
    sudden: bool,
    /// Whether it seems to be what stood before, and moves on.
    has_moved: bool,
}

impl PresenceDetector {
    /// Creates a detector that knows no belt yet.
    #[must_use]
    pub const fn new(settings: PresenceSettings) -> Self {
        let PresenceSettings { share, contrast, region, part_time } = settings;
        Self {
            share: share as f32,
            contrast: contrast as f32,
            region,
            part_time,
            light: None,
            belt: None,
            previous: None,
            part: None,
            standing: None,
            seen_at: Moment(0),
        }
    }

    /// Looks at the next frame, captured at `at`. The cost doesn't depend on the size of the frame.
    pub fn update(&mut self, frame: &Frame, at: Moment) -> PresenceState {
        let cells = GRID.lumas(frame, self.region);
        // A gap in the frames must not count as a long time of learning.
        let passed = at.since(self.seen_at).min(Duration::from_secs(1));
        self.seen_at = at;
        let whole = self.region.map(|_| GRID.lumas(frame, None));
        let whole = whole.as_deref().unwrap_or(&cells);
        let gain = self.light.get_or_insert_with(|| Light::new(whole)).gain(whole, self.contrast);
        let known = self.belt.as_ref().zip(self.standing.as_mut());
        let Some((belt, standing)) = known.filter(|(belt, _)| belt.len() == cells.len()) else {
            self.standing = Some(Standing::new(&cells, GRID.columns as usize));
            self.belt = Some(Belt::new(cells));
            return PresenceState::Empty;
        };
        let mut differing = belt.differing(&cells, gain, self.contrast);
        standing.watch(&cells, gain, &differing, self.contrast, passed);
        if standing.share() > MOST {
            return self.relearn(&differing);
        }
        let all_differing = differing.clone();
        let stands = standing.is_there(&differing);
        if self.part.as_ref().is_none_or(|part| !part.has_moved) {
            standing.compare(&mut differing);
        }
        let share = share_of(&differing);
        if share > self.share
            && let Some(state) = self.recall_belt(&cells, at)
        {
            return state;
        }
        match self.part.take() {
            None if share > self.share => self.begin_part(&differing, &all_differing, at),
            None => {
                if let Some((belt, standing)) = self.belt.as_mut().zip(self.standing.as_ref()) {
                    belt.learn(&cells, gain, self.contrast, passed, Some(standing.covered()));
                }
                if let Some(light) = &mut self.light {
                    light.learn(whole, gain, self.contrast, passed);
                }
                PresenceState::Empty
            }
            Some(part) if share < self.share / 2.0 => {
                if part.has_moved {
                    self.end_standing(&all_differing);
                }
                PresenceState::Leaves
            }
            Some(part) if part.has_moved && stands && at.since(part.since) >= MOVING_TIME => {
                // It didn't move after all.
                self.end_standing(&all_differing);
                PresenceState::Leaves
            }
            Some(mut part) => {
                let next = self.part_time.filter(|time| at.since(part.since) >= *time);
                if let Some(time) = next {
                    part.since = part.since + time;
                }
                self.part = Some(part);
                if next.is_some() { PresenceState::Enters } else { PresenceState::Stays }
            }
        }
    }

    /// Begins a part: `differing` are the cells that differ from what was there before, `from_belt` those that differ from the belt.
    fn begin_part(&mut self, differing: &[bool], from_belt: &[bool], at: Moment) -> PresenceState {
        // What is smaller was never counted, so it can't be what moves on.
        let standing = self.standing.as_ref().filter(|standing| standing.share() > self.share / 2.0);
        let has_moved = standing.is_some_and(|standing| standing.has_moved(differing));
        if !has_moved {
            // The belt runs, and what stands is not on it.
            self.end_standing(from_belt);
        }
        self.part = Some(PartInView { since: at, sudden: share_of(differing) > MOST, has_moved });
        // What stood was counted when it came.
        if has_moved { PresenceState::Stays } else { PresenceState::Enters }
    }

    /// Takes what stands for the belt if most of it is still there, and forgets it.
    fn end_standing(&mut self, differing: &[bool]) {
        if let Some((belt, standing)) = self.belt.as_mut().zip(self.standing.as_mut()) {
            if standing.is_there(differing) {
                belt.replace(&standing.present(differing), standing.candidates());
            }
            standing.clear();
        }
    }

    /// Takes what stands in most of the region for the belt.
    fn relearn(&mut self, differing: &[bool]) -> PresenceState {
        let part = self.part.take();
        let before = self.belt.clone();
        self.end_standing(differing);
        if let Some(belt) = &mut self.belt {
            belt.end_start();
        }
        if let Some(light) = &mut self.light {
            light.restart();
        }
        self.previous = before.map(|belt| (belt, part.as_ref().is_none_or(|part| part.sudden)));
        if part.is_some() { PresenceState::Leaves } else { PresenceState::Empty }
    }

    /// Goes back to the belt as it was before most of it was relearnt, if it shows again: everywhere if that came all at once, as
    /// light does, or else in some places, from which a large part has moved on. That is recognised once: later a part
    /// could look like it.
    fn recall_belt(&mut self, cells: &[f32], at: Moment) -> Option<PresenceState> {
        let (previous, sudden) = self.previous.as_ref()?;
        let as_before: Vec<bool> =
            previous.differing(cells, 1.0, self.contrast).iter().map(|differs| !differs).collect();
        let is_empty = 1.0 - share_of(&as_before) < self.share / 2.0;
        let relearnt = previous.differing(self.belt.as_ref()?.means(), 1.0, self.contrast);
        let free = as_before.iter().zip(&relearnt).filter(|(as_before, relearnt)| **as_before && **relearnt);
        let in_places = !sudden && free.count() > (relearnt.len() / 40).max(2);
        if !is_empty && !in_places {
            return None;
        }
        self.belt = self.previous.take().map(|(belt, _)| belt);
        let part = self.part.take();
        if is_empty {
            return Some(if part.is_some() { PresenceState::Leaves } else { PresenceState::Empty });
        }
        self.part = Some(PartInView { since: at, sudden: false, has_moved: false });
        Some(PresenceState::Stays)
    }
}

fn share_of(cells: &[bool]) -> f32 {
    cells.iter().filter(|cell| **cell).count() as f32 / cells.len().max(1) as f32
}

#[cfg(test)]
mod tests;
