//! The gate on a virtual clock.

mod late;
mod lost;
mod overflow;
mod parts;

use std::time::Duration;

use super::{Action, BeltUnit, Gate, GateCounts, GateSettings, Hold, Signal};
use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{Disposition, PartNumber, PartVerdict, Reason, Release};
use shared_format::Verdict::{self, Fault, Pass, Reject};

const MS: u64 = 1_000_000;

fn at(ms: u64) -> Moment {
    Moment(ms * MS)
}

fn settings() -> GateSettings {
    GateSettings {
        unit: BeltUnit::Time,
        distance: 100 * MS,
        pulse: Duration::from_millis(10),
        gap: Duration::ZERO,
        safe: Safe::Reject,
        queue: 4,
        stop_after_rejects: None,
        confirm_within: None,
        strobe: None,
    }
}

/// A gate with a record of what it did: output levels by time, and releases.
struct Line {
    gate: Gate,
    rejects: Vec<(u64, bool)>,
    others: Vec<(u64, Signal, bool)>,
    released: Vec<Release>,
    polled: u64,
}

impl Line {
    fn new(settings: GateSettings) -> Self {
        let mut line = Self::held(settings);
        line.gate.hold(Hold::NotReady, false);
        line.poll(0);
        (line.rejects, line.others) = (vec![], vec![]);
        line
    }

    fn held(settings: GateSettings) -> Self {
        let gate = Gate::new(settings, GateCounts::default(), at(0));
        let mut line = Self { gate, rejects: vec![], others: vec![], released: vec![], polled: 0 };
        line.poll(0);
        line
    }

    fn poll(&mut self, ms: u64) {
        self.polled = ms;
        let mut actions = vec![];
        self.gate.poll(at(ms), &mut actions);
        for action in actions {
            match action {
                Action::Set(Signal::Reject, on) => self.rejects.push((ms, on)),
                Action::Set(signal, on) => self.others.push((ms, signal, on)),
                Action::Released(release) => self.released.push(release),
            }
        }
    }

    /// Polls at every wake-up until `ms`, as the gate's thread does.
    fn run_to(&mut self, ms: u64) {
        while let Some(wake) = self.gate.next_wake().filter(|wake| *wake <= at(ms)) {
            // An overdue wake-up is handled at once: time never runs backwards.
            self.poll(self.polled.max(wake.0 / MS));
        }
        self.poll(ms);
    }

    fn part(&mut self, part: PartNumber, ms: u64, verdict: Option<Verdict>) {
        self.run_to(ms);
        self.gate.trigger(part, 0, at(ms));
        if let Some(verdict) = verdict {
            self.gate.verdict(found(part, verdict));
        }
    }

    fn dispositions(&self) -> Vec<(PartNumber, Disposition, Reason)> {
        self.released.iter().map(|r| (r.part, r.disposition, r.reason)).collect()
    }
}

fn found(part: PartNumber, verdict: Verdict) -> PartVerdict {
    PartVerdict {
        part,
        verdict,
        other_product: false,
        score: Some(1.0),
        threshold: 0.5,
        zone: None,
        view: None,
        frames: 1,
        captured_at: None,
    }
}
