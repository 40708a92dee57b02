//! The disposition of a part that has reached the gate.

use shared_format::Verdict;

use super::queue_entry::{QueueEntry, SettledEntry};
use super::signal::Action;
use super::state::Gate;
use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{Disposition, Reason};

/// Maximum number of parts reported in one poll: millions may have overflowed, and none of them may delay a pulse.
pub(super) const REPORT_BATCH: usize = 128;

impl Gate {
    /// Settles where a part goes and drives the outputs for it. Several unknown parts in one entry are settled at once;
    /// their reports follow in batches.
    pub(super) fn settle(&mut self, queued: &QueueEntry, now: Moment) {
        let start = self.belt.time_at(queued.release).map_or(now, |start| start.min(now));
        let end = self.belt.time_at(queued.until);
        let gone = end.is_some_and(|end| now.since(end) > self.settings.pulse);
        let default = self.default_disposition(queued);
        let disposition = if gone {
            self.past_disposition(default, start)
        } else {
            self.disposition_at_gate(queued, default, start)
        };
        // The first of several may have gone by before the gate came on for them.
        let began_late = now.since(start) > self.settings.pulse && default.0 == Disposition::Reject;
        if disposition.1 == Reason::Missed || began_late && !was_on(self.reject_since, start) {
            self.alarms.missed = true;
        }
        self.meet_challenge(queued, disposition.1);
        self.apply(queued, disposition, gone, now);
        self.settled.push_back(SettledEntry {
            part: queued.part,
            last: queued.last,
            product: queued.product,
            triggered_at: queued.triggered_at,
            released_at: now,
            lateness: now.since(start),
            verdict: queued.verdict,
            disposition: disposition.0,
            reason: disposition.1,
        });
    }

    /// Counts and reports the next batch of settled parts.
    pub(super) fn report(&mut self, actions: &mut Vec<Action>) {
        for _ in 0..REPORT_BATCH {
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
    fn default_disposition(&self, queued: &QueueEntry) -> (Disposition, Reason) {
        let safe = match self.settings.safe {
            Safe::Reject => Disposition::Reject,
            Safe::Pass => Disposition::Pass,
        };
        let fault = match queued.verdict {
            Some(verdict) if verdict.other_product => Reason::OtherProduct,
            _ => Reason::Fault,
        };
        match (queued.unknown, queued.verdict.map(|verdict| verdict.verdict)) {
            (Some(reason), _) if queued.challenge > 0 => (Disposition::Reject, reason),
            (Some(reason), _) => (safe, reason),
            _ if queued.challenge > 0 => (Disposition::Reject, Reason::Challenge),
            _ if self.alarms.is_held() => (safe, Reason::Held),
            (None, Some(Verdict::Pass)) => (Disposition::Pass, Reason::Verdict),
            (None, Some(Verdict::Reject)) => (Disposition::Reject, Reason::Verdict),
            (None, Some(Verdict::Fault)) => (safe, fault),
            (None, None) => (safe, Reason::Missing),
        }
    }

    fn disposition_at_gate(
        &self,
        queued: &QueueEntry,
        default: (Disposition, Reason),
        start: Moment,
    ) -> (Disposition, Reason) {
        let pulse = self.reject.until().is_some_and(|until| until > start);
        // The gate can't tell apart parts at the same position.
        let next = self.queue.front().filter(|next| next.release <= queued.release);
        let beside = next.is_some_and(|next| self.default_disposition(next).0 == Disposition::Reject);
        let sweeps = pulse || beside || self.unknown_until.is_some();
        if default.0 == Disposition::Pass && sweeps { (Disposition::Reject, Reason::Swept) } else { default }
    }

    /// Returns where a part went that has already gone by: it met the gate as it was, and a pulse now would hit another
    /// part.
    fn past_disposition(&self, default: (Disposition, Reason), start: Moment) -> (Disposition, Reason) {
        let was_rejecting = was_on(self.reject_since, start);
        match default {
            (Disposition::Reject, _) if was_rejecting => default,
            (Disposition::Pass, _) if was_rejecting => (Disposition::Reject, Reason::Swept),
            (Disposition::Pass, Reason::Held) if was_on(self.held_since, start) => default,
            _ => (Disposition::Pass, Reason::Missed),
        }
    }

    fn apply(&mut self, queued: &QueueEntry, disposition: (Disposition, Reason), gone: bool, now: Moment) {
        match disposition {
            (Disposition::Pass, _) if gone => {}
            (Disposition::Pass, _) => {
                self.pass.start(now);
                self.consecutive_rejects = 0;
                self.alarms.rejects_in_a_row = false;
            }
            // It is within another part's pulse, which it must not lengthen.
            (Disposition::Reject, Reason::Swept) => {}
            (Disposition::Reject, reason) => {
                if !gone {
                    self.reject_part(queued, now);
                }
                // A hold or a challenge says nothing about the process.
                if !matches!(reason, Reason::Challenge | Reason::Held) {
                    self.count_consecutive_rejects(queued.parts());
                }
            }
        }
    }

    fn reject_part(&mut self, queued: &QueueEntry, now: Moment) {
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
    fn meet_challenge(&mut self, queued: &QueueEntry, reason: Reason) {
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

    fn count_consecutive_rejects(&mut self, parts: u64) {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        self.consecutive_rejects = self.consecutive_rejects.saturating_add(parts);
        if self.settings.stop_after_rejects.is_some_and(|max| self.consecutive_rejects >= max)
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
