//! A random sample of bounded size from a stream of vectors.

use bundle::seeded::Seeded;

const STREAM: u64 = 0x5a3e;

/// A uniform sample of the vectors added so far (Vitter: *Random Sampling with a Reservoir*, 1985, algorithm R).
#[derive(Debug, Clone)]
pub(crate) struct Reservoir<T> {
    dimensions: usize,
    capacity: usize,
    seen: usize,
    random: Seeded,
    vectors: Vec<T>,
}

impl<T: Copy> Reservoir<T> {
    /// Starts a sample of at most `capacity` vectors with `dimensions` values each.
    pub fn new(dimensions: usize, capacity: usize, seed: u64) -> Self {
        Self { dimensions, capacity, seen: 0, random: Seeded::new(seed, STREAM), vectors: vec![] }
    }

    /// Adds vectors.
    pub fn add(&mut self, vectors: &[T]) {
        for vector in vectors.chunks_exact(self.dimensions) {
            self.seen += 1;
            if self.seen <= self.capacity {
                self.vectors.extend_from_slice(vector);
                continue;
            }
            let place = self.random.below(self.seen) * self.dimensions;
            if let Some(old) = self.vectors.get_mut(place..place + self.dimensions) {
                old.copy_from_slice(vector);
            }
        }
    }

    /// Returns the sample in random order, so that its first vectors are a sample, too.
    pub fn finish(mut self) -> Vec<T> {
        let mut order: Vec<usize> = (0..self.vectors.len() / self.dimensions).collect();
        self.random.shuffle(&mut order);
        let vector = |at: usize| &self.vectors[at * self.dimensions..(at + 1) * self.dimensions];
        order.into_iter().flat_map(vector).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_kept_and_many_are_sampled_evenly() {
        let mut few = Reservoir::new(2, 10, 1);
        few.add(&[1, 10, 2, 20, 3, 30]);
        let mut kept: Vec<[i32; 2]> = few.finish().as_chunks::<2>().0.to_vec();
        kept.sort_unstable();
        assert_eq!(kept, [[1, 10], [2, 20], [3, 30]]);
        let mut thirds = [0; 3];
        for seed in 0..50 {
            let mut many = Reservoir::new(1, 100, seed);
            many.add(&(0..3000).collect::<Vec<usize>>());
            let kept = many.finish();
            assert_eq!(kept.len(), 100);
            kept.iter().for_each(|at| thirds[at / 1000] += 1);
        }
        assert!(thirds.iter().all(|count| (1500..1850).contains(count)), "{thirds:?}");
    }
}
