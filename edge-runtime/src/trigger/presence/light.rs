//! Changes of the light that all cells share, such as flicker and automatic exposure.

use std::time::Duration;

use super::belt::Belt;

/// A part can't be told from a lamp by its brightness: a larger change is a part until it has lasted for long.
const GAINS: std::ops::RangeInclusive<f32> = 0.75..=1.33;
/// The same if the belt learnt may have been at its brightest or darkest.
const START_GAINS: std::ops::RangeInclusive<f32> = 0.6..=1.67;
/// Share of the cells that must change alike. The others may show a part that comes into view at the same time.
const AGREEING: f32 = 0.8;
/// How far from the same factor a change may be: two grey levels of noise at a brightness of 40.
const TOLERANCE: f32 = 0.05;
/// Darker cells say too little about the light.
const MIN_LUMA: f32 = 8.0;

/// Compares the light on the belt with that on the belt learnt, in the whole picture.
#[derive(Debug)]
pub(super) struct Light {
    belt: Belt,
    /// Cells that differed in the last frame: what they show is not the belt.
    differing: Vec<bool>,
    ratios: Vec<f32>,
}

impl Light {
    /// Takes a first frame's cells for the belt.
    pub(super) fn new(cells: &[f32]) -> Self {
        Self { belt: Belt::new(cells.to_vec()), differing: vec![false; cells.len()], ratios: vec![] }
    }

    /// Returns the light's brightness in units of that on the belt learnt: 1 unless most of the belt in view has changed by the same
    /// factor.
    pub(super) fn gain(&mut self, cells: &[f32], contrast: f32) -> f32 {
        if cells.len() != self.belt.len() {
            *self = Self::new(cells);
            return 1.0;
        }
        let belt = self.belt.means().iter().zip(cells).zip(&self.differing);
        let belt = belt.filter(|((mean, _), differs)| !**differs && **mean >= MIN_LUMA).map(|(pair, _)| pair);
        self.ratios.clear();
        self.ratios.extend(belt.map(|(mean, cell)| cell / mean));
        let gains = if self.belt.is_new() { START_GAINS } else { GAINS };
        let gain = median(&mut self.ratios, cells.len() / 8).filter(|gain| gains.contains(gain));
        let agrees = |gain: f32| {
            let disagreeing = self.belt.disagreeing(cells, gain, TOLERANCE);
            let known = self.differing.iter().zip(&disagreeing).filter(|(differed, _)| !**differed);
            let (all, alike) =
                known.fold((0, 0), |(all, alike), (_, differs)| (all + 1_u32, alike + u32::from(!*differs)));
            alike as f32 >= AGREEING * all as f32
        };
        let gain = gain.filter(|gain| agrees(*gain)).unwrap_or(1.0);
        self.differing = self.belt.differing(cells, gain, contrast);
        gain
    }

    /// Takes the next frame that is learnt for the belt.
    pub(super) fn restart(&mut self) {
        self.belt.restart();
        self.differing.fill(false);
    }

    /// Learns from a frame with this gain. The belt in the region must be learnt from the same frames.
    pub(super) fn learn(&mut self, cells: &[f32], gain: f32, contrast: f32, passed: Duration) {
        self.belt.learn(cells, gain, contrast, passed, None);
    }
}

/// Returns the median of at least `least` values.
fn median(values: &mut [f32], least: usize) -> Option<f32> {
    if values.len() < least.max(1) {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
}
