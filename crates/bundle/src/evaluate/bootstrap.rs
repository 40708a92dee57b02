//! Uncertainty of figures: 95 % intervals by the percentile bootstrap over images (Efron, Tibshirani: *An Introduction to
//! the Bootstrap*, 1993).
//!
//! Good and defective images are resampled separately, each to its original number, and the figure is computed for each
//! draw. The interval says how much the figure could change with another set of as many photos of the same kind; it says
//! nothing about parts of another kind.

use serde::{Deserialize, Serialize};

use crate::seeded::Seeded;

/// Number of draws. More change the ends of an interval in the third decimal.
pub const DRAWS: usize = 1000;
/// Share of the draws that an interval leaves out at each end.
const TAIL: f64 = 0.025;
const STREAM: u64 = 0xB007;

/// The range of 95 % of the draws; in JSON, a list of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct ConfidenceInterval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl From<[f64; 2]> for ConfidenceInterval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<ConfidenceInterval> for [f64; 2] {
    fn from(ConfidenceInterval { low, high }: ConfidenceInterval) -> Self {
        [low, high]
    }
}

impl ConfidenceInterval {
    /// Computes the interval of the draws' figures; `None` if a draw has none.
    #[must_use]
    pub fn of(draws: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut figures = draws.into_iter().collect::<Option<Vec<f64>>>()?;
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        let at = |share: f64| figures[(share * last as f64).round() as usize];
        Some(Self { low: at(TAIL), high: at(1.0 - TAIL) })
    }
}

/// Returns how often each image is drawn in each of [`DRAWS`] draws; always the same for the same images. `defective` says
/// which images are defective.
pub fn draws(defective: &[bool]) -> impl Iterator<Item = Vec<u32>> {
    let of_sort =
        |sort: bool| -> Vec<usize> { (0..defective.len()).filter(|&i| defective[i] == sort).collect() };
    let (sorts, count) = ([of_sort(false), of_sort(true)], defective.len());
    let mut random = Seeded::new(0, STREAM);
    (0..DRAWS).map(move |_| {
        let mut times = vec![0; count];
        for images in &sorts {
            for _ in images {
                times[images[random.below(images.len())]] += 1;
            }
        }
        times
    })
}

/// Image scores in order, to compute the AUROC of many draws.
#[derive(Debug)]
pub struct Ranked {
    /// Indices of images by ascending score; equal scores share a group.
    groups: Vec<Vec<usize>>,
    defective: Vec<bool>,
}

impl Ranked {
    /// Ranks (score, is defective) pairs.
    #[must_use]
    pub fn new(items: &[(f32, bool)]) -> Self {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|&a, &b| items[a].0.total_cmp(&items[b].0));
        let groups = order.chunk_by(|&a, &b| items[a].0 == items[b].0).map(<[usize]>::to_vec).collect();
        Self { groups, defective: items.iter().map(|item| item.1).collect() }
    }

    /// Computes the AUROC with image `i` counted `times[i]` times; `None` without good or without defective images.
    #[must_use]
    pub fn auroc(&self, times: &[u32]) -> Option<f64> {
        let (mut good, mut defective, mut twice_wins) = (0u64, 0u64, 0u64);
        for group in &self.groups {
            let of = |sort: bool| -> u64 {
                group.iter().filter(|&&i| self.defective[i] == sort).map(|&i| u64::from(times[i])).sum()
            };
            let (negatives, positives) = (of(false), of(true));
            twice_wins += positives * (2 * good + negatives);
            good += negatives;
            defective += positives;
        }
        let pairs = good * defective;
        (pairs > 0).then(|| twice_wins as f64 / (2 * pairs) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::auroc;

    fn scores(good: usize, defective: usize, shift: f32) -> Vec<(f32, bool)> {
        let mut random = Seeded::new(4, 0);
        let mut draw = |shift: f32| (0..4).map(|_| random.below(100) as f32).sum::<f32>() / 100.0 + shift;
        (0..good + defective).map(|i| (draw(if i < good { 0.0 } else { shift }), i >= good)).collect()
    }

    #[test]
    fn a_draw_s_auroc_is_that_of_its_images() {
        let items = scores(30, 20, 0.5);
        let ranked = Ranked::new(&items);
        let sorts: Vec<bool> = items.iter().map(|item| item.1).collect();
        for times in draws(&sorts).take(20) {
            assert_eq!(times[..30].iter().sum::<u32>(), 30);
            assert_eq!(times[30..].iter().sum::<u32>(), 20);
            let mut drawn: Vec<(f32, bool)> =
                items.iter().zip(&times).flat_map(|(item, &n)| vec![*item; n as usize]).collect();
            assert!((ranked.auroc(&times).unwrap() - auroc(&mut drawn).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn an_interval_holds_the_figure_and_narrows_with_more_images() {
        let width = |n: usize| {
            let mut items = scores(n, n, 0.7);
            let sorts: Vec<bool> = items.iter().map(|item| item.1).collect();
            let ranked = Ranked::new(&items);
            let interval = ConfidenceInterval::of(draws(&sorts).map(|times| ranked.auroc(&times))).unwrap();
            let figure = auroc(&mut items).unwrap();
            assert!(interval.low < figure && figure < interval.high, "{interval:?} {figure}");
            interval.high - interval.low
        };
        // Four times the images halve the width.
        let ratio = width(50) / width(200);
        assert!((1.5..2.7).contains(&ratio), "{ratio}");
        assert_eq!(ConfidenceInterval::of([Some(1.0), None]), None);
        assert_eq!(ConfidenceInterval::of([]), None);
    }
}
