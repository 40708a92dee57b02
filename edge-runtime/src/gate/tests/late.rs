//! Parts that are handled late because the process was stopped or starved.

use super::*;

const MISSED: (Disposition, Reason) = (Disposition::Pass, Reason::Missed);

impl Line {
    /// Adds a part and its verdict without polling.
    fn unserved(&mut self, part: PartNumber, ms: u64, verdict: Verdict) {
        self.gate.trigger(part, 0, at(ms));
        self.gate.verdict(found(part, verdict));
    }

    fn ways(&self) -> Vec<(Disposition, Reason)> {
        self.released.iter().map(|release| (release.disposition, release.reason)).collect()
    }
}

#[test]
fn what_is_served_when_it_is_gone_is_missed_and_no_stranger_is_hit() {
    let mut line = Line::new(GateSettings { queue: 8, ..settings() });
    line.unserved(1, 0, Reject);
    line.unserved(2, 10, Pass);
    line.unserved(3, 20, Fault);
    line.gate.trigger(4, 0, at(30));
    line.run_to(90);
    // Stopped for three seconds. Only the last part is still there.
    line.unserved(5, 2995, Reject);
    line.poll(3100);
    assert_eq!(line.ways(), [MISSED, MISSED, MISSED, MISSED, (Disposition::Reject, Reason::Verdict)]);
    assert_eq!(line.released[0].lateness, Duration::from_secs(3));
    assert_eq!(line.rejects, [(3100, true)], "for the last part only");
    assert_eq!(line.others, [(3100, Signal::Fault, true)], "and no pass pulse");
    let counts = *line.gate.counts();
    assert_eq!((counts.missed, counts.passed, counts.rejected, counts.triggered), (4, 4, 1, 5));
    assert_eq!(counts.reject_verdicts, 1);
    assert!(line.gate.alarms().missed);
    line.gate.acknowledge();
    assert!(!line.gate.alarms().any());
}

#[test]
fn a_part_that_is_still_there_is_put_out() {
    for (ms, missed) in [(110, false), (111, true)] {
        let mut line = Line::new(settings());
        line.unserved(1, 0, Reject);
        line.poll(ms);
        line.run_to(500);
        assert_eq!(line.gate.alarms().missed, missed);
        assert_eq!(line.ways(), [if missed { MISSED } else { (Disposition::Reject, Reason::Verdict) }]);
        assert_eq!(line.rejects, if missed { vec![] } else { vec![(110, true), (120, false)] });
    }
}

#[test]
fn a_hold_met_the_parts_that_came_while_it_was_on_and_no_others() {
    for (safe, disposition) in [(Safe::Reject, Disposition::Reject), (Safe::Pass, Disposition::Pass)] {
        let mut line = Line::held(GateSettings { safe, ..settings() });
        line.unserved(1, 0, Pass);
        line.poll(5000);
        assert_eq!(line.ways(), [(disposition, Reason::Held)]);
        assert!(!line.gate.alarms().missed);

        let mut line = Line::new(GateSettings { safe, ..settings() });
        line.unserved(1, 0, Pass);
        line.gate.hold(Hold::Blind, true);
        line.poll(5000);
        assert_eq!(line.ways(), [MISSED]);
        // The same at the end of the program.
        let mut line = Line::new(GateSettings { safe, ..settings() });
        line.unserved(1, 0, Pass);
        line.unserved(2, 4950, Pass);
        let mut actions = vec![];
        line.gate.close(at(5000), &mut actions);
        let reasons = actions.iter().filter_map(|action| match action {
            Action::Released(release) => Some(release.reason),
            Action::Set(..) => None,
        });
        assert_eq!(reasons.collect::<Vec<_>>(), [Reason::Missed, Reason::Held]);
    }
}

#[test]
fn a_part_went_where_the_output_was_while_nobody_served_it() {
    let mut line = Line::new(settings());
    line.part(1, 0, Some(Reject));
    line.unserved(2, 50, Pass);
    line.unserved(3, 60, Reject);
    line.run_to(100);
    // The output stays as it is while the process is stopped.
    line.poll(4000);
    line.run_to(5000);
    let rejected = |reason| (Disposition::Reject, reason);
    assert_eq!(line.ways(), [rejected(Reason::Verdict), rejected(Reason::Swept), rejected(Reason::Verdict)]);
    assert_eq!(line.rejects, [(100, true), (4000, false)], "no pulse for parts that are gone");
    assert!(!line.gate.alarms().missed);
}

#[test]
fn an_encoder_tells_how_late_it_is() {
    let mut line = Line::new(GateSettings { unit: BeltUnit::Ticks, distance: 5, ..settings() });
    line.unserved(1, 0, Reject);
    line.unserved(2, 0, Pass);
    for tick in 1..=200 {
        line.gate.encoder(1, at(tick * 10));
    }
    line.gate.trigger(3, 0, at(1960));
    line.gate.verdict(found(3, Reject));
    line.gate.encoder(1, at(2010));
    line.poll(2012);
    assert_eq!(line.ways(), [MISSED, MISSED, (Disposition::Reject, Reason::Verdict)]);
    let lateness = line.released.iter().map(|release| release.lateness.as_millis());
    assert_eq!(lateness.collect::<Vec<_>>(), [1962, 1962, 2]);
    assert_eq!(line.rejects, [(2012, true)]);
}

#[test]
fn a_trigger_that_is_reported_when_its_part_is_gone_is_a_missed_part() {
    let mut line = Line::new(settings());
    line.run_to(5000);
    line.gate.trigger(1, 0, at(100));
    assert!(line.gate.is_past_gate(at(100), at(5000)));
    assert!(!line.gate.is_past_gate(at(4890), at(5000)), "it is there until its pulse would end");
    line.poll(5000);
    assert_eq!((line.ways(), line.rejects.len()), (vec![MISSED], 0));
}

#[test]
fn a_missed_challenge_part_is_a_missed_challenge_though_it_was_recognised() {
    let mut line = Line::new(settings());
    line.gate.challenge(1);
    line.unserved(1, 0, Reject);
    line.poll(3000);
    assert_eq!(line.ways(), [MISSED]);
    let (counts, alarms) = (line.gate.counts(), line.gate.alarms());
    assert_eq!((counts.challenged, counts.challenges_missed), (1, 1));
    assert!(alarms.challenge_missed && alarms.missed);
}

#[test]
fn a_stretch_that_ends_late_gets_no_pulse_at_its_end() {
    let mut line = Line::new(settings());
    (1..=6).for_each(|part| line.unserved(part, part * 10, Pass));
    line.run_to(140);
    line.poll(4000);
    line.run_to(5000);
    assert_eq!(line.rejects, [(140, true), (4000, false)]);
}

#[test]
fn missed_parts_say_nothing_of_the_process() {
    let mut line = Line::new(GateSettings { stop_after_rejects: Some(2), ..settings() });
    line.part(1, 0, Some(Reject));
    line.run_to(150);
    line.unserved(2, 160, Reject);
    line.unserved(3, 170, Pass);
    line.poll(3000);
    assert_eq!(line.gate.counts().stops, 0);
    line.part(4, 3000, Some(Reject));
    line.run_to(3200);
    assert_eq!(line.gate.counts().stops, 1, "the row is neither ended nor lengthened by missed parts");
}
