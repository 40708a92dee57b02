//! Notifies the service manager, if one started this program: ready, alive, status, stopping. systemd reads this from
//! the socket named by `NOTIFY_SOCKET` (sd_notify(3)); without that variable nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;

use super::line_state::LineState;
use crate::capture::CameraState;
use crate::clock::Moment;
use crate::log::limited;

/// A round of the gate thread that takes longer is stuck: the heartbeat wakes the thread twenty times in that time.
const GATE_TIMEOUT: Duration = Duration::from_secs(1);
/// Even the slowest board with the largest network decodes and judges a frame within this time.
const INSPECTOR_TIMEOUT: Duration = Duration::from_secs(30);
/// The interval between messages, unless a watchdog needs them more often.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(2);

/// The supervisor's connection to the service manager.
#[derive(Debug)]
pub(super) struct Service {
    every: Duration,
    due: Moment,
}

impl Service {
    pub(super) fn new(now: Moment) -> Self {
        // Three messages may be late before the watchdog acts.
        let every =
            sd_notify::watchdog_enabled().map_or(NOTIFY_INTERVAL, |limit| NOTIFY_INTERVAL.min(limit / 4));
        Self { every, due: now }
    }

    /// Reports that the line is running: bundles are open and have judged their first golden frames; gate, inspector and
    /// camera are up.
    pub(super) fn ready() {
        send(&[NotifyState::Ready]);
    }

    /// Reports, when due, the line's status and that it is alive. If the gate or the inspector is stuck, it reports that
    /// instead and sends no keep-alive, so the watchdog ends the process.
    pub(super) fn report(&mut self, shared: &LineState, camera: &CameraState, now: Moment) {
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

/// Says which thread is stuck, if one is. An inspector that has no part or waits for a frame isn't stuck: the line file
/// bounds the wait for a frame.
fn stuck(shared: &LineState, now: Moment) -> Option<&'static str> {
    if shared.gate_round.busy_for(now) > GATE_TIMEOUT {
        return Some("the gate thread is stuck; the watchdog restarts the line, report this");
    }
    if shared.judging.busy_for(now) > INSPECTOR_TIMEOUT {
        return Some("the inspector is stuck on a frame; the watchdog restarts the line, report this");
    }
    None
}

fn status(shared: &LineState, camera: &CameraState) -> String {
    let gate = shared.gate();
    let held = if gate.alarms.is_held() { "held; " } else { "" };
    let counts = gate.counts;
    let (parts, passed, rejected) = (counts.triggered, counts.passed, counts.rejected);
    // A single line: systemd would take a second line for another message.
    format!("{held}{parts} parts, {passed} passed, {rejected} rejected; {camera}").replace('\n', " ")
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(states) {
        limited!(warn, "cannot notify the service manager: {e}; check NotifyAccess in the unit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::GateCounts;

    #[test]
    fn a_gate_or_a_judge_that_does_not_get_on_is_stuck_and_one_at_rest_is_not() {
        let start = Moment::now();
        let shared = LineState::new(GateCounts::default(), start);
        assert_eq!(stuck(&shared, start + Duration::from_secs(3600)), None, "neither has begun");
        shared.gate_round.begin(start);
        assert_eq!(stuck(&shared, start + GATE_TIMEOUT), None);
        let late = start + GATE_TIMEOUT + Duration::from_millis(1);
        assert!(stuck(&shared, late).unwrap().contains("gate"));

        let much_later = start + INSPECTOR_TIMEOUT + Duration::from_secs(1);
        shared.gate_round.begin(much_later);
        shared.judging.begin(start);
        assert!(stuck(&shared, much_later).unwrap().contains("inspector"));
        shared.judging.stop();
        assert_eq!(stuck(&shared, much_later), None);
    }

    #[test]
    fn the_status_is_one_line_in_words() {
        let counts = GateCounts { triggered: 7, passed: 4, rejected: 3, ..GateCounts::default() };
        let shared = LineState::new(counts, Moment::now());
        let lost = CameraState::Lost("gone\naway".to_owned());
        assert_eq!(status(&shared, &lost), "7 parts, 4 passed, 3 rejected; the camera is lost: gone away");
    }
}
