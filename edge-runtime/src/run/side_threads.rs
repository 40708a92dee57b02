//! Watches the threads other than the gate and inspector threads, and reports one that stops unexpectedly.

use super::gateway::GatewayListener;
use super::mailbox::{Blind, Mailbox};
use super::peer::PeerListener;
use crate::health::Monitor;
use crate::output::OutputsHandle;
use crate::record::Recorder;

pub(super) const RECORDER: &str = "the records thread stopped unexpectedly; restart the line and report this";
/// Only logged: the thread that stopped is the one that writes the status.
const MONITOR: &str = "the health thread, which writes counters and status, stopped unexpectedly; restart the line and \
     report this";

/// The supervisor's view of the side threads. The capture thread is not among them: the camera's state covers it.
pub(super) struct SideThreads {
    outputs: OutputsHandle,
    peer: PeerListener,
    gateway: GatewayListener,
    reported: Vec<&'static str>,
}

impl SideThreads {
    /// Creates the view with all threads alive.
    pub(super) const fn new(outputs: OutputsHandle, peer: PeerListener, gateway: GatewayListener) -> Self {
        Self { outputs, peer, gateway, reported: vec![] }
    }

    /// Ends the gateway's thread, after the last reports; the others end with what owns them.
    pub(super) fn stop(&self) {
        self.gateway.stop();
    }

    /// Logs, once each, the threads that have stopped, and holds the line if it can't do without one of them.
    pub(super) fn check(&mut self, monitor: &Monitor, recorder: Option<&Recorder>, mailbox: &Mailbox) {
        let mut ended = self.outputs.ended();
        if recorder.is_some_and(Recorder::has_ended) {
            ended.push(RECORDER);
        }
        if monitor.has_ended() {
            ended.push(MONITOR);
        }
        for sentence in ended {
            if !self.reported.contains(&sentence) {
                self.reported.push(sentence);
                tracing::error!("{sentence}");
            }
        }
        if self.peer.is_blind() && !mailbox.is_blind(Blind::Serial) {
            mailbox.blind(Blind::Serial, true);
        }
        if self.gateway.is_blind() && !mailbox.is_blind(Blind::Gateway) {
            mailbox.blind(Blind::Gateway, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::Moment;
    use crate::health::{Latencies, MonitorSettings};
    use crate::realtime::Waiter;

    #[test]
    fn a_thread_that_ended_is_reported_once_and_holds_no_line_that_can_do_without() {
        let settings =
            MonitorSettings { line: "line 1".to_owned(), state: None, every: Duration::from_secs(1) };
        let latencies = Arc::new(Latencies::new(Moment::now()));
        let monitor = Monitor::start(settings, latencies, None, || panic!("a source that fails")).unwrap();
        let mailbox = Mailbox::new(Waiter::new().unwrap().waker());
        let mut threads =
            SideThreads::new(OutputsHandle::default(), PeerListener::default(), GatewayListener::default());
        threads.check(&monitor, None, &mailbox);
        assert!(threads.reported.is_empty());
        for _ in 0..1000 {
            std::thread::sleep(Duration::from_millis(10));
            threads.check(&monitor, None, &mailbox);
            if monitor.has_ended() {
                break;
            }
        }
        (0..3).for_each(|_| threads.check(&monitor, None, &mailbox));
        assert_eq!(threads.reported, [MONITOR]);
        assert!(!mailbox.is_blind(Blind::Serial));
    }
}
