//! Parts that are handled in time, one by one.

use super::*;

#[test]
fn a_reject_is_driven_when_the_part_is_there_and_a_pass_is_not() {
    let mut line = Line::new(settings());
    line.part(1, 10, Some(Reject));
    line.part(2, 50, Some(Pass));
    line.run_to(500);
    assert_eq!(line.rejects, [(110, true), (120, false)]);
    assert_eq!(line.others, [(150, Signal::Pass, true), (160, Signal::Pass, false)]);
    assert_eq!(
        line.dispositions(),
        [(1, Disposition::Reject, Reason::Verdict), (2, Disposition::Pass, Reason::Verdict)]
    );
    assert!(line.released.iter().all(|release| release.lateness.is_zero()));
}

#[test]
fn what_has_no_verdict_goes_to_the_safe_side() {
    for (safe, disposition) in [(Safe::Reject, Disposition::Reject), (Safe::Pass, Disposition::Pass)] {
        let mut line = Line::new(GateSettings { safe, ..settings() });
        line.part(1, 0, None);
        line.part(2, 40, Some(Fault));
        line.run_to(110);
        // Too late: its part is gone.
        line.gate.verdict(found(1, Pass));
        // The first was never triggered, and the second already has a verdict.
        line.gate.verdict(found(9, Pass));
        line.gate.verdict(found(2, Pass));
        line.run_to(500);
        assert_eq!(line.dispositions(), [(1, disposition, Reason::Missing), (2, disposition, Reason::Fault)]);
        let counts = line.gate.counts();
        assert_eq!((counts.missing, counts.faults), (1, 1));
        assert_eq!((counts.late_verdicts, counts.stray_verdicts), (1, 2));
    }
}

#[test]
fn overlapping_pulses_are_one_and_sweep_what_lies_between() {
    let mut line = Line::new(settings());
    line.part(1, 0, Some(Reject));
    line.part(2, 4, Some(Pass));
    line.part(3, 8, Some(Reject));
    line.part(4, 18, Some(Pass));
    line.run_to(500);
    assert_eq!(line.rejects, [(100, true), (118, false)]);
    assert_eq!(line.dispositions()[1], (2, Disposition::Reject, Reason::Swept));
    // It arrives as the pulse ends.
    assert_eq!(line.dispositions()[3], (4, Disposition::Pass, Reason::Verdict));
}

#[test]
fn pulses_that_are_too_close_become_one() {
    let gap = Duration::from_millis(5);
    let mut line = Line::new(GateSettings { gap, ..settings() });
    line.part(1, 0, Some(Reject));
    line.part(2, 14, Some(Reject));
    line.part(3, 30, Some(Reject));
    line.run_to(500);
    // 114 is 4 ms after the end of the first pulse, 130 is 6 ms after the end of the second.
    assert_eq!(line.rejects, [(100, true), (124, false), (130, true), (140, false)]);

    let mut line = Line::new(GateSettings { gap, ..settings() });
    line.part(1, 0, Some(Reject));
    line.part(2, 14, Some(Pass));
    line.run_to(500);
    assert_eq!(line.rejects, [(100, true), (110, false)]);
}

#[test]
fn a_stopped_belt_keeps_its_parts() {
    let mut line = Line::new(settings());
    line.part(1, 0, Some(Reject));
    line.gate.belt(false, at(60));
    line.run_to(5000);
    assert!(line.released.is_empty());
    line.gate.belt(true, at(5000));
    line.run_to(6000);
    assert_eq!(line.rejects, [(5040, true), (5050, false)]);
}

#[test]
fn an_encoder_places_the_gate() {
    let mut line = Line::new(GateSettings { unit: BeltUnit::Ticks, distance: 5, ..settings() });
    line.part(1, 0, Some(Reject));
    for tick in 1..=4 {
        line.gate.encoder(1, at(tick * 7));
        line.poll(tick * 7);
    }
    line.run_to(4000);
    assert!(line.released.is_empty());
    line.gate.encoder(1, at(4001));
    line.poll(4001);
    line.run_to(5000);
    assert_eq!(line.rejects, [(4001, true), (4011, false)]);
}

#[test]
fn a_held_line_is_on_the_safe_side_whatever_the_verdict() {
    let mut line = Line::held(settings());
    assert_eq!(line.rejects, [(0, true)]);
    assert!(line.others.contains(&(0, Signal::Fault, true)));
    line.part(1, 0, Some(Pass));
    line.run_to(150);
    assert_eq!(line.dispositions(), [(1, Disposition::Reject, Reason::Held)]);
    line.gate.hold(Hold::NotReady, false);
    line.poll(151);
    assert_eq!(line.rejects, [(0, true), (151, false)]);

    let mut line = Line::held(GateSettings { safe: Safe::Pass, ..settings() });
    assert_eq!(line.rejects, [(0, false)]);
    assert!(line.others.contains(&(0, Signal::Pass, true)));
    line.part(1, 0, Some(Reject));
    line.run_to(150);
    assert_eq!(line.dispositions(), [(1, Disposition::Pass, Reason::Held)]);
}

#[test]
fn the_end_disposes_of_what_is_under_way_and_a_cut_off_run_is_accounted_for() {
    let mut line = Line::new(settings());
    line.part(1, 0, Some(Pass));
    line.part(2, 10, None);
    let cut_off = *line.gate.counts();
    let mut actions = vec![];
    line.gate.close(at(20), &mut actions);
    let released = actions.iter().filter_map(|action| match action {
        Action::Released(release) => Some((release.part, release.disposition, release.reason)),
        Action::Set(..) => None,
    });
    let held = |part| (part, Disposition::Reject, Reason::Held);
    assert_eq!(released.collect::<Vec<_>>(), [held(1), held(2)]);
    assert!(actions.contains(&Action::Set(Signal::Reject, true)));
    assert_eq!(line.gate.counts().rejected, 2);

    let next = Gate::new(settings(), cut_off, at(0));
    assert_eq!((next.counts().triggered, next.counts().abandoned), (2, 2));
}

#[test]
fn rejects_in_a_row_ask_for_a_stop_until_a_part_passes_or_the_belt_starts() {
    let mut line = Line::new(GateSettings { stop_after_rejects: Some(3), ..settings() });
    for part in 1..=3 {
        line.part(part, part * 50, Some(Reject));
    }
    line.run_to(400);
    assert_eq!(line.others, [(250, Signal::Fault, true)]);
    assert_eq!(line.gate.counts().stops, 1);
    line.gate.belt(true, at(400));
    line.poll(400);
    assert_eq!(line.others.last(), Some(&(400, Signal::Fault, false)));
    assert!(!line.gate.alarms().any());
}

#[test]
fn a_challenge_puts_out_known_bad_parts_and_tells_whether_they_were_seen() {
    let mut line = Line::new(settings());
    // Already under way, so it doesn't belong to the challenge.
    line.part(1, 0, Some(Pass));
    line.gate.challenge(2);
    line.part(2, 30, Some(Reject));
    line.part(3, 60, Some(Pass));
    line.part(4, 90, Some(Pass));
    line.run_to(500);
    let reasons: Vec<_> = line.released.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Reason::Verdict, Reason::Challenge, Reason::Challenge, Reason::Verdict]);
    assert_eq!(line.released[2].disposition, Disposition::Reject);
    assert_eq!((line.gate.counts().challenged, line.gate.counts().challenges_missed), (2, 1));
    line.gate.acknowledge();
    assert!(line.gate.alarms().challenge_missed);
    line.gate.challenge(1);
    assert!(!line.gate.alarms().any());
}

#[test]
fn a_rejected_part_has_to_fall() {
    let confirm_within = Some(Duration::from_millis(30));
    let mut line = Line::new(GateSettings { confirm_within, ..settings() });
    line.part(1, 0, Some(Reject));
    line.part(2, 20, Some(Reject));
    line.run_to(125);
    line.gate.fell();
    line.run_to(149);
    assert!(!line.gate.alarms().unconfirmed);
    line.run_to(300);
    assert!(line.gate.alarms().unconfirmed);
    assert_eq!(line.gate.counts().unconfirmed, 1);
    line.gate.fell();
    assert_eq!(line.gate.counts().unexpected_falls, 1);
}

#[test]
fn the_strobe_follows_every_trigger() {
    let strobe = Some((Duration::from_millis(20), Duration::from_millis(3)));
    let mut line = Line::new(GateSettings { strobe, ..settings() });
    line.part(1, 0, None);
    line.part(2, 10, None);
    line.run_to(90);
    let strobe = |ms, on| (ms, Signal::Strobe, on);
    assert_eq!(line.others, [strobe(20, true), strobe(23, false), strobe(30, true), strobe(33, false)]);
}

#[test]
fn another_product_goes_to_the_safe_side_and_is_counted_by_itself() {
    let mut line = Line::new(settings());
    line.part(1, 0, None);
    line.gate.verdict(PartVerdict { other_product: true, ..found(1, Fault) });
    line.part(2, 20, Some(Fault));
    line.run_to(300);
    let rejected = |part, reason| (part, Disposition::Reject, reason);
    assert_eq!(line.dispositions(), [rejected(1, Reason::OtherProduct), rejected(2, Reason::Fault)]);
    let counts = line.gate.counts();
    assert_eq!((counts.faults, counts.other_products, counts.rejected), (2, 1, 2));
}
