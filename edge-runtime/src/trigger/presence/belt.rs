//! What has been learnt of the empty belt.

use std::time::Duration;

/// Time in which two thirds of a change are learnt if it is below a cell's limit.
const LEARN_TIME: Duration = Duration::from_secs(5);
/// The same for a change above the limit.
const LEARN_TIME_DIFFERENT: Duration = Duration::from_secs(60);
/// The first frames are averaged.
const START_FRAMES: u16 = 16;
/// A cell's limit in units of its mean absolute deviation on the empty belt. A lamp that flickers as a sine deviates by π/2 = 1.6
/// of these at most.
const DEVIATIONS: f32 = 2.5;

/// Brightness of the empty belt's cells, and how much each varies by itself.
#[derive(Debug, Clone)]
pub(super) struct Belt {
    means: Vec<f32>,
    deviations: Vec<f32>,
    frames: u16,
}

impl Belt {
    /// Takes the cells of a first frame for the empty belt.
    pub(super) fn new(cells: Vec<f32>) -> Self {
        Self { deviations: vec![0.0; cells.len()], means: cells, frames: 1 }
    }

    /// Takes the next frame for the empty belt, which varies as before.
    pub(super) const fn restart(&mut self) {
        self.frames = 0;
    }

    /// Notes that the belt's cells are known from many frames.
    pub(super) const fn end_start(&mut self) {
        self.frames = START_FRAMES;
    }

    /// Returns whether it was learnt from few frames.
    pub(super) const fn is_new(&self) -> bool {
        self.frames < START_FRAMES
    }

    /// Returns the number of cells.
    pub(super) const fn len(&self) -> usize {
        self.means.len()
    }

    /// Returns the brightness of the cells.
    pub(super) fn means(&self) -> &[f32] {
        &self.means
    }

    /// Returns which cells differ from the empty belt by more than `contrast`, and by more than they do on their own. `gain` is the
    /// light's present brightness, in units of that of the belt.
    pub(super) fn differing(&self, cells: &[f32], gain: f32, contrast: f32) -> Vec<bool> {
        let contrast = self.start_contrast(contrast);
        self.beyond(cells, gain, |_| contrast)
    }

    /// Returns which cells differ by more than the given share of their brightness, and by more than they do on their own.
    pub(super) fn disagreeing(&self, cells: &[f32], gain: f32, share: f32) -> Vec<bool> {
        self.beyond(cells, gain, |mean| share * mean)
    }

    fn beyond(&self, cells: &[f32], gain: f32, limit: impl Fn(f32) -> f32) -> Vec<bool> {
        let belt = self.means.iter().zip(&self.deviations);
        let differs = |((mean, deviation), cell): ((&f32, &f32), &f32)| {
            (cell / gain - mean).abs() > limit(*mean).max(DEVIATIONS * deviation)
        };
        belt.zip(cells).map(differs).collect()
    }

    /// Learns from a frame of the empty belt, `passed` after the frame before it, except for the cells in `ignored`. What is only
    /// dirt is learnt too, but slowly.
    pub(super) fn learn(
        &mut self,
        cells: &[f32],
        gain: f32,
        contrast: f32,
        passed: Duration,
        ignored: Option<&[bool]>,
    ) {
        let contrast = self.start_contrast(contrast);
        let start = if self.is_new() { 1.0 / (f32::from(self.frames) + 1.0) } else { 0.0 };
        let restarts = self.frames == 0;
        let (near, far) = (rate(passed, LEARN_TIME).max(start), rate(passed, LEARN_TIME_DIFFERENT));
        let belt = self.means.iter_mut().zip(&mut self.deviations).zip(cells);
        for (number, ((mean, deviation), cell)) in belt.enumerate() {
            if restarts {
                *mean = *cell;
                continue;
            }
            let difference = (cell / gain - *mean).abs();
            let is_ignored = ignored.is_some_and(|ignored| ignored.get(number) == Some(&true));
            if !is_ignored && difference <= contrast.max(DEVIATIONS * *deviation) {
                *deviation += (difference - *deviation) * near;
                *mean += (cell - *mean) * near;
                continue;
            }
            // The belt isn't seen, but the light on it has changed as elsewhere.
            *mean += (*mean * gain - *mean) * near;
            if !is_ignored {
                *deviation += (difference - *deviation) * far;
                *mean += (cell - *mean) * far;
            }
        }
        self.frames = (self.frames + 1).min(START_FRAMES);
    }

    /// Replaces the cells in `chosen` by others.
    pub(super) fn replace(&mut self, chosen: &[bool], cells: &[f32]) {
        for ((mean, cell), _) in self.means.iter_mut().zip(cells).zip(chosen).filter(|(_, chosen)| **chosen) {
            *mean = *cell;
        }
    }

    /// A mean of few frames is uncertain: one of a flickering lamp may be the brightest.
    fn start_contrast(&self, contrast: f32) -> f32 {
        if self.is_new() { contrast * (1.0 + 2.0 / f32::from(self.frames.max(1))) } else { contrast }
    }
}

/// Returns the share of a change that is learnt in the time `passed`.
pub(super) fn rate(passed: Duration, time: Duration) -> f32 {
    (passed.as_secs_f32() / time.as_secs_f32()).min(1.0)
}
