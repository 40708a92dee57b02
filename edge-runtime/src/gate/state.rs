//! The gate of one line: its state, and what it does on each poll.

use std::collections::VecDeque;
use std::time::Duration;

use super::alarms::{Alarms, Hold};
use super::belt::Belt;
use super::confirmation::Confirmation;
use super::counts::GateCounts;
use super::pulse::Pulse;
use super::queue_entry::{QueueEntry, SettledEntry};
use super::settings::GateSettings;
use super::signal::Action;
use crate::clock::Moment;
use crate::part::PartNumber;

/// Maximum number of settled entries that wait to be reported. Beyond that, parts at the gate wait too and may be missed;
/// it takes millions of parts that overflow at once and, behind them, two hundred a second.
const MAX_SETTLED: usize = 4096;
/// Pause between two batches of reports.
const REPORT_INTERVAL: Duration = Duration::from_micros(500);

/// The gate of one line. It starts held with [`Hold::NotReady`].
///
/// The owner feeds in events, calls [`Self::poll`] after them and at [`Self::next_wake`], and carries out the
/// [`Action`]s. After [`Self::new`], nothing allocates except `actions` if it has to grow, and the time of a call is at
/// most proportional to the queue's length: parts are reported in batches, up to 128 in each poll.
#[derive(Debug)]
pub struct Gate {
    pub(super) settings: GateSettings,
    pub(super) belt: Belt,
    pub(super) queue: VecDeque<QueueEntry>,
    /// Parts that have reached the gate and wait to be reported.
    pub(super) settled: VecDeque<SettledEntry>,
    /// When the next batch of reports is due, while there is more than one.
    pub(super) report_from: Moment,
    pub(super) reject: Pulse,
    pub(super) pass: Pulse,
    pub(super) strobe: Pulse,
    /// When strobes are due, in order.
    pub(super) strobes: VecDeque<Moment>,
    /// Unknown parts may pass the gate until the belt reaches this position.
    pub(super) unknown_until: Option<u64>,
    pub(super) confirmation: Option<Confirmation>,
    pub(super) last_part: PartNumber,
    /// Belt position at which the last part of all is at the gate.
    pub(super) last_position: u64,
    /// Known-bad parts still to be triggered.
    pub(super) challenge: u16,
    pub(super) consecutive_rejects: u32,
    pub(super) alarms: Alarms,
    pub(super) counts: GateCounts,
    /// Since when the line has been held.
    pub(super) held_since: Option<Moment>,
    /// Since when the reject output has been on.
    pub(super) reject_since: Option<Moment>,
    /// Output levels as last requested: reject, pass, fault, strobe.
    pub(super) levels: [Option<bool>; 4],
}

impl Gate {
    /// Creates a gate without parts, held in the safe state; `counts` are those of earlier runs.
    #[must_use]
    pub fn new(settings: GateSettings, counts: GateCounts, now: Moment) -> Self {
        Self {
            settings,
            belt: Belt::new(settings.unit, now),
            queue: VecDeque::with_capacity(settings.queue),
            settled: VecDeque::with_capacity(MAX_SETTLED),
            report_from: Moment(0),
            reject: Pulse::new(settings.pulse),
            pass: Pulse::new(settings.pulse),
            strobe: Pulse::new(settings.strobe.map_or(Duration::ZERO, |(_, on)| on)),
            strobes: VecDeque::with_capacity(settings.queue),
            unknown_until: None,
            confirmation: settings.confirm_within.map(|within| Confirmation::new(within, settings.queue)),
            last_part: 0,
            last_position: 0,
            challenge: 0,
            consecutive_rejects: 0,
            alarms: Alarms { not_ready: true, ..Alarms::default() },
            counts: counts.resumed(),
            held_since: None,
            reject_since: None,
            levels: [None; 4],
        }
    }

    /// Advances the belt by `ticks` encoder ticks up to `at`.
    pub fn encoder(&mut self, ticks: u32, at: Moment) {
        self.belt.advance(ticks, at);
    }

    /// Records that the belt was started or stopped. A start acknowledges the request to stop.
    pub fn belt(&mut self, running: bool, at: Moment) {
        self.belt.set_running(running, at);
        if running {
            self.acknowledge();
        }
    }

    /// Records a fall seen by the sensor behind the gate.
    pub fn fell(&mut self) {
        let Some(confirmation) = &mut self.confirmation else { return };
        if confirmation.fell() {
            self.alarms.unconfirmed = false;
        } else {
            self.counts.unexpected_falls += 1;
        }
    }

    /// Starts or ends a hold.
    pub const fn hold(&mut self, hold: Hold, on: bool) {
        match hold {
            Hold::NotReady => self.alarms.not_ready = on,
            Hold::Blind => self.alarms.blind = on,
            Hold::Output => self.alarms.output_failed = on,
        }
    }

    /// Acknowledges the alarms: clears all but the holds and a missed challenge.
    pub const fn acknowledge(&mut self) {
        self.alarms.rejects_in_a_row = false;
        self.alarms.unconfirmed = false;
        self.alarms.missed = false;
        self.alarms.triggers_lost = false;
        self.alarms.tracking_lost = false;
        self.consecutive_rejects = 0;
    }

    /// Starts a challenge: the next `parts` parts to be triggered are known to be bad. Each is rejected, and one without
    /// the verdict `reject` raises an alarm that only another challenge clears.
    pub const fn challenge(&mut self, parts: u16) {
        self.challenge = parts;
        self.alarms.challenge_missed = false;
    }

    /// Returns the number of known-bad parts still to come.
    #[must_use]
    pub const fn challenge_left(&self) -> u16 {
        self.challenge
    }

    /// Returns the gate's counters.
    #[must_use]
    pub const fn counts(&self) -> &GateCounts {
        &self.counts
    }

    /// Returns the alarms.
    #[must_use]
    pub const fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Returns the settings.
    #[must_use]
    pub const fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Returns the number of parts between trigger and gate or waiting to be reported; an entry of several parts counts
    /// as one.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.queue.len() + self.settled.len()
    }

    /// Returns when [`Self::poll`] is due again if nothing else happens first.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        // A part for which there is no room waits for reports to go out, not for the belt.
        let front = self.queue.front().filter(|_| self.settled.len() < MAX_SETTLED);
        let release = front.and_then(|queued| self.belt.time_at(queued.release));
        let report = self.settled.front().map(|settled| settled.released_at.max(self.report_from));
        let unknown = self.unknown_until.and_then(|position| self.belt.time_at(position));
        let fall = self.confirmation.as_ref().and_then(Confirmation::next_deadline);
        let pulses =
            [self.reject.until(), self.pass.until(), self.strobe.until(), self.strobes.front().copied()];
        pulses.into_iter().chain([release, report, unknown, fall]).flatten().min()
    }

    /// Does what is due at `now` and adds the resulting actions to `actions`: levels, then reports, up to 128 of them
    /// per half millisecond.
    pub fn poll(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.update_hold(now);
        while self.strobes.front().is_some_and(|at| *at <= now) {
            self.strobes.pop_front();
            self.strobe.start(now);
        }
        while let Some(queued) = self.pop_arrived(now) {
            self.settle(&queued, now);
        }
        self.end_pulses(now);
        let overdue = self.confirmation.as_mut().map_or(0, |waiting| waiting.take_overdue(now));
        self.did_not_fall(overdue);
        self.update_levels(now, actions);
        if now >= self.report_from {
            self.report(actions);
            // On a board with one core, the thread that takes the reports must get to run as well.
            self.report_from = if self.settled.is_empty() { now } else { now + REPORT_INTERVAL };
        }
    }

    /// Shuts the gate down: all parts under way will meet the safe state. Reports come in batches, as from
    /// [`Self::poll`]: call it again while parts are [under way](Self::under_way).
    pub fn close(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.alarms.not_ready = true;
        self.update_hold(now);
        while self.settled.len() < MAX_SETTLED
            && let Some(queued) = self.queue.pop_front()
        {
            self.settle(&queued, now);
        }
        self.update_levels(now, actions);
        self.report(actions);
    }

    /// Takes the next part out of the queue if it has reached the gate.
    fn pop_arrived(&mut self, now: Moment) -> Option<QueueEntry> {
        let front = self.queue.front()?;
        let due = self.belt.time_at(front.release)?;
        if due <= now && self.settled.len() < MAX_SETTLED { self.queue.pop_front() } else { None }
    }
}
