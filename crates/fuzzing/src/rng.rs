//! Pseudo-random numbers, and byte mutations driven by them.

/// A small pseudo-random generator (xorshift) with a reproducible sequence for each seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Default for Rng {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Rng {
    /// Starts the sequence for input `index` of a seed. Neighbouring numbers give unrelated sequences.
    #[must_use]
    pub const fn new(seed: u64, index: u64) -> Self {
        let mut state = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // Anything but zero, in which xorshift would get stuck.
        Self((state ^ (state >> 31)) | 1)
    }

    /// Returns a number below `limit`, or zero if `limit` is zero.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % limit.max(1) as u64) as usize
    }

    /// Returns a number from `low` to `high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Returns true in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the choices.
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Flips, removes, duplicates or overwrites some of the bytes, and inserts pieces of other inputs (`others`) or tokens of
    /// their format (`dictionary`). At least one byte remains.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>], dictionary: &[&[u8]]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(10) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                3 => bytes[at..end].fill(self.choose(&[0, 0xFF, 0x80, 1])),
                4 if !dictionary.is_empty() => {
                    let (word, end) = (self.choose(dictionary), if self.percent(50) { at } else { end });
                    bytes.splice(at..end, word.iter().copied());
                }
                5 if !others.is_empty() => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len());
                    let piece = &other[from..(from + 1 + self.below(64)).min(other.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
                6 => bytes[at] = self.below(256) as u8,
                _ => bytes[at] ^= 1 << self.below(8),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_depends_on_seed_and_index_alone() {
        let mutated = |seed, index| {
            let mut bytes = vec![7; 40];
            Rng::new(seed, index).mutate(&mut bytes, &[vec![1, 2, 3]], &[b"word"]);
            bytes
        };
        assert_eq!(mutated(1, 5), mutated(1, 5));
        let different: std::collections::HashSet<_> = (0..200).map(|index| mutated(1, index)).collect();
        assert!(different.len() > 190, "{}", different.len());
        assert_ne!(mutated(1, 0), mutated(2, 0));
    }

    #[test]
    fn something_is_always_left_to_read() {
        let mut rng = Rng::default();
        let mut bytes = vec![1];
        for _ in 0..1000 {
            rng.mutate(&mut bytes, &[], &[]);
            assert!(!bytes.is_empty());
            bytes.truncate(3);
        }
    }
}
