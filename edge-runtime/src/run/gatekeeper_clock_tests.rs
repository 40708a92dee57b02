//! Parts triggered by time, after a pause of the whole process.

use super::*;
use crate::part::Reason;

const EVERY: Duration = Duration::from_millis(20);

/// Returns what a line that isn't held reports after a pause of this length, from its first part on.
fn after(pause: Duration) -> (Vec<Release>, GateLoop, RecordedLevels) {
    let levels = RecordedLevels::new(Safe::Reject);
    let (mut keeper, _triggered_parts, reports) = keeper(&levels, Some(EVERY), false);
    let start = Moment::now();
    let settings = GateSettings { pulse: Duration::from_millis(5), ..*keeper.gate.settings() };
    keeper.gate = Gate::new(settings, GateCounts::default(), start);
    keeper.gate.hold(Hold::NotReady, false);
    let mut gate_loop = keeper.into_loop(start, vec![]);
    gate_loop.poll(start);
    let now = start + EVERY + pause;
    gate_loop.trigger_by_time(now);
    gate_loop.poll(now);
    // Until the first of them reaches the gate.
    gate_loop.poll(now.max(start + EVERY + DELAY));
    (reports.try_iter().map(|report| report.release).collect(), gate_loop, levels)
}

#[test]
fn parts_of_a_pause_are_missed_or_on_the_safe_side_and_each_has_a_number() {
    // 60 ms to the gate and 5 ms at it: of 50 parts, those of the last 65 ms have not passed yet.
    let (reports, gate_loop, levels) = after(Duration::from_millis(990));
    let numbers: Vec<_> = reports.iter().map(|release| release.part).collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    let reasons: Vec<_> = reports.iter().map(|release| release.reason).collect();
    assert!(reasons[..47].iter().all(|reason| *reason == Reason::Missed), "{reasons:?}");
    assert_eq!(reasons[47..], [Reason::TriggerLost; 3]);
    assert!(reports[47..].iter().all(|release| release.disposition == Disposition::Reject));
    assert_eq!(levels.level(Signal::Reject), Some(true));
    let counts = gate_loop.keeper.gate.counts();
    assert_eq!((counts.triggered, counts.missed, counts.triggers_lost), (50, 47, 3));
    assert!(gate_loop.keeper.gate.alarms().triggers_lost);
    // The clock keeps its beat.
    assert_eq!(gate_loop.part, 50);
}

#[test]
fn a_clock_that_is_late_by_less_than_a_part_loses_none() {
    let (reports, gate_loop, _) = after(Duration::from_millis(19));
    assert_eq!(gate_loop.part, 1);
    assert!(reports.len() == 1 && !gate_loop.keeper.gate.alarms().any());
}

#[test]
fn the_first_that_do_not_hold_are_found() {
    for last in 0..20 {
        for held in 0..=last {
            assert_eq!(partition(last, |number| number <= held), held);
        }
    }
}
