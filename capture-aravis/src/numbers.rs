//! The camera's frame numbers, which wrap, as numbers that grow.
//!
//! A GigE Vision camera counts blocks with 16 bits from 1 and leaves out 0 when it wraps (GigE Vision 2.2, block ID); with extended IDs, and
//! over USB3 Vision, it counts with 64 bits.

/// The largest 16-bit number. The next one is 1.
const LAST_OF_16_BITS: u64 = 65_535;

/// What a frame's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// Above all before it; a gap means frames that were lost.
    pub(crate) sequence: u64,
    /// Whether the camera gave the frame before it the same number.
    pub(crate) is_doubled: bool,
}

/// The numbers of one camera since it was opened.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    sequence: u64,
    last: Option<u64>,
}

impl Numbers {
    /// Returns what the camera's number of the next frame says.
    pub(crate) fn next(&mut self, frame_id: u64) -> Number {
        let last = self.last.replace(frame_id);
        let step = match last {
            // A camera may begin with any number.
            None => 1,
            Some(last) if frame_id > last => frame_id - last,
            Some(last) if frame_id == last => 0,
            // 16 bits that have wrapped.
            Some(last)
                if last <= LAST_OF_16_BITS && frame_id + LAST_OF_16_BITS - last <= LAST_OF_16_BITS / 2 =>
            {
                frame_id + LAST_OF_16_BITS - last
            }
            // It started again: how many were lost is unknown, so the gap shows one.
            Some(_) => 2,
        };
        self.sequence = self.sequence.saturating_add(step.max(1));
        Number { sequence: self.sequence, is_doubled: step == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[u64]) -> Vec<u64> {
        let mut numbers = Numbers::default();
        ids.iter().map(|id| numbers.next(*id).sequence).collect()
    }

    #[test]
    fn what_the_camera_skips_shows_and_its_16_bits_wrap_without_zero() {
        assert_eq!(of(&[1, 2, 5]), [1, 2, 5]);
        assert_eq!(of(&[65_534, 65_535, 1, 2]), [1, 2, 3, 4]);
        assert_eq!(of(&[65_534, 2]), [1, 4], "65,535 and 1 were lost");
        assert_eq!(of(&[65_530, 65_536, 65_537]), [1, 7, 8], "64 bits go on");
        assert_eq!(of(&[0, 1, 2]), [1, 2, 3], "USB3 Vision begins with 0");
        assert_eq!(of(&[1 << 40, (1 << 40) + 2]), [1, 3]);
    }

    #[test]
    fn a_number_that_comes_twice_or_goes_back_is_noticed() {
        let mut numbers = Numbers::default();
        assert!(!numbers.next(7).is_doubled);
        assert_eq!(numbers.next(7), Number { sequence: 2, is_doubled: true });
        assert!(!numbers.next(8).is_doubled);
        assert_eq!(of(&[900, 1, 2]), [1, 3, 4], "it started again: a gap");
        assert_eq!(of(&[1 << 40, 5]), [1, 3]);
        assert_eq!(of(&[u64::MAX, u64::MAX, 0]), [1, 2, 4]);
    }

    #[test]
    fn a_whole_round_of_16_bits_has_no_gap() {
        let mut numbers = Numbers::default();
        let ids = (0..3).flat_map(|_| 1..=LAST_OF_16_BITS);
        for (count, id) in ids.enumerate() {
            assert_eq!(numbers.next(id), Number { sequence: count as u64 + 1, is_doubled: false });
        }
    }
}
