//! What comes into the queue between trigger and gate, and what becomes unknown there.

use super::queued::Queued;
use super::state::Gate;
use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{PartNumber, PartVerdict, Reason};

impl Gate {
    /// A part was triggered. Numbers grow by one from part to part.
    pub fn trigger(&mut self, part: PartNumber, product: u16, at: Moment) {
        let challenge = self.take_challenge(1);
        if let Some((delay, _)) = self.settings.strobe
            && self.strobes.len() < self.settings.queue
        {
            self.strobes.push_back(at + delay);
        }
        let release = self.place_behind_all(at);
        self.enter(Queued {
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

    /// The triggers of `parts` parts from the number `first` on were lost between the last trigger and `at`. Call it
    /// before [`Self::trigger`] with the trigger that showed it.
    pub fn lose_triggers(&mut self, first: PartNumber, parts: u32, product: u16, at: Moment) {
        let Some(last) = first.checked_add(u64::from(parts)).and_then(|end| end.checked_sub(1)) else {
            return;
        };
        if parts == 0 {
            return;
        }
        self.alarms.triggers_lost = true;
        // Known-bad parts may be among them.
        let challenge = self.take_challenge(parts);
        // The first of them may be right behind the part before.
        let release = self.last_place;
        let until = self.place_behind_all(at);
        self.enter(Queued {
            part: first,
            last,
            product,
            triggered_at: at,
            release,
            until,
            verdict: None,
            challenge,
            unknown: Some(Reason::TriggerLost),
        });
    }

    /// The encoder's count ran back or jumped: nobody knows where the parts under way are. The gate stays on from now
    /// until the last of them must have passed.
    pub fn lose_tracking(&mut self, at: Moment) {
        self.alarms.tracking_lost = true;
        let here = self.belt.position_at(at);
        let until = self.place_behind_all(at);
        // Those that came to the gate before this are gone, wherever the others are.
        let there = self.queue.partition_point(|queued| queued.until <= here);
        let mut rejects = self.unknown_until.is_some();
        for queued in self.queue.range_mut(there..) {
            queued.release = until;
            queued.until = until;
            queued.unknown.get_or_insert(Reason::TrackingLost);
            rejects |= self.settings.safe == Safe::Reject || queued.challenge > 0;
        }
        if rejects {
            self.keep_rejecting_until(until);
        }
    }

    /// Whether a part triggered `at` that moment would be served at `now` later than it can be at the gate.
    #[must_use]
    pub fn has_gone_by(&self, at: Moment, now: Moment) -> bool {
        let place = self.belt.position_at(at).saturating_add(self.settings.distance);
        self.belt.reaches(place).is_some_and(|due| now.since(due) > self.settings.pulse)
    }

    /// The inspector has a part's verdict.
    pub fn verdict(&mut self, verdict: PartVerdict) {
        let index = self.queue.partition_point(|queued| queued.last < verdict.part);
        match self.queue.get_mut(index) {
            Some(queued) if queued.part <= verdict.part && !queued.can_be_told_apart() => {}
            Some(queued) if queued.part == verdict.part && queued.verdict.is_none() => {
                queued.verdict = Some(verdict);
            }
            Some(queued) if queued.part == verdict.part => self.counts.stray_verdicts += 1,
            _ if verdict.part <= self.last_part => self.counts.late_verdicts += 1,
            _ => self.counts.stray_verdicts += 1,
        }
    }

    /// Behind all that is queued; if that has no room, together with the last of it.
    fn enter(&mut self, queued: Queued) {
        self.counts.triggered += queued.parts();
        self.last_part = queued.last;
        let full = self.queue.len() >= self.settings.queue;
        match self.queue.back_mut() {
            Some(back) if full => {
                back.last = queued.last;
                back.until = queued.until;
                back.challenge = back.challenge.saturating_add(queued.challenge);
                back.unknown.get_or_insert(Reason::Overflow);
            }
            _ => self.queue.push_back(queued),
        }
    }

    /// The place at the gate of a part triggered `at` that moment. A belt never runs back, and a trigger that is reported
    /// late must not overtake.
    fn place_behind_all(&mut self, at: Moment) -> u64 {
        let place = self.belt.position_at(at).saturating_add(self.settings.distance);
        self.last_place = place.max(self.last_place);
        self.last_place
    }

    /// How many of the next `parts` are known to be bad.
    fn take_challenge(&mut self, parts: u32) -> u32 {
        let taken = u16::try_from(parts).unwrap_or(u16::MAX).min(self.challenge);
        self.challenge -= taken;
        u32::from(taken)
    }
}

impl Queued {
    /// Whether a verdict can be of use: to carry it out, or to report it and to see that a challenge was met.
    fn can_be_told_apart(&self) -> bool {
        self.unknown.is_none() || self.part == self.last
    }
}
