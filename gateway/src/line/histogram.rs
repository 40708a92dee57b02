//! A histogram with fixed limits, in seconds, as Prometheus counts it.

/// Upper limits of the buckets in seconds, without the last one, which has none: from well below the gate's usual lateness to
/// well above the longest way from trigger to gate.
pub const LIMITS: [f64; 16] =
    [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Counts of times by bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    buckets: [u64; LIMITS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Counts a time.
    pub fn add(&mut self, seconds: f64) {
        if let Some((_, bucket)) = LIMITS.iter().zip(&mut self.buckets).find(|(limit, _)| seconds <= **limit)
        {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// Returns each limit with the number of times up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut up_to = 0;
        LIMITS.into_iter().zip(&self.buckets).map(move |(limit, bucket)| {
            up_to += bucket;
            (limit, up_to)
        })
    }

    /// Returns the number of times.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns their sum in seconds.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_counts_all_up_to_its_limit() {
        let mut histogram = Histogram::default();
        [0.0, 0.0001, 0.003, 0.4, 60.0].into_iter().for_each(|seconds| histogram.add(seconds));
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[0], (0.0001, 2));
        assert_eq!(cumulative[5], (0.005, 3));
        assert_eq!(cumulative[15], (10.0, 4));
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum() - 60.4031).abs() < 1e-9);
    }
}
