//! What the service manager is told, where one started this program: ready, alive, how it goes, ending. systemd reads
//! it from the socket that `NOTIFY_SOCKET` names (sd_notify(3)); without that variable nobody is told.

use std::time::Duration;

use sd_notify::NotifyState;

use super::shared::Shared;
use crate::capture::CameraState;
use crate::clock::Moment;
use crate::log::limited;

/// A round of the gate's thread takes no longer. It is woken for the heartbeat twenty times in that.
const GATE_PATIENCE: Duration = Duration::from_secs(1);
/// One frame is decoded and judged in that by the slowest board and the largest network.
const INSPECTOR_PATIENCE: Duration = Duration::from_secs(30);
/// From one message to the next, where no watchdog wants them oftener.
const EVERY: Duration = Duration::from_secs(2);

/// The service manager, as the supervisor sees it.
#[derive(Debug)]
pub(super) struct Service {
    every: Duration,
    due: Moment,
}

impl Service {
    pub(super) fn new(now: Moment) -> Self {
        // Three messages may be late before the watchdog takes the silence for a failure.
        let every = sd_notify::watchdog_enabled().map_or(EVERY, |limit| EVERY.min(limit / 4));
        Self { every, due: now }
    }

    /// The line runs: bundles are open and have judged their first golden frames, gate, inspector and camera are served.
    pub(super) fn ready() {
        send(&[NotifyState::Ready]);
    }

    /// Where it is time: how the line is, and that it is alive. A line whose gate or inspector is stuck says so and asks
    /// for no more time: the watchdog ends it.
    pub(super) fn tell(&mut self, shared: &Shared, camera: &CameraState, now: Moment) {
        if now < self.due {
            return;
        }
        self.due = now + self.every;
        match stuck(shared, now) {
            None => send(&[NotifyState::Watchdog, NotifyState::Status(&status(shared, camera))]),
            Some(reason) => {
                limited!(error, "{reason}");
                send(&[NotifyState::Status(reason)]);
            }
        }
    }

    pub(super) fn stopping() {
        send(&[NotifyState::Stopping]);
    }
}

/// Which thread does not get on, if one doesn't. An inspector without parts, or waiting for a frame, is not stuck: the
/// line file says how long it waits for one.
fn stuck(shared: &Shared, now: Moment) -> Option<&'static str> {
    if shared.gate_round.busy_for(now) > GATE_PATIENCE {
        return Some("the gate's thread is stuck; the watchdog starts the line again, report this");
    }
    if shared.judging.busy_for(now) > INSPECTOR_PATIENCE {
        return Some("the inspector is stuck in one frame; the watchdog starts the line again, report this");
    }
    None
}

fn status(shared: &Shared, camera: &CameraState) -> String {
    let gate = shared.gate();
    let held = if gate.alarms.hold() { "held; " } else { "" };
    let counts = gate.counts;
    let (parts, passed, rejected) = (counts.triggered, counts.passed, counts.rejected);
    // One line: the next would be taken for another message.
    format!("{held}{parts} parts, {passed} passed, {rejected} rejected; {camera}").replace('\n', " ")
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(states) {
        limited!(warn, "cannot tell the service manager: {e}; check the unit's NotifyAccess");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Counts;

    #[test]
    fn a_gate_or_a_judge_that_does_not_get_on_is_stuck_and_one_at_rest_is_not() {
        let start = Moment::now();
        let shared = Shared::new(Counts::default(), start);
        assert_eq!(stuck(&shared, start + Duration::from_secs(3600)), None, "neither has begun");
        shared.gate_round.begin(start);
        assert_eq!(stuck(&shared, start + GATE_PATIENCE), None);
        let late = start + GATE_PATIENCE + Duration::from_millis(1);
        assert!(stuck(&shared, late).unwrap().contains("gate"));

        let much_later = start + INSPECTOR_PATIENCE + Duration::from_secs(1);
        shared.gate_round.begin(much_later);
        shared.judging.begin(start);
        assert!(stuck(&shared, much_later).unwrap().contains("inspector"));
        shared.judging.rest();
        assert_eq!(stuck(&shared, much_later), None);
    }

    #[test]
    fn the_status_is_one_line_in_words() {
        let counts = Counts { triggered: 7, passed: 4, rejected: 3, ..Counts::default() };
        let shared = Shared::new(counts, Moment::now());
        let lost = CameraState::Lost("gone\naway".to_owned());
        assert_eq!(status(&shared, &lost), "7 parts, 4 passed, 3 rejected; the camera is lost: gone away");
    }
}
