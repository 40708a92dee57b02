//! Threads beside the gate's and the inspector's: one that ends by itself is noticed and told.

use super::listeners::Listeners;
use super::mailbox::{Blind, Mailbox};
use crate::health::Monitor;
use crate::record::Recorder;

pub(super) const STDOUT: &str =
    "the thread for standard output has ended by itself; start the line again and report this";
pub(super) const SERIAL: &str =
    "the serial port's thread has ended by itself; start the line again and report this";
pub(super) const RECORDER: &str =
    "the thread that keeps records has ended by itself; start the line again and report this";
/// Nobody else tells: it is the one that writes the status.
const MONITOR: &str = "the thread that keeps counters and status has ended by itself; start the line again and report \
     this";

/// What the supervisor knows of the side threads. The camera's is told by its state.
#[derive(Debug)]
pub(super) struct SideThreads {
    listeners: Listeners,
    told: Vec<&'static str>,
}

impl SideThreads {
    /// All are alive.
    pub(super) const fn new(listeners: Listeners) -> Self {
        Self { listeners, told: vec![] }
    }

    /// Logs once what has ended, and holds the line if it can't do without.
    pub(super) fn look(&mut self, monitor: &Monitor, recorder: Option<&Recorder>, mailbox: &Mailbox) {
        let mut ended = self.listeners.ended();
        if recorder.is_some_and(Recorder::has_ended) {
            ended.push(RECORDER);
        }
        if monitor.has_ended() {
            ended.push(MONITOR);
        }
        for sentence in ended {
            if !self.told.contains(&sentence) {
                self.told.push(sentence);
                tracing::error!("{sentence}");
            }
        }
        if self.listeners.is_blind() && !mailbox.is_blind(Blind::Serial) {
            mailbox.blind(Blind::Serial, true);
        }
    }
}
