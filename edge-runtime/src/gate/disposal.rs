//! The disposition of a part that has reached the gate.

use shared_format::Verdict;

use super::queued::{Queued, Settled};
use super::signal::Action;
use super::state::Gate;
use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{Disposition, Reason};

/// Maximum number of parts reported in one poll: millions may have overflowed, and none of them may delay a pulse.
pub(super) const PORTION: usize = 128;

impl Gate {
    /// Settles where a part goes and drives the outputs for it. Several unknown parts in one entry are settled at once;
    /// their reports follow in batches.
    pub(super) fn settle(&mut self, queued: &Queued, now: Moment) {
        let start = self.belt.reaches(queued.release).map_or(now, |start| start.min(now));
        let end = self.belt.reaches(queued.until);
        let gone = end.is_some_and(|end| now.since(end) > self.settings.pulse);
        let own = self.own_way(queued);
        let way = if gone { self.way_of_gone(own, start) } else { self.way_at_gate(queued, own, start) };
        // The first of several may have gone by before the gate came on for them.
        let began_late = now.since(start) > self.settings.pulse && own.0 == Disposition::Reject;
        if way.1 == Reason::Missed || began_late && !was_on(self.reject_since, start) {
            self.alarms.missed = true;
        }
        self.meet_challenge(queued, way.1);
        self.carry_out(queued, way, gone, now);
        self.settled.push_back(Settled {
            part: queued.part,
            last: queued.last,
            product: queued.product,
            triggered_at: queued.triggered_at,
            released_at: now,
            lateness: now.since(start),
            verdict: queued.verdict,
            disposition: way.0,
            reason: way.1,
        });
    }

    /// Counts and reports the next batch of settled parts.
    pub(super) fn report(&mut self, actions: &mut Vec<Action>) {
        for _ in 0..PORTION {
            let Some(settled) = self.settled.front_mut() else { return };
            let release = settled.release();
            if settled.part == settled.last {
                self.settled.pop_front();
            } else {
                settled.part += 1;
            }
            self.counts.release(&release);
            actions.push(Action::Released(release));
        }
    }

    /// Returns where the part would go if nothing else were at the gate.
    fn own_way(&self, queued: &Queued) -> (Disposition, Reason) {
        let safe = match self.settings.safe {
            Safe::Reject => Disposition::Reject,
            Safe::Pass => Disposition::Pass,
        };
        match (queued.unknown, queued.verdict.map(|verdict| verdict.verdict)) {
            (Some(reason), _) if queued.challenge > 0 => (Disposition::Reject, reason),
            (Some(reason), _) => (safe, reason),
            _ if queued.challenge > 0 => (Disposition::Reject, Reason::Challenge),
            _ if self.alarms.hold() => (safe, Reason::Held),
            (None, Some(Verdict::Pass)) => (Disposition::Pass, Reason::Verdict),
            (None, Some(Verdict::Reject)) => (Disposition::Reject, Reason::Verdict),
            (None, Some(Verdict::Fault)) => (safe, Reason::Fault),
            (None, None) => (safe, Reason::Missing),
        }
    }

    fn way_at_gate(
        &self,
        queued: &Queued,
        own: (Disposition, Reason),
        start: Moment,
    ) -> (Disposition, Reason) {
        let pulse = self.reject.until().is_some_and(|until| until > start);
        // The gate can't tell apart parts at the same position.
        let next = self.queue.front().filter(|next| next.release <= queued.release);
        let beside = next.is_some_and(|next| self.own_way(next).0 == Disposition::Reject);
        let sweeps = pulse || beside || self.unknown_until.is_some();
        if own.0 == Disposition::Pass && sweeps { (Disposition::Reject, Reason::Swept) } else { own }
    }

    /// Returns where a part went that has already gone by: it met the gate as it was, and a pulse now would hit another
    /// part.
    fn way_of_gone(&self, own: (Disposition, Reason), start: Moment) -> (Disposition, Reason) {
        let was_rejecting = was_on(self.reject_since, start);
        match own {
            (Disposition::Reject, _) if was_rejecting => own,
            (Disposition::Pass, _) if was_rejecting => (Disposition::Reject, Reason::Swept),
            (Disposition::Pass, Reason::Held) if was_on(self.held_since, start) => own,
            _ => (Disposition::Pass, Reason::Missed),
        }
    }

    fn carry_out(&mut self, queued: &Queued, way: (Disposition, Reason), gone: bool, now: Moment) {
        match way {
            (Disposition::Pass, _) if gone => {}
            (Disposition::Pass, _) => {
                self.pass.start(now);
                self.in_a_row = 0;
                self.alarms.rejects_in_a_row = false;
            }
            // It is within another part's pulse, which it must not lengthen.
            (Disposition::Reject, Reason::Swept) => {}
            (Disposition::Reject, reason) => {
                if !gone {
                    self.put_out(queued, now);
                }
                // A hold or a challenge says nothing about the process.
                if !matches!(reason, Reason::Challenge | Reason::Held) {
                    self.count_in_a_row(queued.parts());
                }
            }
        }
    }

    fn put_out(&mut self, queued: &Queued, now: Moment) {
        self.pass.end();
        self.reject.start(now);
        if queued.unknown.is_some() {
            self.keep_rejecting_until(queued.until);
        }
        let released_at = self.unknown_until.is_none().then_some(now);
        let given_up = self.confirmation.as_mut().map_or(0, |w| w.expect(queued.parts(), released_at));
        self.did_not_fall(given_up);
    }

    /// Keeps rejecting until the belt reaches `position`: unknown parts may pass the gate until then.
    pub(super) fn keep_rejecting_until(&mut self, position: u64) {
        self.unknown_until = Some(position.max(self.unknown_until.unwrap_or(0)));
    }

    /// Updates the challenge: each known-bad part meets it if it is recognised as bad and rejected.
    fn meet_challenge(&mut self, queued: &Queued, reason: Reason) {
        let parts = u64::from(queued.challenge);
        if parts == 0 {
            return;
        }
        if reason != Reason::Challenge {
            self.counts.challenged += parts;
        }
        if !queued.is_recognised() || reason == Reason::Missed {
            self.counts.challenges_missed += parts;
            self.alarms.challenge_missed = true;
        }
    }

    fn count_in_a_row(&mut self, parts: u64) {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        self.in_a_row = self.in_a_row.saturating_add(parts);
        if self.settings.stop_after_rejects.is_some_and(|most| self.in_a_row >= most)
            && !self.alarms.rejects_in_a_row
        {
            self.alarms.rejects_in_a_row = true;
            self.counts.stops += 1;
        }
    }

    pub(super) const fn did_not_fall(&mut self, parts: u64) {
        if parts > 0 {
            self.counts.unconfirmed = self.counts.unconfirmed.saturating_add(parts);
            self.alarms.unconfirmed = true;
        }
    }
}

/// Returns whether what has been on since `since` was on at `at`.
fn was_on(since: Option<Moment>, at: Moment) -> bool {
    since.is_some_and(|since| since <= at)
}
