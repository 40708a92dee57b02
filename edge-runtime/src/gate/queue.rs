//! Adding parts to the queue between trigger and gate, and losing track of them.

use super::queue_entry::QueueEntry;
use super::state::Gate;
use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{PartNumber, PartVerdict, Reason};

impl Gate {
    /// Adds a triggered part. Numbers increase by one from part to part.
    pub fn trigger(&mut self, part: PartNumber, product: u16, at: Moment) {
        let challenge = self.take_challenge(1);
        if let Some((delay, _)) = self.settings.strobe
            && self.strobes.len() < self.settings.queue
        {
            self.strobes.push_back(at + delay);
        }
        let release = self.reserve_position(at);
        self.enqueue(QueueEntry {
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

    /// Adds `parts` parts, numbered from `first`, whose triggers were lost between the last trigger and `at`. Call it
    /// before calling [`Self::trigger`] for the trigger that revealed the loss.
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
        // The first of them may be right behind the previous part.
        let release = self.last_position;
        let until = self.reserve_position(at);
        self.enqueue(QueueEntry {
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

    /// Handles the loss of tracking: the encoder count ran backwards or jumped, the encoder was silent, or messages about
    /// the belt were lost, so the positions of the parts under way are unknown. The gate stays on from now until the last of
    /// them must have passed, unless the safe side is `pass` and none is known to be bad.
    pub fn lose_tracking(&mut self, at: Moment) {
        self.alarms.tracking_lost = true;
        let here = self.belt.position_at(at);
        let until = self.reserve_position(at);
        // Those that reached the gate before this are gone, wherever the others are.
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

    /// Returns whether a part triggered at `at` has gone past the gate by `now`: it reached the gate more than a pulse's
    /// length before.
    #[must_use]
    pub fn is_past_gate(&self, at: Moment, now: Moment) -> bool {
        let position = self.belt.position_at(at).saturating_add(self.settings.distance);
        self.belt.time_at(position).is_some_and(|due| now.since(due) > self.settings.pulse)
    }

    /// Records a part's verdict from the inspector.
    pub fn verdict(&mut self, verdict: PartVerdict) {
        let index = self.queue.partition_point(|queued| queued.last < verdict.part);
        match self.queue.get_mut(index) {
            Some(queued) if queued.part <= verdict.part && !queued.is_distinguishable() => {}
            Some(queued) if queued.part == verdict.part && queued.verdict.is_none() => {
                queued.verdict = Some(verdict);
            }
            Some(queued) if queued.part == verdict.part => self.counts.stray_verdicts += 1,
            _ if verdict.part <= self.last_part => self.counts.late_verdicts += 1,
            _ => self.counts.stray_verdicts += 1,
        }
    }

    /// Adds an entry to the queue, or merges it into the last one if the queue is full.
    fn enqueue(&mut self, queued: QueueEntry) {
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

    /// Returns the belt position at which a part triggered at `at` is at the gate. A belt never runs backwards, and
    /// a trigger that is reported late must not overtake earlier ones.
    fn reserve_position(&mut self, at: Moment) -> u64 {
        let position = self.belt.position_at(at).saturating_add(self.settings.distance);
        self.last_position = position.max(self.last_position);
        self.last_position
    }

    /// Takes up to `parts` known-bad parts off the challenge and returns how many.
    fn take_challenge(&mut self, parts: u32) -> u32 {
        let taken = u16::try_from(parts).unwrap_or(u16::MAX).min(self.challenge);
        self.challenge -= taken;
        u32::from(taken)
    }
}

impl QueueEntry {
    /// Returns whether a verdict is of use: to carry it out, or to report it and to see that a challenge was met.
    fn is_distinguishable(&self) -> bool {
        self.unknown.is_none() || self.part == self.last
    }
}
