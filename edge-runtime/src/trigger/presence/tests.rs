use judge::Pixels;
use shared_format::Size;

use super::*;

const SIZE: Size = Size { width: 160, height: 96 };
const FPS: u64 = 30;

/// A belt with parts at the given positions, 40 pixels high, and noise.
struct Belt {
    presence: PresenceDetector,
    light: f32,
    /// Brightness of the lamp in a frame, at a row.
    lamp: fn(u64, u32) -> f32,
    /// Length of the parts in pixels, and how much brighter than the belt they are.
    part: (i64, f32),
    /// Dirt on the window: left, top, right and bottom.
    dirt: [i64; 4],
    number: u64,
    states: Vec<PresenceState>,
}

impl Belt {
    fn new(region: Option<Roi>) -> Self {
        Self::with(PresenceSettings { share: 0.05, contrast: 20.0, region, part_time: None })
    }

    fn with(settings: PresenceSettings) -> Self {
        let presence = PresenceDetector::new(settings);
        Self {
            presence,
            light: 80.0,
            lamp: |_, _| 1.0,
            part: (40, 90.0),
            dirt: [0; 4],
            number: 0,
            states: vec![],
        }
    }

    fn see(&mut self, parts: &[i64]) -> PresenceState {
        self.number += 1;
        let mut noise = (self.number as u32).wrapping_mul(2_654_435_761) | 1;
        let mut pixels = vec![];
        let (length, contrast) = self.part;
        for n in 0..SIZE.width * SIZE.height {
            let (x, y) = (i64::from(n % SIZE.width), n / SIZE.width);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 27) as f32 - 15.5;
            let part = (28..68).contains(&y) && parts.iter().any(|at| (*at..at + length).contains(&x));
            let [left, top, right, bottom] = self.dirt;
            let dirty = (left..right).contains(&x) && (top..bottom).contains(&i64::from(y));
            let light =
                (self.light + if part || dirty { contrast } else { 0.0 }) * (self.lamp)(self.number, y);
            pixels.push((light + grain).clamp(0.0, 255.0) as u8);
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
        for x in (-self.part.0..=160 + last).step_by(8) {
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
    belt.empty(2 * FPS);
    assert_eq!(belt.count(PresenceState::Enters), 1);
    assert_eq!(belt.states.last(), Some(&PresenceState::Empty));
    assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1));
}

#[test]
fn a_region_outside_of_the_frame_shows_nothing() {
    let mut belt = Belt::new(Some(Roi { x: 500, y: 0, width: 10, height: 10 }));
    belt.cross(&[]);
    assert_eq!(belt.count(PresenceState::Empty), belt.states.len());
}

/// Counts the parts that come and go in frames that are seen after some of the empty belt.
fn counts(belt: &mut Belt, frames: impl FnOnce(&mut Belt)) -> (usize, usize) {
    belt.empty(20);
    let before = (belt.count(PresenceState::Enters), belt.count(PresenceState::Leaves));
    frames(belt);
    (belt.count(PresenceState::Enters) - before.0, belt.count(PresenceState::Leaves) - before.1)
}

#[test]
fn a_belt_that_stops_under_a_part_counts_it_once() {
    // In the middle, half in view at either edge, and nearly gone.
    for stop in [60, -24, 136, 150] {
        let mut belt = Belt::new(None);
        let (enters, _) = counts(&mut belt, |belt| {
            for x in (-40..=160).step_by(2) {
                let frames = if x == stop { 30 * FPS } else { 1 };
                (0..frames).for_each(|_| _ = belt.see(&[x]));
            }
        });
        // What stops half in view at the entry may be taken for dirt that a part touches: the safe side.
        let most = if stop == -24 { 2 } else { 1 };
        assert!((1..=most).contains(&enters), "{stop}: {enters}");
        assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1), "{stop}");
    }
}

#[test]
fn a_part_longer_than_the_view_is_one_also_if_it_stops() {
    for stops in [false, true] {
        let mut belt = Belt::new(None);
        belt.part.0 = 600;
        let (enters, _) = counts(&mut belt, |belt| {
            for x in (-600..=160).step_by(4) {
                let frames = if stops && x == -200 { 30 * FPS } else { 1 };
                (0..frames).for_each(|_| _ = belt.see(&[x]));
            }
        });
        assert_eq!(enters, 1, "{stops}");
        belt.part.0 = 40;
        assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1), "{stops}");
    }
}

#[test]
fn a_lamp_that_flickers_is_no_part_and_hides_none() {
    // 100 Hz, seen at 30 frames a second: all rows at the same time, or one after the other.
    let flickers: [fn(u64, u32) -> f32; 2] = [
        |number, _| 1.0 + 0.2 * (number as f32 * 100.0 / 29.7 * std::f32::consts::TAU).sin(),
        |number, row| {
            1.0 + 0.2 * ((number as f32 * 100.0 / 29.7 + row as f32 / 48.0) * std::f32::consts::TAU).sin()
        },
    ];
    for (number, lamp) in flickers.into_iter().enumerate() {
        let mut belt = Belt::new(None);
        belt.light = 130.0;
        belt.lamp = lamp;
        belt.empty(20 * FPS);
        assert_eq!(belt.count(PresenceState::Empty), belt.states.len(), "flicker {number}");
        for _ in 0..5 {
            assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1), "flicker {number}");
        }
    }
}

#[test]
fn a_camera_that_adjusts_its_exposure_is_no_part() {
    let mut belt = Belt::new(None);
    belt.light = 130.0;
    belt.empty(20);
    belt.lamp = |_, _| 1.15;
    belt.empty(100);
    belt.lamp = |_, _| 0.95;
    belt.empty(100);
    assert_eq!(belt.count(PresenceState::Empty), belt.states.len());
    assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1));
}

#[test]
fn touching_parts_are_as_many_as_their_time_says() {
    // 160 + 40 pixels at 8 a frame: a part is in view for 25 frames, and each that touches it for 5 more. In a region as narrow as a
    // light barrier, each takes the time of its length.
    let region = Some(Roi { x: 76, y: 0, width: 8, height: 96 });
    let part_time = Some(Duration::from_nanos(6 * 1_000_000_000 / FPS));
    for (part_time, parts) in [(part_time, 3), (None, 1)] {
        let mut belt = Belt::with(PresenceSettings { share: 0.05, contrast: 20.0, region, part_time });
        let (enters, leaves) = counts(&mut belt, |belt| belt.cross(&[40, 80]));
        assert_eq!((enters, leaves), (parts, 1), "{part_time:?}");
        let (enters, leaves) = counts(&mut belt, |belt| belt.cross(&[]));
        assert_eq!((enters, leaves), (1, 1), "{part_time:?}");
    }
}

#[test]
fn a_part_in_the_first_frame_does_not_blind_a_busy_belt() {
    let mut belt = Belt::new(None);
    // A part every second, the first of them in the first frame.
    (60..=160).step_by(8).for_each(|x| _ = belt.see(&[x]));
    for _ in 0..40 {
        belt.cross(&[]);
        belt.empty(4);
    }
    for _ in 0..5 {
        assert_eq!(counts(&mut belt, |belt| belt.cross(&[])), (1, 1));
    }
}

#[test]
fn dirt_that_stands_on_a_running_belt_becomes_part_of_it() {
    let mut belt = Belt::new(None);
    belt.empty(10);
    // A label sticks to the window, at the edge.
    (0..15 * FPS).for_each(|_| _ = belt.see(&[125]));
    let before = belt.count(PresenceState::Enters);
    for round in 1..=5 {
        (-40..=84).step_by(4).for_each(|x| _ = belt.see(&[x, 125]));
        (0..5).for_each(|_| _ = belt.see(&[125]));
        assert_eq!(belt.count(PresenceState::Enters) - before, round);
    }
}

#[test]
fn a_part_that_touches_dirt_is_seen() {
    let strip = Some(Roi { x: 72, y: 0, width: 16, height: 96 });
    for (dirt, region) in [
        ([78, 40, 81, 46], strip),
        ([72, 40, 88, 60], strip),
        ([0, 40, 20, 56], None),
        ([0, 28, 35, 68], None),
    ] {
        let mut belt = Belt::new(region);
        belt.empty(10);
        belt.dirt = dirt;
        belt.empty(12 * FPS);
        let before = belt.count(PresenceState::Enters);
        for _ in 0..12 {
            (-40..=160).step_by(4).for_each(|x| _ = belt.see(&[x]));
            belt.empty(5);
        }
        assert!(belt.count(PresenceState::Enters) - before >= 12, "{dirt:?}");
    }
}

/// What a line may show in two minutes: parts of many lengths and brightnesses at random distances, in light that flickers and drifts,
/// on a belt that stops now and then. `NOMINAL_BELTS` is the number of such belts, one by default.
#[test]
fn random_belts_have_each_part() {
    let (mut parts, mut found) = (0, 0);
    let belts = std::env::var("NOMINAL_BELTS").map_or(1, |number| number.parse().unwrap());
    for seed in 1..=belts {
        let mut random = 0x9E37_79B9_u32.wrapping_mul(seed);
        let mut below = |limit: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(random) * u64::from(limit)) >> 32) as u32
        };
        let region = Some(Roi { x: 72, y: 0, width: 16, height: 96 });
        let mut belt = Belt::new(region);
        belt.light = 110.0;
        belt.lamp = |number, _| {
            let turns = number as f32 * 100.0 / 29.7;
            (1.0 + 0.1 * (turns * std::f32::consts::TAU).sin()) * (1.0 + 0.2 * (number as f32 / 600.0).sin())
        };
        belt.empty(20);
        for _ in 0..12 {
            belt.part = (20 + i64::from(below(300)), 60.0 + below(60) as f32);
            let stop = i64::from(below(600)) - 300;
            let step = 2 + below(6) as usize;
            for x in (-belt.part.0..=160).step_by(step) {
                let stopped = (x..x + step as i64).contains(&stop);
                (0..if stopped { 1 + below(900) } else { 1 }).for_each(|_| _ = belt.see(&[x]));
            }
            belt.empty(5 + u64::from(below(60)));
            parts += 1;
        }
        found += belt.count(PresenceState::Enters);
    }
    // A part that stops half in view on its way in may count twice.
    assert!((parts..=parts + parts / 20).contains(&found), "{found} of {parts}");
}
