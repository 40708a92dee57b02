//! The gate of one line: what it holds, and what it does when.

use std::collections::VecDeque;
use std::time::Duration;

use super::alarms::{Alarms, Hold};
use super::belt::Belt;
use super::confirmation::Confirmation;
use super::counts::Counts;
use super::pulse::Pulse;
use super::queued::{Queued, Settled};
use super::settings::Settings;
use super::signal::Action;
use crate::clock::Moment;
use crate::part::PartNumber;

/// Entries of settled parts that wait for their reports at most. If there are more, parts at the gate wait, too, and may be
/// missed: that takes millions of parts that overflow at once and, behind them, two hundred a second.
const SETTLED: usize = 4096;
/// From one portion of reports to the next.
const REST: Duration = Duration::from_micros(500);

/// The gate of one line. It starts held as [`Hold::NotReady`].
///
/// Whoever owns it feeds in what happens, calls [`Self::poll`] after that and at [`Self::next_wake`], and carries out
/// the [`Action`]s. Nothing allocates after [`Self::new`] but `actions` if it has to grow, and no call takes longer than the
/// queue is long: what became of parts is told in portions, up to 128 in each poll.
#[derive(Debug)]
pub struct Gate {
    pub(super) settings: Settings,
    pub(super) belt: Belt,
    pub(super) queue: VecDeque<Queued>,
    /// Parts that have come to the gate and wait for their report.
    pub(super) settled: VecDeque<Settled>,
    /// When the next portion of them is due, while there is more than one.
    pub(super) report_from: Moment,
    pub(super) reject: Pulse,
    pub(super) pass: Pulse,
    pub(super) strobe: Pulse,
    /// When the strobe is due, in order.
    pub(super) strobes: VecDeque<Moment>,
    /// Parts of which nothing is known pass the gate until the belt is there.
    pub(super) unknown_until: Option<u64>,
    pub(super) confirmation: Option<Confirmation>,
    pub(super) last_part: PartNumber,
    /// Where the last of all parts is at the gate.
    pub(super) last_place: u64,
    /// Known-bad parts still to be triggered.
    pub(super) challenge: u16,
    pub(super) in_a_row: u32,
    pub(super) alarms: Alarms,
    pub(super) counts: Counts,
    /// Since when the line has been held …
    pub(super) held_since: Option<Moment>,
    /// … and the reject output been on.
    pub(super) reject_since: Option<Moment>,
    /// Levels as they were last given out: reject, pass, fault, strobe.
    pub(super) levels: [Option<bool>; 4],
}

impl Gate {
    /// A gate without parts, held in the safe state; `counts` are those of earlier runs.
    #[must_use]
    pub fn new(settings: Settings, counts: Counts, now: Moment) -> Self {
        Self {
            settings,
            belt: Belt::new(settings.measure, now),
            queue: VecDeque::with_capacity(settings.queue),
            settled: VecDeque::with_capacity(SETTLED),
            report_from: Moment(0),
            reject: Pulse::new(settings.pulse),
            pass: Pulse::new(settings.pulse),
            strobe: Pulse::new(settings.strobe.map_or(Duration::ZERO, |(_, on)| on)),
            strobes: VecDeque::with_capacity(settings.queue),
            unknown_until: None,
            confirmation: settings.confirm_within.map(|within| Confirmation::new(within, settings.queue)),
            last_part: 0,
            last_place: 0,
            challenge: 0,
            in_a_row: 0,
            alarms: Alarms { not_ready: true, ..Alarms::default() },
            counts: counts.resumed(),
            held_since: None,
            reject_since: None,
            levels: [None; 4],
        }
    }

    /// The encoder gave `ticks` up to `at`.
    pub fn encoder(&mut self, ticks: u32, at: Moment) {
        self.belt.advance(ticks, at);
    }

    /// The belt was started or stopped. A start acknowledges the request to stop.
    pub fn belt(&mut self, running: bool, at: Moment) {
        self.belt.set_running(running, at);
        if running {
            self.acknowledge();
        }
    }

    /// A part fell behind the gate.
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

    /// Somebody has seen the alarms: those that don't hold by themselves end.
    pub const fn acknowledge(&mut self) {
        self.alarms.rejects_in_a_row = false;
        self.alarms.unconfirmed = false;
        self.alarms.missed = false;
        self.alarms.triggers_lost = false;
        self.alarms.tracking_lost = false;
        self.in_a_row = 0;
    }

    /// The next `parts` to be triggered are known to be bad: each is put out, and one without the verdict `reject` is an alarm
    /// that only another challenge ends.
    pub const fn challenge(&mut self, parts: u16) {
        self.challenge = parts;
        self.alarms.challenge_missed = false;
    }

    /// Known-bad parts still to come.
    #[must_use]
    pub const fn challenge_left(&self) -> u16 {
        self.challenge
    }

    /// What has been seen and done.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What drives the fault output.
    #[must_use]
    pub const fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// How it works.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Parts between trigger and gate, and those that wait for their report; those of which nothing is known count as one.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.queue.len() + self.settled.len()
    }

    /// When [`Self::poll`] is due again, if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        // A part for which there is no room waits for reports, not for the belt.
        let front = self.queue.front().filter(|_| self.settled.len() < SETTLED);
        let release = front.and_then(|queued| self.belt.reaches(queued.release));
        let report = self.settled.front().map(|settled| settled.released_at.max(self.report_from));
        let unknown = self.unknown_until.and_then(|position| self.belt.reaches(position));
        let fall = self.confirmation.as_ref().and_then(Confirmation::next);
        let pulses =
            [self.reject.until(), self.pass.until(), self.strobe.until(), self.strobes.front().copied()];
        pulses.into_iter().chain([release, report, unknown, fall]).flatten().min()
    }

    /// Does what is due at `now`, and adds what follows from it to `actions`: levels, then reports, up to 128 of them
    /// in half a millisecond.
    pub fn poll(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.watch_hold(now);
        while self.strobes.front().is_some_and(|at| *at <= now) {
            self.strobes.pop_front();
            self.strobe.start(now);
        }
        while let Some(queued) = self.arrived(now) {
            self.settle(&queued, now);
        }
        self.end_pulses(now);
        let overdue = self.confirmation.as_mut().map_or(0, |waiting| waiting.overdue(now));
        self.did_not_fall(overdue);
        self.give_out_levels(now, actions);
        if now >= self.report_from {
            self.report(actions);
            // Whoever takes the reports, on a board with one core, must come to run as well.
            self.report_from = if self.settled.is_empty() { now } else { now + REST };
        }
    }

    /// The end: whatever is under way will meet the safe state. Reports come in portions, as from [`Self::poll`]: call it
    /// again while parts are [under way](Self::under_way).
    pub fn close(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.alarms.not_ready = true;
        self.watch_hold(now);
        while self.settled.len() < SETTLED
            && let Some(queued) = self.queue.pop_front()
        {
            self.settle(&queued, now);
        }
        self.give_out_levels(now, actions);
        self.report(actions);
    }

    /// Takes the next part out of the queue if it is at the gate.
    fn arrived(&mut self, now: Moment) -> Option<Queued> {
        let front = self.queue.front()?;
        let due = self.belt.reaches(front.release)?;
        if due <= now && self.settled.len() < SETTLED { self.queue.pop_front() } else { None }
    }
}
