//! The camera's clock and this machine's.
//!
//! A frame carries the time of its exposure by the camera's clock, which started with the camera and drifts. What this machine knows is when the frame
//! arrived. The smallest difference between the two over the last seconds is the offset of the clocks and the shortest way of a
//! frame: later frames that take longer, because the network or this process was busy, are still given the right time.

/// How long a difference counts, in nanoseconds: camera and machine may drift apart by 0.1 ms in that time (10 ppm).
const WINDOW: u64 = 10_000_000_000;
/// A frame that takes longer to arrive than this didn't: the camera's clock was set.
const LONGEST_WAY: i128 = 5_000_000_000;

/// The clocks of one camera since it was opened. All times are in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct DeviceClock {
    /// Smallest difference in the current half of the window, and the half's start.
    current: Option<(i128, u64)>,
    /// Smallest difference in the half before.
    previous: Option<i128>,
    last: Option<u64>,
    /// The last time that was given.
    given: Option<u64>,
}

impl DeviceClock {
    /// Returns when a frame was sent at the earliest, by the monotonic clock, from the camera's time stamp and the frame's arrival. A camera
    /// without a clock (time stamps that stand still or go back) gives the arrival.
    /// Each time is later than the one before, even if a frame that came faster shows that the times of those before it are too late.
    pub(crate) fn sent_at(&mut self, device: u64, arrived_at: u64) -> u64 {
        let at = self.estimate(device, arrived_at);
        self.give(at)
    }

    /// As [`Self::sent_at`], for a frame of which packets are missing: its time stamp may be missing, too, or be that of an earlier frame.
    pub(crate) fn damaged_sent_at(&mut self, device: u64, arrived_at: u64) -> u64 {
        let offset = self.offset().filter(|_| self.last.is_none_or(|last| device > last));
        let at = offset.and_then(|offset| u64::try_from(i128::from(device) + offset).ok());
        let at = at.filter(|at| *at <= arrived_at && arrived_at - at < WINDOW);
        // Just after the frame before it, so that it pushes no later frame ahead.
        self.give(at.or(self.given).unwrap_or(arrived_at))
    }

    fn give(&mut self, at: u64) -> u64 {
        let at = self.given.map_or(at, |given| at.max(given.saturating_add(1)));
        self.given = Some(at);
        at
    }

    fn offset(&self) -> Option<i128> {
        let (current, _) = self.current?;
        Some(self.previous.map_or(current, |previous| previous.min(current)))
    }

    fn estimate(&mut self, device: u64, arrived_at: u64) -> u64 {
        let runs = self.last.is_none_or(|last| device > last);
        self.last = Some(device);
        if !runs || device == 0 {
            *self = Self { last: self.last, given: self.given, ..Self::default() };
            return arrived_at;
        }
        let difference = i128::from(arrived_at) - i128::from(device);
        self.current = Some(match self.current {
            Some((smallest, since)) if arrived_at.saturating_sub(since) < WINDOW / 2 => {
                (smallest.min(difference), since)
            }
            Some((smallest, _)) => {
                self.previous = Some(smallest);
                (difference, arrived_at)
            }
            None => (difference, arrived_at),
        });
        let offset = self.offset().unwrap_or(difference);
        if difference - offset > LONGEST_WAY {
            *self = Self { last: self.last, given: self.given, ..Self::default() };
            return arrived_at;
        }
        u64::try_from(i128::from(device) + offset).map_or(arrived_at, |at| at.min(arrived_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_frame_that_arrives_late_keeps_its_time() {
        let mut clock = DeviceClock::default();
        // A frame every 10 ms that takes 3 ms, and some take 20 ms longer. The camera was started 70 s after the machine.
        for frame in 0..3000_u64 {
            let device = frame * 10 * MS + 1;
            let late = if frame % 7 == 3 { 20 * MS } else { 0 };
            let arrived = 70_000 * MS + device + 3 * MS + late;
            assert_eq!(clock.sent_at(device, arrived), arrived - late, "{frame}");
        }
    }

    #[test]
    fn clocks_may_drift() {
        // The camera's clock is 100 ppm fast, or slow.
        for ppm in [100_i64, -100] {
            let mut clock = DeviceClock::default();
            for frame in 0..20_000_u64 {
                let at = 5_000 * MS + frame * 10 * MS;
                let device = at.saturating_add_signed(at as i64 / 1_000_000 * ppm);
                let told = clock.sent_at(device, at);
                assert!(told <= at && at - told <= MS + MS / 10, "{frame}: {}", at - told);
            }
        }
    }

    #[test]
    fn without_a_clock_the_arrival_counts() {
        let mut clock = DeviceClock::default();
        assert_eq!([50, 60, 70].map(|arrived| clock.sent_at(0, arrived)), [50, 60, 70]);
        assert_eq!(clock.sent_at(0, 70), 71, "no two frames have one time");
        let mut clock = DeviceClock::default();
        assert_eq!(clock.sent_at(9_000 * MS, 10_000 * MS), 10_000 * MS);
        assert_eq!(clock.sent_at(5 * MS, 10_010 * MS), 10_010 * MS, "it was set back");
        assert_eq!(clock.sent_at(15 * MS, 10_020 * MS), 10_020 * MS);
        // It is set ahead by an hour: not before the arrival, and the frames after it have the new offset.
        assert_eq!(clock.sent_at(3_600_000 * MS, 10_030 * MS), 10_030 * MS);
        assert_eq!(clock.sent_at(3_600_010 * MS, 10_040 * MS), 10_040 * MS);
        // A clock beyond anything that makes sense.
        for (device, arrived) in [(u64::MAX, 5), (1, u64::MAX), (u64::MAX - 1, u64::MAX)] {
            assert!(DeviceClock::default().sent_at(device, arrived) <= arrived);
            clock.sent_at(device, arrived);
            clock.damaged_sent_at(device, arrived);
        }
    }

    #[test]
    fn times_grow_though_a_way_is_shorter_or_a_frame_is_damaged() {
        let mut clock = DeviceClock::default();
        // The first three frames take 45 ms, those after them 3 ms.
        let ways = [45, 45, 45, 3, 3, 3, 3, 3, 3];
        let mut at: Vec<u64> = (1..)
            .zip(ways)
            .map(|(frame, way)| clock.sent_at(frame * 10 * MS, 500 * MS + frame * 10 * MS + way * MS))
            .collect();
        assert_eq!(at.last(), Some(&(593 * MS)));
        // A damaged frame has its own time stamp, none, that of an earlier frame, or nonsense. It comes late.
        for (device, given) in
            [(100 * MS, 603 * MS), (0, 603 * MS + 1), (50 * MS, 603 * MS + 2), (u64::MAX, 603 * MS + 3)]
        {
            at.push(clock.damaged_sent_at(device, 750 * MS));
            assert_eq!(at.last(), Some(&given), "{device}");
        }
        at.push(clock.sent_at(140 * MS, 751 * MS));
        assert_eq!(at.last(), Some(&(643 * MS)), "the next whole frame has its own time");
        assert!(at.windows(2).all(|pair| pair[1] > pair[0]), "{at:?}");
    }
}
