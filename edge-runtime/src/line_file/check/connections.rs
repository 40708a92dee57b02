//! The gateway's socket, inputs and outputs.

use std::collections::HashSet;

use shared_format::gateway::CommandKind;

use super::Checker;
use crate::line_file::devices::{GpioConfig, SocketConfig};
use crate::line_file::schema::{LineFile, Trigger};

const MAX_SOCKET_PATH: usize = 107;

impl Checker {
    pub(super) fn socket(&mut self, line: &LineFile, socket: &SocketConfig) {
        // The system's limit, less the terminating zero. Relative paths are longer once they are resolved.
        if socket.path.as_os_str().is_empty() || socket.path.as_os_str().len() > MAX_SOCKET_PATH {
            self.report(format!(
                "socket.path = {:?} is not allowed; give 1 to {MAX_SOCKET_PATH} bytes",
                socket.path
            ));
        }
        if line.accepts(CommandKind::Trigger) && !matches!(line.trigger, Trigger::Socket { .. }) {
            self.report("\"trigger\" in socket.accept needs trigger.kind = \"socket\"; change one of them");
        }
        if line.accepts(CommandKind::Encoder) && !line.encoder_by_socket() {
            self.report(
                "\"encoder\" in socket.accept needs gate.distance_ticks and no gpio.encoder; change one of them",
            );
        }
        if line.accepts(CommandKind::Decide) && line.records.folder.is_none() {
            self.report("\"decide\" in socket.accept needs records.folder; change one of them");
        }
        if line.accepts(CommandKind::Threshold)
            && (line.records.folder.is_none() || line.health.state.is_none())
        {
            self.report("\"threshold\" in socket.accept needs records.folder and health.state; add them, or remove it");
        }
        for kind in [CommandKind::Learn, CommandKind::Teach] {
            let word = kind.as_str();
            if line.accepts(kind) && (line.records.folder.is_none() || !line.records.frames) {
                self.report(format!(
                    "\"{word}\" in socket.accept needs records.folder and records.frames = true; change one of them"
                ));
            }
        }
        if line.accepts(CommandKind::Teach) && line.votes.frames > 1 {
            self.report(
                "\"teach\" in socket.accept needs votes.frames = 1; remove it, and teach with `edge-runtime teach` on the board",
            );
        }
        if line.accepts(CommandKind::Install) {
            if socket.inbox.is_none() || line.records.folder.is_none() {
                self.report("\"install\" in socket.accept needs socket.inbox and records.folder; add them, or remove it");
            }
            // What comes over a network must be signed.
            if !line.is_trust_limited() {
                self.report(
                    "\"install\" in socket.accept needs the keys whose bundles are run; add `trust` or signing.root, or remove it",
                );
            }
        }
    }

    pub(super) fn gpio(&mut self, gpio: &GpioConfig) {
        let outputs = [gpio.reject, gpio.pass, gpio.fault, gpio.heartbeat, gpio.strobe];
        let inputs = [gpio.trigger, gpio.encoder, gpio.belt, gpio.confirm];
        let inputs = inputs.into_iter().flatten().chain(gpio.select.iter().copied());
        let outputs = outputs.into_iter().flatten().map(|pin| (gpio.chip.as_path(), pin.line));
        let mut taken = HashSet::new();
        for (chip, line) in outputs.chain(inputs.map(|pin| (gpio.input_chip(), pin.line))) {
            if !taken.insert((chip, line)) {
                self.report(format!("gpio line {line} is used twice; give each signal its own line"));
            }
        }
        if gpio.select.len() > 8 {
            self.report(format!("gpio.select has {} inputs; give at most 8", gpio.select.len()));
        }
        match (gpio.strobe, gpio.strobe_ms) {
            (Some(_), Some(on)) => self.check_range("gpio.strobe_ms", on, 0.01..=10_000.0),
            (Some(_), None) => self.report("gpio.strobe needs gpio.strobe_ms; give the time it stays on"),
            (None, Some(_)) => self.report("gpio.strobe_ms needs gpio.strobe; add the output's line"),
            (None, None) => {}
        }
        self.check_range("gpio.debounce_ms", gpio.debounce_ms, 0.0..=1000.0);
    }
}
