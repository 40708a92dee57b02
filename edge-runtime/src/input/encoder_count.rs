//! Counts of an encoder that a peer sends → ticks.

/// Ticks between two counts at most: 10 s at 10,000 ticks a second. A larger difference is no belt's way.
pub const MAX_TICKS: u32 = 100_000;

/// The last count. The peer's counter may wrap and may start anew.
#[derive(Debug, Clone, Copy, Default)]
pub struct EncoderCount {
    last: Option<u32>,
}

impl EncoderCount {
    /// Ticks since the count before; none at the first. `None` where the count ran back or jumped by more than
    /// [`MAX_TICKS`]: nobody knows how far the belt went, and the next difference is taken from here.
    pub fn ticks(&mut self, count: u32) -> Option<u32> {
        let ticks = self.last.map_or(0, |last| count.wrapping_sub(last));
        self.last = Some(count);
        (ticks <= MAX_TICKS).then_some(ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_counts_across_the_wrap() {
        let mut count = EncoderCount::default();
        assert_eq!(count.ticks(u32::MAX - 2), Some(0));
        assert_eq!(count.ticks(u32::MAX), Some(2));
        assert_eq!(count.ticks(4), Some(5));
        assert_eq!(count.ticks(4), Some(0));
        assert_eq!(count.ticks(4 + MAX_TICKS), Some(MAX_TICKS));
    }

    #[test]
    fn a_jump_is_no_way_and_the_next_difference_starts_there() {
        let mut count = EncoderCount::default();
        count.ticks(1000);
        assert_eq!(count.ticks(999), None);
        assert_eq!(count.ticks(1001), Some(2));
        assert_eq!(count.ticks(1002 + MAX_TICKS), None);
        assert_eq!(count.ticks(1003 + MAX_TICKS), Some(1));
    }
}
