//! The levels of the outputs.

use super::signal::{Action, Signal};
use super::state::Gate;
use crate::clock::Moment;
use crate::line_file::Safe;

impl Gate {
    /// Ends what is over at `now`: pulses, and the stretch in which unknown parts may pass.
    pub(super) fn end_pulses(&mut self, now: Moment) {
        if let Some(position) = self.unknown_until
            && let Some(due) = self.belt.time_at(position)
            && due <= now
        {
            self.unknown_until = None;
            // The last of them may only now be at the gate. If this runs late, the output was on for it all along.
            self.reject.start(due);
            if let Some(waiting) = &mut self.confirmation {
                waiting.all_came(now);
            }
        }
        if self.reject.is_over(now) && !self.bridge(now) {
            self.reject.end();
        }
        for pulse in [&mut self.pass, &mut self.strobe] {
            if pulse.is_over(now) {
                pulse.end();
            }
        }
    }

    /// Keeps the reject output on from one pulse to the next if the pause between them would be too short. A part
    /// without a verdict yet may become the next pulse.
    fn bridge(&mut self, now: Moment) -> bool {
        let next = self.queue.iter().find(|queued| queued.may_be_rejected(self.settings.safe));
        let expected = next.and_then(|queued| self.belt.estimated_time_at(queued.release));
        match expected {
            Some(expected) if expected > now && expected < now + self.settings.gap => {
                self.reject.hold_until(expected);
                true
            }
            _ => false,
        }
    }

    /// Records when the current hold was first seen.
    pub(super) fn update_hold(&mut self, now: Moment) {
        self.held_since = self.alarms.is_held().then(|| self.held_since.unwrap_or(now));
    }

    pub(super) fn update_levels(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let hold = self.alarms.is_held();
        let rejecting = self.reject.is_on() || self.unknown_until.is_some();
        let reject = rejecting || hold && self.settings.safe == Safe::Reject;
        self.reject_since = reject.then(|| self.reject_since.unwrap_or(now));
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
