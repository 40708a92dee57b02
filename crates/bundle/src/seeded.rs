//! Seeded random numbers whose sequence is defined by this project, so that a recorded seed always reproduces a
//! split.

/// SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014).
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// Starts the sequence of `seed`; `stream` separates independent uses of one seed.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut first = Self(stream);
        Self(seed ^ first.next_u64())
    }

    /// Returns the next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `n` (`n` > 0); the bias of the multiplication is below n / 2⁶⁴.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Shuffles items (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seeded;

    #[test]
    fn the_sequence_is_pinned() {
        // First outputs of SplitMix64 from state 0, as published with the algorithm.
        let mut r = Seeded(0);
        assert_eq!([r.next_u64(), r.next_u64()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_seed_and_stream() {
        let shuffled = |seed, stream| {
            let mut items: Vec<usize> = (0..50).collect();
            Seeded::new(seed, stream).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(1, 0), shuffled(1, 0));
        assert_ne!(shuffled(1, 0), shuffled(2, 0));
        assert_ne!(shuffled(1, 0), shuffled(1, 1));
        let mut sorted = shuffled(1, 0);
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
    }
}
