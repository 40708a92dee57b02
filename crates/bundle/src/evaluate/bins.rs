//! Bins map values, to compute pixel figures for many bootstrap draws.

use super::LabelledPixels;

/// Number of bins, each with about the same number of values: the error in a draw's figures is below the third
/// decimal of their intervals.
const BINS: usize = 400;
/// Number of values from which the bins' edges are found.
const SAMPLE: usize = 200_000;

/// The values of several images in common bins.
#[derive(Debug)]
pub(super) struct Binned {
    images: Vec<Bins>,
}

/// An image's values in bins of ascending value.
#[derive(Debug, Clone)]
struct Bins {
    /// Normal pixels.
    normal: Vec<f64>,
    /// Defective pixels.
    defective: Vec<f64>,
    /// What the defective pixels contribute to the sum, over regions, of the share that is covered.
    overlap: Vec<f64>,
    regions: f64,
}

/// Areas under the curves of a draw; `None` without normal or without defective pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Areas {
    pub(super) auroc: Option<f64>,
    pub(super) aupro: Option<f64>,
}

impl Bins {
    fn empty() -> Self {
        Self { normal: vec![0.0; BINS], defective: vec![0.0; BINS], overlap: vec![0.0; BINS], regions: 0.0 }
    }

    fn add(&mut self, other: &Self, times: f64) {
        let pairs = [
            (&mut self.normal, &other.normal),
            (&mut self.defective, &other.defective),
            (&mut self.overlap, &other.overlap),
        ];
        for (sum, more) in pairs {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += times * more);
        }
        self.regions += times * other.regions;
    }
}

impl Binned {
    pub(super) fn new(images: &[&LabelledPixels]) -> Self {
        let total: usize = images.iter().map(|image| image.values.len()).sum();
        let step = total.div_ceil(SAMPLE).max(1);
        let mut sample: Vec<f32> =
            images.iter().flat_map(|image| &image.values).step_by(step).copied().collect();
        sample.sort_unstable_by(f32::total_cmp);
        let edges: Vec<f32> =
            (1..BINS).filter_map(|bin| sample.get(bin * sample.len() / BINS)).copied().collect();
        let bins = |image: &&LabelledPixels| {
            let count = image.regions.iter().max().map_or(0, |&n| n as usize);
            let mut areas = vec![0u32; count + 1];
            image.regions.iter().for_each(|&region| areas[region as usize] += 1);
            let mut bins = Bins::empty();
            for (value, &region) in image.values.iter().zip(&image.regions) {
                let at = edges.partition_point(|edge| edge <= value);
                if region == 0 {
                    bins.normal[at] += 1.0;
                } else {
                    bins.defective[at] += 1.0;
                    bins.overlap[at] += 1.0 / f64::from(areas[region as usize]);
                }
            }
            bins.regions = count as f64;
            bins
        };
        Self { images: images.iter().map(bins).collect() }
    }

    /// Computes the areas with image `i` counted `times[i]` times; AUPRO up to a false-positive rate of
    /// `limit`.
    pub(super) fn areas(&self, times: impl Iterator<Item = u32>, limit: f64) -> Areas {
        let mut all = Bins::empty();
        for (image, times) in self.images.iter().zip(times).filter(|(_, times)| *times > 0) {
            all.add(image, times.into());
        }
        let (normals, defective): (f64, f64) = (all.normal.iter().sum(), all.defective.iter().sum());
        if normals == 0.0 || defective == 0.0 {
            return Areas { auroc: None, aupro: None };
        }
        let (mut wins, mut below) = (0.0, 0.0);
        for (normal, defective) in all.normal.iter().zip(&all.defective) {
            wins += defective * (below + normal / 2.0);
            below += normal;
        }
        let (mut area, mut rate, mut covered) = (0.0, 0.0, 0.0);
        for (normal, overlap) in all.normal.iter().zip(&all.overlap).rev() {
            let (next_rate, next_covered) = (rate + normal / normals, covered + overlap / all.regions);
            if next_rate >= limit {
                let share = if next_rate > rate { (limit - rate) / (next_rate - rate) } else { 0.0 };
                area += (limit - rate) * (covered + share * (next_covered - covered) / 2.0);
                break;
            }
            area += (next_rate - rate) * (covered + next_covered) / 2.0;
            (rate, covered) = (next_rate, next_covered);
        }
        Areas { auroc: Some(wins / (normals * defective)), aupro: Some(area / limit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{PRO_LIMIT, aupro, auroc};
    use crate::seeded::Seeded;

    #[test]
    fn binned_areas_are_those_of_all_values() {
        let mut random = Seeded::new(5, 0);
        let images: Vec<LabelledPixels> = (0..6)
            .map(|image| {
                let regions: Vec<u32> =
                    (0..4000).map(|p| if image % 2 == 0 || p < 3500 { 0 } else { p / 3750 + 1 }).collect();
                let values =
                    regions.iter().map(|&r| (random.below(100_000) + 30_000 * r as usize) as f32).collect();
                LabelledPixels { values, regions }
            })
            .collect();
        let all: Vec<&LabelledPixels> = images.iter().collect();
        let found = Binned::new(&all).areas([1, 2, 0, 1, 1, 3].into_iter(), PRO_LIMIT);
        let drawn: Vec<&LabelledPixels> =
            [0, 1, 1, 3, 4, 5, 5, 5].iter().map(|&i: &usize| &images[i]).collect();
        let mut items: Vec<(f32, bool)> =
            drawn.iter().flat_map(|i| i.values.iter().zip(&i.regions).map(|(&v, &r)| (v, r > 0))).collect();
        let (auroc, aupro) = (auroc(&mut items).unwrap(), aupro(&drawn, PRO_LIMIT).unwrap());
        assert!((found.auroc.unwrap() - auroc).abs() < 1e-3, "{found:?} {auroc}");
        assert!((found.aupro.unwrap() - aupro).abs() < 2e-3, "{found:?} {aupro}");
    }
}
