//! A histogram whose buckets widen with the times: fixed memory for any number of times.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::nanoseconds;
use crate::health::percentiles::Percentiles;
use crate::report::in_ms;

/// Number of buckets per power of two, as a power of two: a bucket's width is 1/64 of its times.
const STEP_BITS: u32 = 6;
const STEPS: usize = 1 << STEP_BITS;
/// Times below 2¹⁰ ns (a microsecond) share the first bucket.
const FIRST_POWER: u32 = 10;
/// Times from 2³⁶ ns (69 s) on share the last bucket.
const END_POWER: u32 = 36;
const BUCKETS: usize = (END_POWER - FIRST_POWER) as usize * STEPS;

/// A histogram of times. Any number of threads can add to it; adding is atomic and never waits.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU32]>,
    largest: AtomicU64,
}

/// The summed contents of histograms.
#[derive(Debug, Clone)]
pub struct HistogramSum {
    buckets: Vec<u64>,
    largest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(), largest: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a time.
    pub fn add(&self, time: Duration) {
        let time = nanoseconds(time);
        if let Some(bucket) = self.buckets.get(bucket_of(time)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.largest.fetch_max(time, Ordering::Relaxed);
    }

    /// Forgets all times.
    pub fn clear(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
        self.largest.store(0, Ordering::Relaxed);
    }

    /// Adds its contents to `total`.
    pub fn add_to(&self, total: &mut HistogramSum) {
        for (sum, bucket) in total.buckets.iter_mut().zip(&self.buckets) {
            *sum += u64::from(bucket.load(Ordering::Relaxed));
        }
        total.largest = total.largest.max(self.largest.load(Ordering::Relaxed));
    }
}

impl Default for HistogramSum {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], largest: 0 }
    }
}

impl HistogramSum {
    /// Returns the number of times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns percentiles (nearest rank) that are never below the true ones and at most 1/64 (1.6 %) above, for times from
    /// a microsecond to 69 s; the largest is exact. `None` if there are no times.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        let count = self.count();
        let at = |percent: u64| in_ms(Duration::from_nanos(self.at_rank((count * percent).div_ceil(100))));
        let max = in_ms(Duration::from_nanos(self.largest));
        (count > 0).then(|| Percentiles { p50: at(50), p95: at(95), p99: at(99), max })
    }

    /// Returns the upper edge of the bucket that contains the time of this rank, counted from 1.
    fn at_rank(&self, rank: u64) -> u64 {
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|&count| {
            seen += count;
            seen >= rank
        });
        match bucket {
            Some(bucket) if bucket + 1 < BUCKETS => upper_edge(bucket).min(self.largest),
            _ => self.largest,
        }
    }
}

fn bucket_of(time: u64) -> usize {
    let time = time.clamp(1 << FIRST_POWER, (1 << END_POWER) - 1);
    let power = time.ilog2();
    let step = (time >> (power - STEP_BITS)) as usize % STEPS;
    (power - FIRST_POWER) as usize * STEPS + step
}

/// Returns the largest time in a bucket.
const fn upper_edge(bucket: usize) -> u64 {
    let shift = bucket / STEPS + (FIRST_POWER - STEP_BITS) as usize;
    (((STEPS + bucket % STEPS + 1) as u64) << shift) - 1
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    fn sum(times: &[u64]) -> HistogramSum {
        let histogram = Histogram::default();
        times.iter().for_each(|&time| histogram.add(Duration::from_nanos(time)));
        let mut total = HistogramSum::default();
        histogram.add_to(&mut total);
        total
    }

    #[test]
    fn every_time_lies_in_its_bucket_and_buckets_are_narrow() {
        let mut random = Seeded::new(1, 0);
        for _ in 0..100_000 {
            let bits = FIRST_POWER + random.below((END_POWER - FIRST_POWER) as usize) as u32;
            let time = (1 << bits) + random.below(1 << bits) as u64;
            let bucket = bucket_of(time);
            let last = upper_edge(bucket);
            assert!(time <= last && last as f64 <= time as f64 * (1.0 + 1.0 / 64.0), "{time} {last}");
            assert!(bucket == 0 || upper_edge(bucket - 1) < time);
        }
        assert_eq!([bucket_of(0), bucket_of(u64::MAX)], [0, BUCKETS - 1]);
    }

    #[test]
    fn percentiles_are_near_the_true_ones() {
        let mut random = Seeded::new(2, 0);
        // Milliseconds with a long tail.
        let mut times: Vec<u64> = (0..5000)
            .map(|_| 3_000_000 + 10_u64.pow(4 + random.below(5) as u32) * random.below(10) as u64)
            .collect();
        let found = sum(&times).percentiles().unwrap();
        times.sort_unstable();
        for (percent, found) in [(50, found.p50), (95, found.p95), (99, found.p99)] {
            let time = times[5000 * percent / 100 - 1] as f64 / 1e6;
            assert!(found >= time - 0.001 && found <= time * 1.02, "{percent}: {found} for {time}");
        }
        assert_eq!(found.max, in_ms(Duration::from_nanos(*times.last().unwrap())));
    }

    #[test]
    fn one_time_none_and_absurd_ones() {
        assert_eq!(sum(&[]).percentiles(), None);
        let one = sum(&[7_000_000]).percentiles().unwrap();
        assert_eq!([one.p50, one.p99, one.max], [7.0; 3]);
        let absurd = sum(&[0, u64::MAX]).percentiles().unwrap();
        assert!(absurd.p50 <= 0.002 && absurd.p99 == absurd.max, "{absurd:?}");
        let histogram = Histogram::default();
        histogram.add(Duration::from_secs(1));
        histogram.clear();
        let mut total = HistogramSum::default();
        histogram.add_to(&mut total);
        assert_eq!((total.count(), total.largest), (0, 0));
    }
}
