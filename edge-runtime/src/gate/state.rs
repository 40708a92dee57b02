//! The queue of parts between trigger and gate, and what becomes of each.

use std::collections::VecDeque;
use std::time::Duration;

use shared_format::Verdict;

use super::alarms::{Alarms, Hold};
use super::belt::Belt;
use super::confirmation::Confirmation;
use super::counts::Counts;
use super::pulse::Pulse;
use super::queued::Queued;
use super::settings::Settings;
use super::signal::{Action, Signal};
use crate::line_file::Safe;
use crate::moment::Moment;
use crate::part::{Disposition, PartNumber, PartVerdict, Reason, Release};

/// The gate of one line. It starts held as [`Hold::NotReady`].
///
/// Whoever owns it feeds in what happens, calls [`Self::poll`] after that and at [`Self::next_wake`], and carries out
/// the [`Action`]s. Nothing allocates after [`Self::new`], but `actions` where it has to grow.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    belt: Belt,
    queue: VecDeque<Queued>,
    reject: Pulse,
    pass: Pulse,
    strobe: Pulse,
    /// When the strobe is due, in order.
    strobes: VecDeque<Moment>,
    /// Parts of which nothing is known pass the gate until the belt is there.
    unknown_until: Option<u64>,
    confirmation: Option<Confirmation>,
    last_part: PartNumber,
    /// Where the last trigger's part is at the gate.
    last_release: u64,
    /// Known-bad parts still to be triggered.
    challenge: u16,
    in_a_row: u32,
    alarms: Alarms,
    counts: Counts,
    /// Levels as they were last given out: reject, pass, fault, strobe.
    levels: [Option<bool>; 4],
}

impl Gate {
    /// A gate without parts, held in the safe state; `counts` are those of earlier runs.
    #[must_use]
    pub fn new(settings: Settings, counts: Counts, now: Moment) -> Self {
        Self {
            settings,
            belt: Belt::new(settings.measure, now),
            queue: VecDeque::with_capacity(settings.queue),
            reject: Pulse::new(settings.pulse),
            pass: Pulse::new(settings.pulse),
            strobe: Pulse::new(settings.strobe.map_or(Duration::ZERO, |(_, on)| on)),
            strobes: VecDeque::with_capacity(settings.queue),
            unknown_until: None,
            confirmation: settings.confirm_within.map(|within| Confirmation::new(within, settings.queue)),
            last_part: 0,
            last_release: 0,
            challenge: 0,
            in_a_row: 0,
            alarms: Alarms { not_ready: true, ..Alarms::default() },
            counts: counts.resumed(),
            levels: [None; 4],
        }
    }

    /// A part was triggered. Numbers grow by one from part to part.
    pub fn trigger(&mut self, part: PartNumber, product: u16, at: Moment) {
        self.counts.triggered += 1;
        self.last_part = part;
        let challenge = self.challenge > 0;
        self.challenge = self.challenge.saturating_sub(1);
        let release = self.belt.position_at(at) + self.settings.distance;
        self.last_release = release.max(self.last_release);
        if let Some((delay, _)) = self.settings.strobe
            && self.strobes.len() < self.settings.queue
        {
            self.strobes.push_back(at + delay);
        }
        let full = self.queue.len() >= self.settings.queue;
        match self.queue.back_mut() {
            Some(back) if full => {
                back.last = part;
                back.until = release.max(back.until);
                back.challenge |= challenge;
                back.unknown.get_or_insert(Reason::Overflow);
            }
            _ => {
                // A belt never runs back; a trigger reported late must not overtake.
                let release = self.queue.back().map_or(release, |back| release.max(back.release));
                self.queue.push_back(Queued {
                    part,
                    last: part,
                    product,
                    triggered_at: at,
                    release,
                    until: release,
                    verdict: None,
                    challenge,
                    unknown: None,
                });
            }
        }
    }

    /// The triggers of `parts` parts from the number `first` on were lost between the last trigger and `at`. Call it
    /// before [`Self::trigger`] with the trigger that showed it.
    pub fn lose_triggers(&mut self, first: PartNumber, parts: u32, product: u16, at: Moment) {
        let Some(last) = first.checked_add(u64::from(parts)).and_then(|end| end.checked_sub(1)) else {
            return;
        };
        if parts == 0 {
            return;
        }
        self.counts.triggered += u64::from(parts);
        self.last_part = last;
        self.alarms.triggers_lost = true;
        let until = self.belt.position_at(at) + self.settings.distance;
        let full = self.queue.len() >= self.settings.queue;
        match self.queue.back_mut() {
            Some(back) if full => {
                back.last = last;
                back.until = until.max(back.until);
                back.unknown.get_or_insert(Reason::Overflow);
            }
            _ => self.queue.push_back(Queued {
                part: first,
                last,
                product,
                triggered_at: at,
                release: self.last_release,
                until: until.max(self.last_release),
                verdict: None,
                challenge: false,
                unknown: Some(Reason::TriggerLost),
            }),
        }
    }

    /// The encoder's count ran back or jumped: nobody knows where the parts under way are. The reject output stays on
    /// until the last of them must have passed.
    pub fn lose_tracking(&mut self, at: Moment) {
        self.alarms.tracking_lost = true;
        let until = self.belt.position_at(at) + self.settings.distance;
        for queued in &mut self.queue {
            queued.release = until;
            queued.until = until;
            queued.unknown = Some(Reason::TrackingLost);
        }
        if self.settings.safe == Safe::Reject {
            self.unknown_until = Some(until.max(self.unknown_until.unwrap_or(0)));
        }
    }

    /// The inspector has a part's verdict.
    pub fn verdict(&mut self, verdict: PartVerdict) {
        let index = self.queue.partition_point(|queued| queued.last < verdict.part);
        match self.queue.get_mut(index) {
            Some(queued) if queued.unknown.is_some() && queued.part <= verdict.part => {}
            Some(queued) if queued.part == verdict.part && queued.verdict.is_none() => {
                queued.verdict = Some(verdict);
            }
            Some(queued) if queued.part == verdict.part => self.counts.stray_verdicts += 1,
            _ if verdict.part <= self.last_part => self.counts.late_verdicts += 1,
            _ => self.counts.stray_verdicts += 1,
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
        match confirmation.fell() {
            Some(_) => self.alarms.unconfirmed = false,
            None => self.counts.unexpected_falls += 1,
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

    /// Parts between trigger and gate; those of which nothing is known count as one.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.queue.len()
    }

    /// When [`Self::poll`] is due again, if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let release = self.queue.front().and_then(|queued| self.belt.reaches(queued.release));
        let unknown = self.unknown_until.and_then(|position| self.belt.reaches(position));
        let fall = self.confirmation.as_ref().and_then(Confirmation::next);
        let pulses =
            [self.reject.until(), self.pass.until(), self.strobe.until(), self.strobes.front().copied()];
        pulses.into_iter().chain([release, unknown, fall]).flatten().min()
    }

    /// Does what is due at `now`, and adds what follows from it to `actions`.
    pub fn poll(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while self.strobes.front().is_some_and(|at| *at <= now) {
            self.strobes.pop_front();
            self.strobe.start(now);
        }
        while let Some((queued, due)) = self.arrived(now) {
            self.queue.pop_front();
            self.release_all(&queued, due, now, actions);
        }
        if let Some(position) = self.unknown_until
            && self.belt.reaches(position).is_some_and(|due| due <= now)
        {
            self.unknown_until = None;
            self.reject.start(now);
        }
        if self.reject.is_over(now) && !self.bridge(now) {
            self.reject.end();
        }
        for pulse in [&mut self.pass, &mut self.strobe] {
            if pulse.is_over(now) {
                pulse.end();
            }
        }
        while self.confirmation.as_mut().is_some_and(|waiting| waiting.overdue(now).is_some()) {
            self.did_not_fall();
        }
        self.give_out_levels(actions);
    }

    /// The end: whatever is under way will meet the safe state.
    pub fn close(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.alarms.not_ready = true;
        while let Some(queued) = self.queue.pop_front() {
            self.release_all(&queued, now, now, actions);
        }
        self.give_out_levels(actions);
    }

    fn arrived(&self, now: Moment) -> Option<(Queued, Moment)> {
        let front = *self.queue.front()?;
        let due = self.belt.reaches(front.release)?;
        (due <= now).then_some((front, due))
    }

    fn release_all(&mut self, queued: &Queued, due: Moment, now: Moment, actions: &mut Vec<Action>) {
        if queued.unknown.is_some() && self.settings.safe == Safe::Reject {
            self.unknown_until = Some(queued.until.max(self.unknown_until.unwrap_or(0)));
        }
        for part in queued.part..=queued.last {
            let (disposition, reason) = self.dispose(queued, due);
            let release = Release {
                part,
                product: queued.product,
                triggered_at: queued.triggered_at,
                released_at: now,
                lateness: now.since(due),
                verdict: queued.verdict.filter(|verdict| verdict.part == part),
                disposition,
                reason,
            };
            self.counts.release(&release);
            self.carry_out(&release);
            actions.push(Action::Released(release));
        }
    }

    fn dispose(&mut self, queued: &Queued, due: Moment) -> (Disposition, Reason) {
        let verdict = queued.verdict.filter(|_| queued.unknown.is_none()).map(|verdict| verdict.verdict);
        if queued.challenge {
            if verdict != Some(Verdict::Reject) {
                self.counts.challenges_missed += 1;
                self.alarms.challenge_missed = true;
            }
            return (Disposition::Reject, Reason::Challenge);
        }
        let safe = match self.settings.safe {
            Safe::Reject => Disposition::Reject,
            Safe::Pass => Disposition::Pass,
        };
        let (disposition, reason) = match (queued.unknown, verdict) {
            (Some(reason), _) => (safe, reason),
            _ if self.alarms.hold() => (safe, Reason::Held),
            (None, Some(Verdict::Pass)) => (Disposition::Pass, Reason::Verdict),
            (None, Some(Verdict::Reject)) => (Disposition::Reject, Reason::Verdict),
            (None, Some(Verdict::Fault)) => (safe, Reason::Fault),
            (None, None) => (safe, Reason::Missing),
        };
        let held = self.reject.until().is_some_and(|until| until > due) || self.unknown_until.is_some();
        if disposition == Disposition::Pass && held {
            return (Disposition::Reject, Reason::Swept);
        }
        (disposition, reason)
    }

    fn carry_out(&mut self, release: &Release) {
        match (release.disposition, release.reason) {
            (Disposition::Pass, _) => {
                self.pass.start(release.released_at);
                self.in_a_row = 0;
                self.alarms.rejects_in_a_row = false;
            }
            // Its place is in another's pulse: it must not lengthen it.
            (Disposition::Reject, Reason::Swept) => {}
            (Disposition::Reject, reason) => {
                self.pass.end();
                self.reject.start(release.released_at);
                let waiting = self.confirmation.as_mut();
                if waiting.is_some_and(|waiting| waiting.expect(release.part, release.released_at).is_some())
                {
                    self.did_not_fall();
                }
                // A hold and a challenge say nothing of the process.
                if !matches!(reason, Reason::Challenge | Reason::Held) {
                    self.count_in_a_row();
                }
            }
        }
    }

    fn count_in_a_row(&mut self) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.settings.stop_after_rejects.is_some_and(|most| self.in_a_row >= most)
            && !self.alarms.rejects_in_a_row
        {
            self.alarms.rejects_in_a_row = true;
            self.counts.stops += 1;
        }
    }

    const fn did_not_fall(&mut self) {
        self.counts.unconfirmed += 1;
        self.alarms.unconfirmed = true;
    }

    /// Keeps the reject output on from one pulse to the next where the rest between them would be too short. A part
    /// without a verdict yet may become the next pulse.
    fn bridge(&mut self, now: Moment) -> bool {
        let next = self.queue.iter().find(|queued| queued.may_be_rejected(self.settings.safe));
        let expected = next.and_then(|queued| self.belt.expects(queued.release));
        match expected {
            Some(expected) if expected > now && expected < now + self.settings.gap => {
                self.reject.hold_until(expected);
                true
            }
            _ => false,
        }
    }

    fn give_out_levels(&mut self, actions: &mut Vec<Action>) {
        let hold = self.alarms.hold();
        let rejecting = self.reject.is_on() || self.unknown_until.is_some();
        let reject = rejecting || hold && self.settings.safe == Safe::Reject;
        let pass = !reject && (self.pass.is_on() || hold && self.settings.safe == Safe::Pass);
        let wanted = [
            (Signal::Reject, reject),
            (Signal::Pass, pass),
            (Signal::Fault, self.alarms.any()),
            (Signal::Strobe, self.strobe.is_on()),
        ];
        for ((signal, on), level) in wanted.into_iter().zip(&mut self.levels) {
            if *level != Some(on) {
                *level = Some(on);
                actions.push(Action::Set(signal, on));
            }
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
