//! Simulates millions of parts on a virtual clock with the gate that a real line runs: every part gets exactly one disposition,
//! every reject is driven when the part is at the gate, and parts for which that is impossible are counted and go to the safe side.
//! Meanwhile a hostile gateway sends commands and garbage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod belt;
mod gateway;
mod inspector;
#[path = "../../../judge/tests/support/times.rs"]
mod repetitions;

use std::collections::VecDeque;
use std::time::Duration;

use bundle::seeded::Seeded;
use edge_runtime::clock::Moment;
use edge_runtime::gate::{Action, BeltUnit, Gate, GateCounts, GateSettings, Hold, Signal};
use edge_runtime::line_file::Safe;
use edge_runtime::part::{Disposition, Reason, Release};
use shared_format::Verdict;

use belt::SimulatedBelt;
use gateway::HostileGateway;
use inspector::SimulatedInspector;

/// Fewer on the board's processor, which is emulated here: it does the same arithmetic.
const USUAL_PARTS: u64 = if cfg!(target_arch = "aarch64") { 200_000 } else { 1_000_000 };
const MS: u64 = 1_000_000;

/// A part under way, as the test knows it.
struct SimulatedPart {
    number: u64,
    position: u64,
    /// When its verdict was available, and which; `None` if it got lost.
    verdict: Option<(Moment, Verdict)>,
    /// Whether more parts than the queue holds were under way when it or the next one came.
    crowded: bool,
    /// Why the gate can't know where it is.
    lost: Option<Reason>,
}

struct Simulation {
    /// The number of parts of the whole simulation.
    parts: u64,
    gate: Gate,
    settings: GateSettings,
    belt: SimulatedBelt,
    inspector: SimulatedInspector,
    gateway: HostileGateway,
    under_way: VecDeque<SimulatedPart>,
    random: Seeded,
    next_part: Moment,
    triggered: u64,
    /// How many of the last of those had lost triggers that the gate doesn't know of yet.
    undetected: u32,
    /// True positions on the belt, in order, of parts whose positions the gate doesn't know.
    lost_positions: VecDeque<u64>,
    released: u64,
    reject_is_on: bool,
    actions: Vec<Action>,
    cases: CaseCounts,
}

/// How often each case to be tested came up.
#[derive(Debug, Default)]
struct CaseCounts {
    missing: u64,
    faults: u64,
    overflows: u64,
    swept: u64,
    rejects: u64,
    stops: u64,
    lost_triggers: u64,
    lost_tracking: u64,
}

impl Simulation {
    fn new(settings: GateSettings, parts: u64, seed: u64) -> Self {
        let start = Moment(MS);
        let mut gate = Gate::new(settings, GateCounts::default(), start);
        gate.hold(Hold::NotReady, false);
        let mut simulation = Self {
            parts,
            gate,
            settings,
            belt: SimulatedBelt::new(settings.unit, start, seed),
            inspector: SimulatedInspector::new(seed),
            gateway: HostileGateway::new(seed),
            under_way: VecDeque::new(),
            random: Seeded::new(seed, 1),
            next_part: start + Duration::from_millis(20),
            triggered: 0,
            undetected: 0,
            lost_positions: VecDeque::new(),
            released: 0,
            reject_is_on: true,
            actions: vec![],
            cases: CaseCounts::default(),
        };
        simulation.poll(start);
        assert!(!simulation.reject_is_on);
        simulation
    }

    /// Handles the next event.
    fn step(&mut self, last_part: bool) {
        let next = [
            Some(self.belt.next()),
            (!last_part).then_some(self.next_part),
            self.inspector.next(),
            self.gate.next_wake(),
        ];
        let now = next.into_iter().flatten().min().unwrap();
        if self.belt.next() == now {
            self.belt.advance(&mut self.gate);
        }
        if self.inspector.next() == Some(now) {
            self.gate.verdict(self.inspector.finish());
        }
        if !last_part && self.next_part == now {
            self.trigger(now);
        }
        self.poll(now);
    }

    fn trigger(&mut self, now: Moment) {
        self.triggered += 1;
        if self.random.below(8) == 0 {
            self.gateway.attack(now, &mut self.gate);
        }
        let crowded = self.under_way.len() >= self.settings.queue;
        if let (true, Some(before)) = (crowded, self.under_way.back_mut()) {
            before.crowded = true;
        }
        let position = self.belt.position(now) + self.settings.distance;
        if self.random.below(3000) == 0 && self.triggered < self.parts {
            // The kernel lost this part's edge. The next part's edge, which reveals it, comes soon.
            self.undetected += 1;
            self.lost_positions.push_back(position);
            let lost = Some(Reason::TriggerLost);
            self.under_way.push_back(SimulatedPart {
                number: self.triggered,
                position,
                verdict: None,
                crowded,
                lost,
            });
            self.next_part = now + Duration::from_millis(5);
            return;
        }
        let undetected = std::mem::take(&mut self.undetected);
        self.gate.lose_triggers(self.triggered - u64::from(undetected), undetected, 0, now);
        if self.random.below(5000) == 0 {
            self.lose_tracking(now);
        }
        self.gate.trigger(self.triggered, 0, now);
        let verdict = self.inspector.start(self.triggered, now);
        self.under_way.push_back(SimulatedPart {
            number: self.triggered,
            position,
            verdict,
            crowded,
            lost: None,
        });
        // Usually 20 ms apart, sometimes a burst, sometimes far apart.
        let interval = match self.random.below(1000) {
            0 => 2000 * MS,
            1..30 => MS / 2,
            _ => 10 * MS + self.random.below(20 * MS as usize) as u64,
        };
        self.next_part = now + Duration::from_nanos(interval);
    }

    fn lose_tracking(&mut self, now: Moment) {
        self.gate.lose_tracking(now);
        for part in &mut self.under_way {
            part.lost.get_or_insert(Reason::TrackingLost);
        }
        self.lost_positions = self.under_way.iter().map(|part| part.position).collect();
    }

    fn poll(&mut self, now: Moment) {
        let mut actions = std::mem::take(&mut self.actions);
        self.gate.poll(now, &mut actions);
        let reject = actions.iter().rev().find_map(|action| match action {
            Action::Set(Signal::Reject, on) => Some(*on),
            _ => None,
        });
        let was_on = self.reject_is_on;
        self.reject_is_on = reject.unwrap_or(was_on);
        for action in &actions {
            if let Action::Released(release) = action {
                self.check(release, now, was_on);
            }
        }
        actions.clear();
        self.actions = actions;
        // The gate must be on when these parts come by, wherever it believes them to be.
        let here = self.belt.position(now);
        while self.lost_positions.pop_front_if(|position| *position <= here).is_some() {
            assert!(self.reject_is_on, "at {here}");
        }
        self.cases.stops = self.gate.counts().stops;
    }

    fn check(&mut self, release: &Release, now: Moment, was_on: bool) {
        self.released += 1;
        // Exactly one disposition, in order.
        assert_eq!(release.part, self.released);
        let part = self.under_way.pop_front().unwrap();
        assert_eq!(part.number, release.part);
        // If more than one batch overflows, all are released at once and reported soon after.
        let reported_later = release.released_at != now;
        assert!(now.since(release.released_at) < Duration::from_millis(5), "{release:?}");
        let unknown = matches!(release.reason, Reason::Overflow | Reason::TriggerLost | Reason::TrackingLost);
        // Overflowed parts share an entry with those before them, and its reason.
        assert!(part.crowded || unknown == part.lost.is_some(), "{release:?}");
        assert!(part.crowded || !unknown || part.lost == Some(release.reason), "{release:?}");
        // Parts whose triggers were lost may directly follow one that has gone by.
        assert!(release.lateness.is_zero() || release.reason == Reason::TriggerLost, "{release:?}");
        // Released at its place. Parts that can't be told apart are reported together, and the gate is on when each comes by.
        let here = self.belt.position(now);
        if !unknown && reported_later {
            assert!(here >= part.position, "{release:?}");
        } else if !unknown {
            assert_eq!(here, part.position, "{release:?}");
        } else if here < part.position {
            let after = self.lost_positions.partition_point(|position| *position <= part.position);
            self.lost_positions.insert(after, part.position);
        }
        let in_time = part.verdict.filter(|(at, _)| *at <= release.released_at).map(|(_, verdict)| verdict);
        let safe = match self.settings.safe {
            Safe::Reject => Disposition::Reject,
            Safe::Pass => Disposition::Pass,
        };
        let swept = release.reason == Reason::Swept;
        let expected = match in_time {
            _ if unknown => safe,
            Some(Verdict::Pass) if swept => Disposition::Reject,
            Some(Verdict::Pass) => Disposition::Pass,
            Some(Verdict::Reject) => Disposition::Reject,
            Some(Verdict::Fault) | None if swept => Disposition::Reject,
            Some(Verdict::Fault) | None => safe,
        };
        assert_eq!(release.disposition, expected, "{release:?} {in_time:?}");
        // What matters in the end is whether the gate was on when the part came by.
        match release.disposition {
            _ if reported_later => {}
            Disposition::Reject => assert!(self.reject_is_on || was_on, "{release:?}"),
            Disposition::Pass => {
                assert!(!self.reject_is_on || unknown || self.shares_its_position(&part), "{release:?}")
            }
        }
        self.cases.missing += u64::from(release.reason == Reason::Missing);
        self.cases.faults += u64::from(release.reason == Reason::Fault);
        self.cases.overflows += u64::from(release.reason == Reason::Overflow);
        self.cases.lost_triggers += u64::from(release.reason == Reason::TriggerLost);
        self.cases.lost_tracking += u64::from(release.reason == Reason::TrackingLost);
        self.cases.swept += u64::from(swept);
        self.cases.rejects += u64::from(release.disposition == Disposition::Reject);
    }

    /// Whether two parts are within one tick, so that the gate can't tell them apart.
    fn shares_its_position(&self, part: &SimulatedPart) -> bool {
        self.under_way.front().is_some_and(|next| next.position == part.position)
    }

    fn run(mut self) -> CaseCounts {
        let mut memory = None;
        while self.triggered < self.parts {
            self.step(false);
            if self.triggered == self.parts / 10 && memory.is_none() {
                memory = resident_kib();
            }
        }
        while self.released < self.parts {
            self.step(true);
        }
        let counts = *self.gate.counts();
        assert_eq!(counts.triggered, self.parts);
        assert_eq!(counts.passed + counts.rejected, self.parts);
        assert_eq!(counts.missed, 0, "every poll is on time");
        assert_eq!(self.gate.under_way(), 0);
        assert!(self.gateway.carried_out > self.parts / 100, "{}", self.gateway.carried_out);
        if let (Some(before), Some(after)) = (memory, resident_kib()) {
            assert!(after < before + 1024, "memory grew from {before} to {after} KiB");
        }
        self.cases
    }
}

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn settings(unit: BeltUnit, safe: Safe) -> GateSettings {
    let distance = match unit {
        BeltUnit::Time => 200 * MS,
        BeltUnit::Ticks => 50,
    };
    GateSettings {
        unit,
        distance,
        pulse: Duration::from_millis(8),
        gap: Duration::from_millis(2),
        safe,
        queue: 24,
        stop_after_rejects: Some(10),
        confirm_within: None,
        strobe: None,
    }
}

fn simulate(unit: BeltUnit, seed: u64) {
    let parts = USUAL_PARTS * repetitions::times();
    let counts = Simulation::new(settings(unit, Safe::Reject), parts, seed).run();
    let CaseCounts { missing, faults, overflows, swept, rejects, stops, lost_triggers, lost_tracking } =
        counts;
    let all = [missing, faults, overflows, swept, rejects, stops, lost_triggers, lost_tracking];
    assert!(all.iter().all(|&n| n > parts / 10_000), "{counts:?}");
}

// A single test, so that neither run measures the other's memory.
#[test]
fn millions_of_parts_by_encoder_and_by_time() {
    simulate(BeltUnit::Ticks, 1);
    simulate(BeltUnit::Time, 2);
}
