//! Parts whose triggers were lost, and parts whose positions were.

use super::*;

fn rejected(part: PartNumber, reason: Reason) -> (PartNumber, Disposition, Reason) {
    (part, Disposition::Reject, reason)
}

const fn passed(part: PartNumber) -> (PartNumber, Disposition, Reason) {
    (part, Disposition::Pass, Reason::Verdict)
}

use Reason::{Challenge, Missed, Overflow, Swept, TrackingLost, TriggerLost};

#[test]
fn the_gate_is_on_from_the_part_before_lost_triggers_to_the_one_after_them() {
    let mut line = Line::new(GateSettings { queue: 8, ..settings() });
    line.part(1, 0, Some(Pass));
    line.part(2, 20, Some(Pass));
    line.run_to(60);
    line.gate.lose_triggers(3, 2, 0, at(60));
    line.part(5, 60, Some(Pass));
    line.part(6, 90, Some(Pass));
    assert!(line.gate.alarms().triggers_lost);
    line.run_to(500);
    // The lost parts may be right next to the part before and the part after them.
    assert_eq!(
        line.dispositions(),
        [
            passed(1),
            rejected(2, Swept),
            rejected(3, TriggerLost),
            rejected(4, TriggerLost),
            rejected(5, Swept),
            passed(6)
        ]
    );
    assert_eq!(line.rejects, [(120, true), (170, false)]);
    let counts = line.gate.counts();
    assert_eq!((counts.triggered, counts.triggers_lost, counts.swept, counts.missed), (6, 2, 2, 0));
    line.gate.acknowledge();
    assert!(!line.gate.alarms().any());
}

#[test]
fn lost_triggers_pass_on_a_line_whose_safe_side_that_is() {
    let mut line = Line::new(GateSettings { safe: Safe::Pass, ..settings() });
    line.part(1, 0, Some(Pass));
    line.gate.lose_triggers(2, 1, 0, at(50));
    line.part(3, 50, Some(Reject));
    line.run_to(500);
    assert_eq!(line.dispositions()[1], (2, Disposition::Pass, TriggerLost));
    assert_eq!(line.rejects, [(150, true), (160, false)]);
}

#[test]
fn lost_triggers_that_find_the_queue_full_overflow() {
    let mut line = Line::new(settings());
    (1..=4).for_each(|part| line.part(part, part * 10, Some(Pass)));
    line.gate.lose_triggers(5, 3, 0, at(60));
    line.part(8, 60, Some(Pass));
    line.run_to(500);
    // The fourth part shares its entry with them.
    let reasons: Vec<_> = line.dispositions().iter().map(|way| way.2).collect();
    assert_eq!(reasons[3..], [Overflow; 5]);
    assert_eq!(line.rejects, [(140, true), (170, false)]);
    assert_eq!(line.gate.counts().triggered, 8);
}

#[test]
fn lost_parts_that_may_have_gone_by_are_an_alarm_and_those_that_must_have_are_missed() {
    let mut line = Line::new(settings());
    line.part(1, 0, Some(Pass));
    line.run_to(300);
    // Between the positions 100 and 400: some may be gone.
    line.gate.lose_triggers(2, 2, 0, at(300));
    line.run_to(1000);
    assert_eq!(line.dispositions()[1..], [rejected(2, TriggerLost), rejected(3, TriggerLost)]);
    assert_eq!(line.rejects, [(300, true), (410, false)]);
    assert!(line.gate.alarms().missed && line.gate.alarms().triggers_lost);
    assert_eq!(line.gate.counts().missed, 0, "none of them is known to be missed");

    line.rejects.clear();
    line.gate.lose_triggers(4, 2, 0, at(500));
    line.run_to(1000);
    let missed = |part| (part, Disposition::Pass, Missed);
    assert_eq!(line.dispositions()[3..], [missed(4), missed(5)]);
    assert!(line.rejects.is_empty(), "{:?}", line.rejects);
    assert_eq!(line.gate.counts().missed, 2);
}

#[test]
fn lost_triggers_may_be_those_of_known_bad_parts() {
    for safe in [Safe::Reject, Safe::Pass] {
        let mut line = Line::new(GateSettings { safe, ..settings() });
        line.part(1, 0, Some(Pass));
        line.gate.challenge(2);
        line.gate.lose_triggers(2, 3, 0, at(50));
        assert_eq!(line.gate.challenge_left(), 0);
        line.run_to(500);
        assert_eq!((line.gate.counts().challenged, line.gate.counts().challenges_missed), (2, 2));
        assert_eq!(line.dispositions()[1..], [2, 3, 4].map(|part| rejected(part, TriggerLost)));
        assert_eq!(line.rejects, [(100, true), (160, false)]);
        line.gate.acknowledge();
        assert!(line.gate.alarms().challenge_missed, "only another challenge clears that");
    }
}

#[test]
fn no_part_or_more_than_there_are_numbers_is_nothing() {
    let mut line = Line::new(settings());
    line.gate.lose_triggers(1, 0, 0, at(0));
    line.gate.lose_triggers(PartNumber::MAX, 2, 0, at(0));
    line.run_to(500);
    assert!(line.released.is_empty() && !line.gate.alarms().any());
}

/// A line with an encoder that ticks every 10 ms.
struct Encoded(Line);

impl Encoded {
    fn new(safe: Safe) -> Self {
        Self(Line::new(GateSettings { unit: BeltUnit::Ticks, distance: 5, safe, queue: 8, ..settings() }))
    }

    fn ticks(&mut self, ticks: impl Iterator<Item = u64>) {
        for tick in ticks {
            self.0.run_to(tick * 10);
            self.0.gate.encoder(1, at(tick * 10));
            self.0.poll(tick * 10);
        }
    }

    fn part(&mut self, part: PartNumber, tick: u64, verdict: Verdict) {
        self.0.part(part, tick * 10 + 1, Some(verdict));
    }
}

#[test]
fn after_a_jump_the_gate_is_on_until_all_under_way_must_have_passed() {
    let mut line = Encoded::new(Safe::Reject);
    line.part(1, 0, Pass);
    line.ticks(1..=2);
    line.part(2, 2, Pass);
    line.ticks(3..=3);
    line.0.gate.lose_tracking(at(32));
    line.0.poll(32);
    assert_eq!(line.0.rejects, [(32, true)]);
    line.part(3, 3, Pass);
    line.ticks(4..=4);
    line.part(4, 4, Pass);
    line.ticks(5..=5);
    line.part(5, 5, Reject);
    line.ticks(6..=20);
    assert_eq!(
        line.0.dispositions(),
        [
            rejected(1, TrackingLost),
            rejected(2, TrackingLost),
            rejected(3, Swept),
            passed(4),
            rejected(5, Reason::Verdict)
        ]
    );
    // Until tick 8 and its pulse; the last part is rejected at its own position.
    assert_eq!(line.0.rejects, [(32, true), (90, false), (100, true), (110, false)]);
    assert_eq!(line.0.gate.counts().tracking_lost, 2);
    assert!(line.0.gate.alarms().tracking_lost && !line.0.gate.alarms().missed);
    line.0.gate.acknowledge();
    assert!(!line.0.gate.alarms().any());
}

#[test]
fn a_jump_with_nothing_under_way_is_an_alarm_and_no_more() {
    let mut line = Encoded::new(Safe::Reject);
    line.ticks(1..=3);
    line.0.gate.lose_tracking(at(32));
    line.ticks(4..=20);
    assert!(line.0.rejects.is_empty() && line.0.gate.alarms().tracking_lost);
}

#[test]
fn a_part_that_was_at_the_gate_before_the_jump_keeps_its_verdict() {
    let mut line = Encoded::new(Safe::Reject);
    line.part(1, 0, Reject);
    line.ticks(1..=4);
    line.part(2, 4, Pass);
    line.0.run_to(49);
    // Both come with the same reading of the inputs.
    line.0.gate.encoder(1, at(50));
    line.0.gate.lose_tracking(at(51));
    line.0.poll(52);
    line.ticks(6..=20);
    assert_eq!(line.0.dispositions(), [rejected(1, Reason::Verdict), rejected(2, TrackingLost)]);
    assert_eq!(line.0.rejects, [(52, true), (110, false)]);
}

#[test]
fn a_jump_on_a_line_whose_safe_side_is_pass_puts_out_known_bad_parts_only() {
    for challenge in [false, true] {
        let mut line = Encoded::new(Safe::Pass);
        line.part(1, 0, Reject);
        if challenge {
            line.0.gate.challenge(1);
        }
        line.part(2, 0, Pass);
        line.ticks(1..=1);
        line.0.gate.lose_tracking(at(15));
        // Its verdict says nothing about its position, only that the challenge was met.
        let late = PartNumber::from(challenge) + 1;
        line.0.gate.verdict(PartVerdict { verdict: Reject, ..found(late, Reject) });
        line.ticks(2..=20);
        let first = (1, Disposition::Pass, TrackingLost);
        if challenge {
            assert_eq!(line.0.dispositions(), [rejected(1, Swept), rejected(2, TrackingLost)]);
            assert_eq!(line.0.rejects, [(20, true), (70, false)]);
        } else {
            assert_eq!(line.0.dispositions(), [first, (2, Disposition::Pass, TrackingLost)]);
            assert!(line.0.rejects.is_empty());
        }
    }
}

#[test]
fn a_challenge_is_met_by_a_part_that_is_recognised_after_the_jump() {
    for (verdict, missed) in [(Some(Reject), 0), (Some(Pass), 1), (None, 1)] {
        let mut line = Encoded::new(Safe::Reject);
        line.0.gate.challenge(1);
        line.0.part(1, 1, None);
        line.ticks(1..=1);
        line.0.gate.lose_tracking(at(15));
        if let Some(verdict) = verdict {
            line.0.gate.verdict(found(1, verdict));
        }
        line.ticks(2..=20);
        assert_eq!(line.0.dispositions(), [rejected(1, TrackingLost)]);
        assert_eq!(line.0.released[0].verdict.map(|verdict| verdict.verdict), verdict, "it is reported");
        let counts = line.0.gate.counts();
        assert_eq!((counts.challenged, counts.challenges_missed), (1, missed));
    }
}

#[test]
fn a_jump_while_the_gate_is_on_for_others_keeps_it_on_for_them() {
    let mut line = Encoded::new(Safe::Reject);
    line.part(1, 0, Pass);
    line.ticks(1..=4);
    line.0.gate.lose_triggers(2, 3, 0, at(45));
    line.ticks(5..=7);
    // Reported, but still on the belt: up to tick 9 before the jump.
    assert_eq!(line.0.gate.under_way(), 0);
    line.0.gate.lose_tracking(at(75));
    line.ticks(8..=30);
    assert_eq!(line.0.rejects, [(50, true), (130, false)]);
    assert_eq!(line.0.dispositions()[1..], [2, 3, 4].map(|part| rejected(part, TriggerLost)));
}

#[test]
fn a_challenge_part_in_time_is_told_as_such() {
    let mut line = Encoded::new(Safe::Reject);
    line.0.gate.challenge(1);
    line.part(1, 0, Reject);
    line.ticks(1..=20);
    assert_eq!(line.0.dispositions(), [rejected(1, Challenge)]);
}
