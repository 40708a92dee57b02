//! Fits zones to normals: how large each zone's largest map values usually are.

use judge::zones::{ZoneFeatures, scores};
use shared_format::zones::SHARES;
use shared_format::{RobustStats, Zones};

use crate::robust::robust_stats;

/// Minimum spread of a zone, as a share of the largest spread of all zones: in a zone that is nearly the same on all normals, a
/// difference that is nothing elsewhere must not reject a part.
const MIN_SPREAD: f32 = 0.01;

/// The features of a frame's zones, in the order of the zones.
pub type FrameFeatures = Vec<ZoneFeatures>;

/// For each frame of a part, the scores of its zones.
pub type PartScores = Vec<Vec<f32>>;

/// Why zones can't be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The normals' maps are all alike.
    #[error(
        "the good parts' anomaly maps are all alike, so no limit can be found for each zone; use a mask of black and white only"
    )]
    Alike,
}

/// Returns the zones fitted to parts: for each part, for each of its frames, the features.
///
/// # Errors
/// [`ZoneError`]
pub fn fit_zones(zones: &Zones, parts: &[Vec<FrameFeatures>]) -> Result<Zones, ZoneError> {
    Ok(SortedFeatures::of(zones, parts)?.fitted(zones, None))
}

/// Returns the zones fitted to all parts and, for each part, for each of its frames, the scores of the zones when they are fitted to
/// the other parts.
///
/// # Errors
/// [`ZoneError`]
pub fn cross_fit_zones(
    zones: &Zones,
    parts: &[Vec<FrameFeatures>],
) -> Result<(Zones, Vec<PartScores>), ZoneError> {
    let sorted = SortedFeatures::of(zones, parts)?;
    let of_part = |(part, frames): (usize, &Vec<FrameFeatures>)| {
        let fitted = sorted.fitted(zones, Some(part).filter(|_| parts.len() > 1));
        let of_frame =
            |features: &FrameFeatures| scores(&fitted, features).iter().map(|zone| zone.score).collect();
        frames.iter().map(of_frame).collect()
    };
    Ok((sorted.fitted(zones, None), parts.iter().enumerate().map(of_part).collect()))
}

/// Returns a frame's score: the largest of its zones', or the only one without zones.
#[must_use]
pub fn frame_score(scores: &[f32]) -> f32 {
    scores.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Features of normals, each with the part that it is from, in ascending order.
struct SortedFeatures {
    /// For each zone, for each share.
    values: Vec<[Vec<(f32, usize)>; SHARES.len()]>,
    min_spreads: [f32; SHARES.len()],
}

impl SortedFeatures {
    fn of(zones: &Zones, parts: &[Vec<FrameFeatures>]) -> Result<Self, ZoneError> {
        let frames =
            || parts.iter().enumerate().flat_map(|(part, frames)| frames.iter().map(move |f| (part, f)));
        let sorted = |zone: usize, share: usize| {
            let of_zone = frames().filter_map(|(part, frame)| Some((frame.get(zone)?[share], part)));
            let mut values: Vec<(f32, usize)> = of_zone.collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            values
        };
        let values =
            (0..zones.zones.len()).map(|zone| std::array::from_fn(|share| sorted(zone, share))).collect();
        let mut sorted = Self { values, min_spreads: [0.0; SHARES.len()] };
        let spreads = sorted.stats(None);
        sorted.min_spreads = std::array::from_fn(|share| {
            let largest = spreads.iter().map(|stats| stats[share].spread).fold(0.0, f32::max);
            MIN_SPREAD * largest
        });
        let is_usable = |spread: &f32| spread.is_finite() && *spread > 0.0;
        if sorted.min_spreads.iter().all(is_usable) { Ok(sorted) } else { Err(ZoneError::Alike) }
    }

    /// Returns the statistics of each zone, without those of one part.
    fn stats(&self, without: Option<usize>) -> Vec<[RobustStats; SHARES.len()]> {
        let of = |share: usize, values: &[(f32, usize)]| {
            let others = values.iter().filter(|(_, part)| Some(*part) != without);
            robust_stats(&others.map(|(value, _)| *value).collect::<Vec<_>>(), self.min_spreads[share])
        };
        self.values.iter().map(|shares| std::array::from_fn(|share| of(share, &shares[share]))).collect()
    }

    fn fitted(&self, zones: &Zones, without: Option<usize>) -> Zones {
        let mut fitted = zones.clone();
        fitted.zones.iter_mut().zip(self.stats(without)).for_each(|(zone, shares)| zone.shares = shares);
        fitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Calibrator;
    use crate::rule::ThresholdRule;
    use crate::seeded::Seeded;
    use shared_format::{Zone, ZoneMask};

    /// Two zones, the second of which has much larger values than the first.
    fn zones(factor: f32) -> Zones {
        let zones = [Zone::new(255, 1.0), Zone::new(100, factor)].into_iter().collect();
        Zones { mask: ZoneMask::new(2, 1, &[0, 1]).unwrap(), zones }
    }

    fn parts(random: &mut Seeded, count: usize) -> Vec<Vec<FrameFeatures>> {
        let mut draw = || (0..12).map(|_| random.below(1 << 20) as f32 / (1 << 20) as f32).sum::<f32>() - 6.0;
        let mut part = || vec![vec![[1.0 + 0.1 * draw(); 3], [50.0 + 8.0 * draw(); 3]]];
        (0..count).map(|_| part()).collect()
    }

    #[test]
    fn zones_of_any_scale_are_comparable() {
        let fitted = fit_zones(&zones(1.0), &parts(&mut Seeded::new(1, 0), 4000)).unwrap();
        for (zone, (centre, spread)) in fitted.zones.iter().zip([(1.0, 0.1), (50.0, 8.0)]) {
            for stats in zone.shares {
                assert!((stats.centre / centre - 1.0).abs() < 0.02, "{stats:?}");
                assert!((stats.spread / spread - 1.0).abs() < 0.05, "{stats:?}");
            }
        }
        assert!(fitted.is_valid());
    }

    /// The threshold of the largest of the zones' scores rejects as many new parts as it claims, whatever the factors.
    #[test]
    fn the_claim_holds_for_the_part_as_a_whole() {
        for factor in [0.5, 1.0, 3.0] {
            let mut random = Seeded::new(2, 0);
            let (mut alarms, mut of_first) = (0, 0);
            for _ in 0..400 {
                let (fitted, crossed) = cross_fit_zones(&zones(factor), &parts(&mut random, 39)).unwrap();
                let mut calibrator = Calibrator::new(39, 1);
                crossed.iter().for_each(|part| calibrator.add_score(String::new(), frame_score(&part[0])));
                let threshold = calibrator.finish(0.1, ThresholdRule::Claim).unwrap().image_threshold;
                for part in parts(&mut random, 50) {
                    let scores = scores(&fitted, &part[0]);
                    alarms += usize::from(scores.iter().any(|zone| zone.score > threshold));
                    of_first += usize::from(scores[0].score > threshold);
                }
            }
            let rate = alarms as f64 / 20_000.0;
            assert!((0.085..0.115).contains(&rate), "factor {factor}: {rate}");
            // Factors share out the false alarms.
            let share =
                f64::from(u32::try_from(of_first).unwrap()) / f64::from(u32::try_from(alarms).unwrap());
            let expected = if factor < 1.0 {
                0.0..0.2
            } else if factor > 1.0 {
                0.8..1.1
            } else {
                0.35..0.65
            };
            assert!(expected.contains(&share), "factor {factor}: {share}");
        }
    }

    #[test]
    fn a_part_is_new_to_its_own_score() {
        let mut parts = parts(&mut Seeded::new(3, 0), 20);
        parts[7][0][0] = [9.0; 3];
        let (fitted, crossed) = cross_fit_zones(&zones(1.0), &parts).unwrap();
        let mut others = parts.clone();
        others.remove(7);
        let without = fit_zones(&zones(1.0), &others).unwrap();
        assert_eq!(crossed[7][0][0], scores(&without, &parts[7][0])[0].score);
        assert!(crossed[7][0][0] > scores(&fitted, &parts[7][0])[0].score);
    }

    #[test]
    fn a_zone_that_never_varies_does_not_decide_for_nothing() {
        let mut parts = parts(&mut Seeded::new(4, 0), 40);
        parts.iter_mut().for_each(|part| part[0][0] = [1.0; 3]);
        let fitted = fit_zones(&zones(1.0), &parts).unwrap();
        let least = MIN_SPREAD * fitted.zones[1].shares[0].spread;
        assert_eq!(fitted.zones[0].shares[0].spread, least);
        parts.iter_mut().for_each(|part| part[0][1] = [2.0; 3]);
        assert_eq!(fit_zones(&zones(1.0), &parts), Err(ZoneError::Alike));
        assert_eq!(fit_zones(&zones(1.0), &[]), Ok(zones(1.0)), "nothing is known without parts");
    }
}
