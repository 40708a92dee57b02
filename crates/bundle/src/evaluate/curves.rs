//! Areas under curves. Equal scores count as one step of the curve, so the order of ties doesn't matter.

use super::LabelledPixels;

/// Computes the area under the receiver operating characteristic: the probability that a random positive scores
/// higher than a random negative, with ties counting half. `None` if either is absent. `items` are (score, is
/// positive); they get sorted.
pub fn auroc(items: &mut [(f32, bool)]) -> Option<f64> {
    items.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives, mut positives, mut twice_wins) = (0u64, 0u64, 0u128);
    for ties in items.chunk_by(|a, b| a.0 == b.0) {
        let p = ties.iter().filter(|item| item.1).count() as u64;
        let n = ties.len() as u64 - p;
        twice_wins += u128::from(p) * u128::from(2 * negatives + n);
        negatives += n;
        positives += p;
    }
    let pairs = u128::from(negatives) * u128::from(positives);
    (pairs > 0).then(|| twice_wins as f64 / (2 * pairs) as f64)
}

/// Computes the area under the per-region-overlap curve up to a false-positive rate of `limit`, divided by `limit`:
/// each connected defective region has the same weight, whatever its size. `None` without regions or without normal
/// pixels.
#[must_use]
pub fn aupro(images: &[&LabelledPixels], limit: f64) -> Option<f64> {
    // One item per pixel: its value, and what it adds to the mean overlap (0 for a normal pixel).
    let mut items: Vec<(f32, f32)> = Vec::with_capacity(images.iter().map(|i| i.values.len()).sum());
    let mut total_regions = 0usize;
    for image in images {
        let count = image.regions.iter().max().map_or(0, |&n| n as usize);
        let mut areas = vec![0u32; count + 1];
        image.regions.iter().for_each(|&r| areas[r as usize] += 1);
        total_regions += count;
        let weight = |r: u32| if r == 0 { 0.0 } else { 1.0 / areas[r as usize] as f32 };
        items.extend(image.values.iter().zip(&image.regions).map(|(&v, &r)| (v, weight(r))));
    }
    let normals = items.iter().filter(|item| item.1 == 0.0).count();
    if total_regions == 0 || normals == 0 {
        return None;
    }
    items.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut area, mut fpr, mut overlap) = (0.0, 0.0, 0.0);
    let (mut false_positives, mut covered) = (0usize, 0f64);
    for ties in items.chunk_by(|a, b| a.0 == b.0) {
        false_positives += ties.iter().filter(|item| item.1 == 0.0).count();
        covered += ties.iter().map(|item| f64::from(item.1)).sum::<f64>();
        let next_fpr = false_positives as f64 / normals as f64;
        let next_overlap = covered / total_regions as f64;
        if next_fpr >= limit {
            let share = if next_fpr > fpr { (limit - fpr) / (next_fpr - fpr) } else { 0.0 };
            let at_limit = overlap + share * (next_overlap - overlap);
            area += (limit - fpr) * (overlap + at_limit) / 2.0;
            break;
        }
        area += (next_fpr - fpr) * (overlap + next_overlap) / 2.0;
        (fpr, overlap) = (next_fpr, next_overlap);
    }
    Some(area / limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    /// Compares every pair, as in the definition.
    fn plain_auroc(items: &[(f32, bool)]) -> f64 {
        let (mut wins, mut pairs) = (0.0, 0.0);
        for p in items.iter().filter(|i| i.1) {
            for n in items.iter().filter(|i| !i.1) {
                pairs += 1.0;
                wins += if p.0 > n.0 {
                    1.0
                } else if p.0 == n.0 {
                    0.5
                } else {
                    0.0
                };
            }
        }
        wins / pairs
    }

    /// Tries every threshold and counts every region's overlap, as in the definition.
    fn plain_aupro(images: &[&LabelledPixels], limit: f64) -> f64 {
        let mut thresholds: Vec<f32> = images.iter().flat_map(|i| i.values.clone()).collect();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let mut curve = vec![(0.0, 0.0)];
        for t in thresholds {
            let (mut fp, mut normal, mut overlaps) = (0.0, 0.0, vec![]);
            for i in images {
                for r in 0..=*i.regions.iter().max().unwrap() {
                    let inside: Vec<f32> =
                        i.values.iter().zip(&i.regions).filter(|(_, x)| **x == r).map(|(v, _)| *v).collect();
                    let hit = inside.iter().filter(|v| **v >= t).count() as f64;
                    if r == 0 {
                        fp += hit;
                        normal += inside.len() as f64;
                    } else {
                        overlaps.push(hit / inside.len() as f64);
                    }
                }
            }
            curve.push((fp / normal, overlaps.iter().sum::<f64>() / overlaps.len() as f64));
        }
        let steps = 200_000;
        let at = |x: f64| {
            let i = curve.partition_point(|p| p.0 < x).clamp(1, curve.len() - 1);
            let (a, b) = (curve[i - 1], curve[i]);
            if b.0 > a.0 { a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0) } else { b.1 }
        };
        (0..steps).map(|s| at((s as f64 + 0.5) / steps as f64 * limit)).sum::<f64>() / steps as f64
    }

    #[test]
    fn auroc_agrees_with_comparing_every_pair() {
        let mut random = Seeded::new(1, 0);
        for n in [2, 3, 10, 200] {
            // Few distinct values, so that there are many ties.
            let mut items: Vec<(f32, bool)> = (0..n)
                .map(|i| (random.below(7) as f32 + if i % 2 == 0 { 0.0 } else { 1.0 }, i % 2 == 1))
                .collect();
            let expected = plain_auroc(&items);
            assert!((auroc(&mut items).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(auroc(&mut [(1.0, true)]), None);
        assert_eq!(auroc(&mut [(1.0, false), (2.0, true)]), Some(1.0));
    }

    #[test]
    fn aupro_agrees_with_trying_every_threshold() {
        let mut random = Seeded::new(2, 0);
        for limit in [0.05, 0.3, 1.0] {
            let images: Vec<LabelledPixels> = (0..3)
                .map(|_| {
                    let regions: Vec<u32> =
                        (0..60).map(|p| if p % 10 < 7 { 0 } else { p / 30 + 1 }).collect();
                    let values =
                        regions.iter().map(|&r| (random.below(20) + 4 * r as usize) as f32).collect();
                    LabelledPixels { values, regions }
                })
                .collect();
            let images: Vec<&LabelledPixels> = images.iter().collect();
            let (fast, plain) = (aupro(&images, limit).unwrap(), plain_aupro(&images, limit));
            assert!((fast - plain).abs() < 1e-4, "limit {limit}: {fast} against {plain}");
        }
    }

    #[test]
    fn aupro_of_a_perfect_map_is_one_and_without_regions_none() {
        let perfect = LabelledPixels { values: vec![0.0, 0.0, 1.0, 1.0], regions: vec![0, 0, 1, 2] };
        assert!((aupro(&[&perfect], 0.3).unwrap() - 1.0).abs() < 1e-12);
        let normal = LabelledPixels { values: vec![0.0; 4], regions: vec![0; 4] };
        assert_eq!(aupro(&[&normal], 0.3), None);
    }
}
