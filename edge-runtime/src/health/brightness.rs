//! Detects whether the image is still as bright as at the start of the run.

/// Number of frames whose mean is compared.
const BLOCK_FRAMES: u32 = 50;
/// A change is worth a look if it exceeds this share of the brightness …
const MIN_CHANGE: f64 = 0.1;
/// … and this many standard errors of the two means, because parts differ from each other.
const MIN_STANDARD_ERRORS: f64 = 6.0;

/// The mean brightness of what is judged of a product's frames, 0 to 255, in blocks of 50; later blocks are compared with the
/// first.
#[derive(Debug, Default)]
pub struct BrightnessDrift {
    start: Option<RunningStats>,
    last: Option<RunningStats>,
    filling: RunningStats,
}

impl BrightnessDrift {
    /// Adds a frame's mean brightness.
    pub fn add(&mut self, brightness: f64) {
        self.filling.add(brightness);
        if self.filling.frames == BLOCK_FRAMES {
            let block = std::mem::take(&mut self.filling);
            self.last = Some(block);
            self.start = self.start.or(self.last);
        }
    }

    /// Returns what has changed, as a sentence; `None` if nothing has, or before 100 frames.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        let (start, last) = (self.start?, self.last?);
        let errors = ((start.variance() + last.variance()) / f64::from(BLOCK_FRAMES)).sqrt();
        let changed =
            (last.mean - start.mean).abs() > (MIN_CHANGE * start.mean).max(MIN_STANDARD_ERRORS * errors);
        let (now, then) = (last.mean, start.mean);
        changed.then(|| {
            format!(
                "brightness drift: {now:.1} over {BLOCK_FRAMES} frames, {then:.1} at the start; check the lamp and the lens"
            )
        })
    }
}

/// Mean and variance of a block of frames (Welford's recurrence).
#[derive(Debug, Clone, Copy, Default)]
struct RunningStats {
    frames: u32,
    mean: f64,
    squares: f64,
}

impl RunningStats {
    fn add(&mut self, value: f64) {
        self.frames += 1;
        let before = value - self.mean;
        self.mean += before / f64::from(self.frames);
        self.squares += before * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / f64::from(self.frames.saturating_sub(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    #[test]
    fn parts_that_differ_are_no_drift_and_a_dimmed_lamp_is() {
        let mut random = Seeded::new(8, 0);
        let mut drift = BrightnessDrift::default();
        let mut add =
            |drift: &mut BrightnessDrift, lamp: f64| drift.add(lamp * (80.0 + random.below(40) as f64));
        for _ in 0..20_000 {
            add(&mut drift, 1.0);
            assert_eq!(drift.alarm(), None);
        }
        (0..2 * BLOCK_FRAMES).for_each(|_| add(&mut drift, 0.8));
        let alarm = drift.alarm().unwrap();
        assert!(alarm.starts_with("brightness drift: ") && alarm.contains(" at the start"), "{alarm}");
        (0..2 * BLOCK_FRAMES).for_each(|_| add(&mut drift, 1.0));
        assert_eq!(drift.alarm(), None);
    }

    #[test]
    fn mean_and_variance_are_the_usual_ones() {
        let mut block = RunningStats::default();
        [2.0, 4.0, 9.0].iter().for_each(|&value| block.add(value));
        assert!((block.mean - 5.0).abs() < 1e-12 && (block.variance() - 13.0).abs() < 1e-12);
    }
}
