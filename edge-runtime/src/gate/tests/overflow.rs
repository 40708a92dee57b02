//! More parts than the queue holds, and more reports than a poll returns.

use super::*;

/// Parts that overflow while a belt stands still: 30 a second for two days.
const MANY: u32 = 5_000_000;
/// Maximum number of reports in a poll.
const REPORT_BATCH: usize = 128;
/// Pause between two batches.
const REPORT_INTERVAL: Duration = Duration::from_micros(500);

#[test]
fn a_full_queue_rejects_what_it_cannot_tell_apart() {
    let mut line = Line::new(settings());
    for part in 1..=7 {
        line.part(part, part * 10, Some(Pass));
    }
    line.part(8, 150, Some(Pass));
    line.run_to(500);
    let overflowed: Vec<_> = line.dispositions().into_iter().filter(|d| d.2 == Reason::Overflow).collect();
    assert_eq!(overflowed.iter().map(|d| d.0).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert!(overflowed.iter().all(|d| d.1 == Disposition::Reject));
    assert_eq!(line.released.len(), 8);
    // From the first that overflowed to the last, plus its pulse.
    assert_eq!(line.rejects, [(140, true), (180, false)]);
    assert_eq!(line.dispositions()[7], (8, Disposition::Pass, Reason::Verdict));
    assert_eq!(line.gate.counts().overflowed, 4);
}

/// A gate with an encoder and many parts in one heap at position 100, with nothing behind them.
fn heap(settings: GateSettings) -> Gate {
    let mut gate = Gate::new(settings, GateCounts::default(), at(0));
    gate.hold(Hold::NotReady, false);
    gate.poll(at(0), &mut vec![]);
    for part in 1..=MANY {
        gate.trigger(part.into(), 0, at(1));
    }
    gate
}

fn by_encoder() -> GateSettings {
    GateSettings { unit: BeltUnit::Ticks, distance: 100, ..settings() }
}

/// Polls the gate and returns the levels of the reject output and the numbers of the reported parts.
fn poll(gate: &mut Gate, now: Moment) -> (Vec<bool>, Vec<PartNumber>) {
    let mut actions = vec![];
    gate.poll(now, &mut actions);
    let levels = actions.iter().filter_map(|action| match action {
        Action::Set(Signal::Reject, on) => Some(*on),
        _ => None,
    });
    let parts = actions.iter().filter_map(|action| match action {
        Action::Released(release) => Some(release.part),
        Action::Set(..) => None,
    });
    (levels.collect(), parts.collect())
}

#[test]
fn millions_that_overflow_are_reported_in_portions_and_delay_no_pulse_behind_them() {
    let mut gate = heap(by_encoder());
    gate.encoder(100, at(10));
    let (levels, mut reported) = poll(&mut gate, at(10));
    assert_eq!((levels, reported.len()), (vec![true], REPORT_BATCH));
    assert_eq!(gate.next_wake(), Some(at(10) + REPORT_INTERVAL), "more is due soon");
    // The next part reaches the gate while they are being reported.
    let behind = PartNumber::from(MANY) + 1;
    gate.trigger(behind, 0, at(11));
    gate.verdict(found(behind, Reject));
    assert_eq!(poll(&mut gate, at(20)).0, [false]);
    gate.encoder(100, at(30));
    let (levels, portion) = poll(&mut gate, at(30));
    assert_eq!((levels, portion.len()), (vec![true], REPORT_BATCH));
    assert_eq!(poll(&mut gate, at(40)).0, [false]);

    reported.clear();
    let mut last = gate.counts().rejected;
    let mut now = at(41);
    let polls = (1u64..).take_while(|_| {
        let (levels, portion) = poll(&mut gate, now);
        now = now + REPORT_INTERVAL;
        assert!(levels.is_empty() && portion.len() <= REPORT_BATCH);
        for part in portion {
            assert_eq!(part, last + 1, "each once, in order");
            last = part;
        }
        gate.under_way() > 0
    });
    assert!(polls.count() as u64 >= u64::from(MANY) / REPORT_BATCH as u64 - 5);
    let counts = gate.counts();
    assert_eq!((last, counts.rejected, counts.triggered), (behind, behind, behind));
    assert_eq!((counts.overflowed, counts.reject_verdicts), (u64::from(MANY) - 3, 1));
    assert_eq!(counts.missing, 3);
    assert_eq!(gate.next_wake(), None);
}

#[test]
fn the_end_is_told_in_portions_too() {
    let mut gate = heap(by_encoder());
    let (mut parts, mut actions) = (0, vec![]);
    while gate.under_way() > 0 {
        actions.clear();
        gate.close(at(5), &mut actions);
        let released = actions.iter().filter(|action| matches!(action, Action::Released(_))).count();
        assert!(released <= REPORT_BATCH);
        parts += released;
    }
    assert_eq!((parts, gate.counts().rejected), (MANY as usize, u64::from(MANY)));
}

#[test]
fn more_entries_than_can_wait_for_their_report_wait_at_the_gate_in_order() {
    let mut gate = Gate::new(GateSettings { queue: 6000, ..by_encoder() }, GateCounts::default(), at(0));
    gate.hold(Hold::NotReady, false);
    gate.lose_triggers(1, 100_000, 0, at(1));
    (100_001..=105_000).for_each(|part| gate.trigger(part, 0, at(1)));
    gate.encoder(100, at(2));
    let (mut next, mut now) = (1, at(2));
    while gate.under_way() > 0 {
        now = now.max(gate.next_wake().unwrap());
        for part in poll(&mut gate, now).1 {
            assert_eq!(part, next);
            next += 1;
        }
    }
    assert_eq!(next, 105_001);
}

#[test]
fn a_challenge_part_that_overflows_is_one_challenge_missed() {
    for safe in [Safe::Reject, Safe::Pass] {
        let mut line = Line::new(GateSettings { safe, ..settings() });
        (1..=4).for_each(|part| line.gate.trigger(part, 0, at(0)));
        line.gate.challenge(1);
        (5..=105).for_each(|part| line.gate.trigger(part, 0, at(0)));
        line.run_to(500);
        let counts = line.gate.counts();
        assert_eq!((counts.challenged, counts.challenges_missed), (1, 1));
        assert_eq!(counts.overflowed, 102);
        // A known-bad part is among them: they are all rejected, on any line.
        assert!(line.released[5..].iter().all(|release| release.disposition == Disposition::Reject));
        assert_eq!(line.rejects, [(100, true), (110, false)]);
    }
}

#[test]
fn all_parts_of_a_heap_have_to_fall() {
    let confirm_within = Some(Duration::from_millis(30));
    let mut gate = heap(GateSettings { confirm_within, ..by_encoder() });
    gate.encoder(100, at(10));
    poll(&mut gate, at(10));
    for _ in 0..1000 {
        gate.fell();
    }
    assert_eq!(gate.counts().unexpected_falls, 0);
    poll(&mut gate, at(39));
    assert!(!gate.alarms().unconfirmed);
    poll(&mut gate, at(40));
    assert!(gate.alarms().unconfirmed);
    assert_eq!(gate.counts().unconfirmed, u64::from(MANY) - 1000);
}
