//! Parts triggered by time, after a pause of the whole process.

use super::*;
use crate::part::Reason;

const EVERY: Duration = Duration::from_millis(20);

/// Returns what a line that isn't held reports after a pause of this length, from its first part on.
fn after(pause: Duration) -> (Vec<Release>, Serving, RecordedLevels) {
    let levels = RecordedLevels::new(Safe::Reject);
    let (mut keeper, _starts, reports) = keeper(&levels, Some(EVERY), false);
    let start = Moment::now();
    let settings = Settings { pulse: Duration::from_millis(5), ..*keeper.gate.settings() };
    keeper.gate = Gate::new(settings, Counts::default(), start);
    keeper.gate.hold(Hold::NotReady, false);
    let mut serving = keeper.serving(start, vec![]);
    serving.poll(start);
    let now = start + EVERY + pause;
    serving.trigger_by_time(now);
    serving.poll(now);
    // Until the first of them reaches the gate.
    serving.poll(now.max(start + EVERY + DELAY));
    (reports.try_iter().map(|report| report.release).collect(), serving, levels)
}

#[test]
fn parts_of_a_pause_are_missed_or_on_the_safe_side_and_each_has_a_number() {
    // 60 ms to the gate and 5 ms at it: of 50 parts, those of the last 65 ms have not passed yet.
    let (reports, serving, levels) = after(Duration::from_millis(990));
    let numbers: Vec<_> = reports.iter().map(|release| release.part).collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    let reasons: Vec<_> = reports.iter().map(|release| release.reason).collect();
    assert!(reasons[..47].iter().all(|reason| *reason == Reason::Missed), "{reasons:?}");
    assert_eq!(reasons[47..], [Reason::TriggerLost; 3]);
    assert!(reports[47..].iter().all(|release| release.disposition == Disposition::Reject));
    assert_eq!(levels.level(Signal::Reject), Some(true));
    let counts = serving.keeper.gate.counts();
    assert_eq!((counts.triggered, counts.missed, counts.triggers_lost), (50, 47, 3));
    assert!(serving.keeper.gate.alarms().triggers_lost);
    // The clock keeps its beat.
    assert_eq!(serving.part, 50);
}

#[test]
fn a_clock_that_is_late_by_less_than_a_part_loses_none() {
    let (reports, serving, _) = after(Duration::from_millis(19));
    assert_eq!(serving.part, 1);
    assert!(reports.len() == 1 && !serving.keeper.gate.alarms().any());
}

#[test]
fn the_first_that_do_not_hold_are_found() {
    for last in 0..20 {
        for held in 0..=last {
            assert_eq!(partition(last, |number| number <= held), held);
        }
    }
}
