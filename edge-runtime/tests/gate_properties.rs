//! Property tests: the gate keeps its guarantees under any sequence of events.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use edge_runtime::clock::Moment;
use edge_runtime::gate::{Action, BeltUnit, Gate, GateCounts, GateSettings, Hold, Signal};
use edge_runtime::line_file::Safe;
use edge_runtime::part::{Disposition, PartVerdict, Reason};
use proptest::prelude::*;
use shared_format::Verdict;

#[derive(Debug, Clone)]
enum Event {
    Trigger,
    /// A verdict for the part at this offset from the last one.
    Verdict(i64, Verdict),
    Encoder(u32),
    /// This many triggers were lost, this many nanoseconds ago.
    LoseTriggers(u32, u64),
    /// The encoder's count can't be trusted …
    LoseTracking,
    /// … because it jumped before it continued.
    EncoderJump(u32),
    Belt(bool),
    Fell,
    Hold(bool),
    Challenge(u16),
    Acknowledge,
    /// Time passes, with a poll at every wake …
    Pass(u64),
    /// … or with a single late poll.
    Stall(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![Just(Verdict::Pass), Just(Verdict::Reject), Just(Verdict::Fault)];
    prop_oneof![
        6 => Just(Event::Trigger),
        6 => (-5i64..2, verdict).prop_map(|(offset, verdict)| Event::Verdict(offset, verdict)),
        4 => (0u32..40).prop_map(Event::Encoder),
        1 => (0u32..400, 0u64..100_000_000).prop_map(|(parts, ago)| Event::LoseTriggers(parts, ago)),
        1 => Just(Event::LoseTracking),
        1 => (0u32..40).prop_map(Event::EncoderJump),
        1 => any::<bool>().prop_map(Event::Belt),
        1 => Just(Event::Fell),
        1 => any::<bool>().prop_map(Event::Hold),
        1 => (0u16..4).prop_map(Event::Challenge),
        1 => Just(Event::Acknowledge),
        8 => (0u64..60_000_000).prop_map(Event::Pass),
        1 => (0u64..200_000_000).prop_map(Event::Stall),
    ]
}

fn settings() -> impl Strategy<Value = GateSettings> {
    let safe = prop_oneof![Just(Safe::Reject), Just(Safe::Pass)];
    let unit = prop_oneof![Just((BeltUnit::Time, 50_000_000)), Just((BeltUnit::Ticks, 20))];
    (unit, safe, 1usize..6, 0u64..20, proptest::option::of(1u32..4), any::<bool>()).prop_map(
        |((unit, distance), safe, queue, gap, stop_after_rejects, confirms)| GateSettings {
            unit,
            distance,
            pulse: Duration::from_millis(5),
            gap: Duration::from_millis(gap),
            safe,
            queue,
            stop_after_rejects,
            confirm_within: confirms.then_some(Duration::from_millis(30)),
            strobe: Some((Duration::from_millis(1), Duration::from_millis(2))),
        },
    )
}

struct SimulatedLine {
    gate: Gate,
    now: Moment,
    parts: u64,
    released: u64,
    reject: bool,
    pass: bool,
}

impl SimulatedLine {
    fn poll(&mut self) -> Result<(), TestCaseError> {
        let mut actions = vec![];
        self.gate.poll(self.now, &mut actions);
        prop_assert!(actions.len() <= 128 + Signal::ALL.len(), "a bounded number of actions per poll");
        for action in actions {
            match action {
                Action::Set(Signal::Reject, on) => self.reject = on,
                Action::Set(Signal::Pass, on) => self.pass = on,
                Action::Set(..) => {}
                Action::Released(release) => {
                    self.released += 1;
                    prop_assert_eq!(release.part, self.released, "in order, each once");
                    let own = release.verdict.map(|verdict| verdict.verdict);
                    prop_assert!(release.verdict.is_none_or(|verdict| verdict.part == release.part));
                    if release.reason == Reason::Missed {
                        let pulse = self.gate.settings().pulse;
                        prop_assert!(release.lateness > pulse, "only a part that has gone by is missed");
                        prop_assert_eq!(release.disposition, Disposition::Pass);
                    } else if release.disposition == Disposition::Pass && self.gate_is_fail_safe() {
                        prop_assert_eq!(own, Some(Verdict::Pass), "nothing passes without a pass");
                    }
                }
            }
        }
        prop_assert!(!(self.reject && self.pass), "never both");
        let counts = self.gate.counts();
        prop_assert_eq!(counts.passed + counts.rejected, self.released);
        prop_assert_eq!(counts.triggered, self.parts);
        if self.gate.under_way() == 0 {
            prop_assert_eq!(self.released, self.parts, "no part is lost");
        }
        Ok(())
    }

    fn gate_is_fail_safe(&self) -> bool {
        self.gate.settings().safe == Safe::Reject
    }

    /// Polls at every wake up to `until`.
    fn run_to(&mut self, until: Moment) -> Result<(), TestCaseError> {
        let mut polls = 0;
        while let Some(wake) = self.gate.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.poll()?;
            polls += 1;
            prop_assert!(polls < 10_000, "wakes up endlessly without work");
        }
        self.now = until;
        self.poll()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn promises(settings in settings(), events in proptest::collection::vec(event(), 0..120)) {
        let gate = Gate::new(settings, GateCounts::default(), Moment(0));
        let mut line = SimulatedLine { gate, now: Moment(0), parts: 0, released: 0, reject: false, pass: false };
        line.poll()?;
        prop_assert_eq!(line.reject, settings.safe == Safe::Reject);
        line.gate.hold(Hold::NotReady, false);
        for event in events {
            match event {
                Event::Trigger => {
                    line.parts += 1;
                    line.gate.trigger(line.parts, 0, line.now);
                }
                Event::Verdict(offset, verdict) => {
                    let part = line.parts.saturating_add_signed(offset);
                    let (threshold, frames) = (0.5, 1);
                    line.gate.verdict(PartVerdict { part, verdict, other_product: false, score: None, threshold, zone: None, view: None, frames, captured_at: None });
                }
                Event::Encoder(ticks) => line.gate.encoder(ticks, line.now),
                Event::LoseTriggers(parts, ago) => {
                    let at = Moment(line.now.0.saturating_sub(ago));
                    line.gate.lose_triggers(line.parts + 1, parts, 0, at);
                    line.parts += u64::from(parts);
                }
                Event::LoseTracking => line.gate.lose_tracking(line.now),
                Event::EncoderJump(ticks) => {
                    line.gate.lose_tracking(line.now);
                    line.gate.encoder(ticks, line.now);
                }
                Event::Belt(running) => line.gate.belt(running, line.now),
                Event::Fell => line.gate.fell(),
                Event::Hold(on) => line.gate.hold(Hold::Blind, on),
                Event::Challenge(parts) => line.gate.challenge(parts),
                Event::Acknowledge => line.gate.acknowledge(),
                Event::Pass(time) => line.run_to(line.now + Duration::from_nanos(time))?,
                Event::Stall(time) => line.now = line.now + Duration::from_nanos(time),
            }
            line.poll()?;
        }
        // The belt runs until the last part is through; then everything is at rest.
        line.gate.hold(Hold::Blind, false);
        line.gate.belt(true, line.now);
        line.gate.encoder(1000, line.now);
        line.run_to(line.now + Duration::from_secs(2))?;
        prop_assert_eq!(line.gate.under_way(), 0);
        prop_assert_eq!(line.released, line.parts);
        prop_assert!(!line.reject && !line.pass);
        prop_assert_eq!(line.gate.next_wake(), None);
    }
}
