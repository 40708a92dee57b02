//! From the trigger to the gate.

use std::collections::HashSet;

use shared_format::gateway::CommandKind;
use shared_format::{Roi, Size};

use super::{Checker, MAX_MS};
use crate::line_file::schema::{LineFile, Trigger, VoteRule};

impl Checker {
    pub(super) fn trigger(&mut self, line: &LineFile) {
        match &line.trigger {
            Trigger::Gpio { exposure_delay_ms } => {
                self.check_range("trigger.exposure_delay_ms", *exposure_delay_ms, 0.0..=MAX_MS);
                if line.gpio.as_ref().is_none_or(|gpio| gpio.trigger.is_none()) {
                    self.report("trigger.kind = \"gpio\" needs gpio.trigger; add the input's line");
                }
            }
            Trigger::Serial { exposure_delay_ms } => {
                self.check_range("trigger.exposure_delay_ms", *exposure_delay_ms, 0.0..=MAX_MS);
                if line.serial.is_none() {
                    self.report("trigger.kind = \"serial\" needs [serial]; add it with its device");
                }
            }
            Trigger::Socket { exposure_delay_ms } => {
                self.check_range("trigger.exposure_delay_ms", *exposure_delay_ms, 0.0..=MAX_MS);
                if !line.accepts(CommandKind::Trigger) {
                    self.report(
                        "trigger.kind = \"socket\" needs \"trigger\" in socket.accept; add it, with socket.path",
                    );
                }
            }
            Trigger::Interval { every_ms } => self.check_range("trigger.every_ms", *every_ms, 1.0..=MAX_MS),
            Trigger::Frame if line.votes.frames > 1 => {
                self.report(format!(
                    "votes.frames = {} is not allowed with trigger.kind = \"frame\", which makes every frame a part; give 1",
                    line.votes.frames
                ));
            }
            Trigger::Frame => {}
            Trigger::Presence { share, contrast, region, part_ms, exposure_delay_ms } => {
                self.check_range("trigger.share", *share, 0.001..=1.0);
                self.check_range("trigger.contrast", *contrast, 1.0..=255.0);
                if let Some(part_ms) = part_ms {
                    self.check_range("trigger.part_ms", *part_ms, 1.0..=MAX_MS);
                }
                if let Some(region) = region {
                    self.region(*region, line.camera.size());
                }
                self.check_range("trigger.exposure_delay_ms", *exposure_delay_ms, 0.0..=MAX_MS);
            }
        }
    }

    /// Beyond the frame nothing would ever be seen.
    fn region(&mut self, region: Roi, frame: Option<Size>) {
        let ends = (region.x.checked_add(region.width), region.y.checked_add(region.height));
        let (Some(right), Some(bottom)) = ends else {
            self.report("trigger.region is not within the frame; correct its numbers");
            return;
        };
        if region.width < 4 || region.height < 4 {
            self.report("trigger.region is too small; give at least 4 pixels for width and height");
        }
        if let Some(size) = frame.filter(|size| right > size.width || bottom > size.height) {
            self.report(format!(
                "trigger.region ends at {right} × {bottom}, but the frame has {} × {} pixels; correct one of them",
                size.width, size.height
            ));
        }
    }

    pub(super) fn votes(&mut self, line: &LineFile) {
        let votes = &line.votes;
        self.check_range("votes.frames", votes.frames, 1..=100);
        match (votes.rule, votes.rejects) {
            (VoteRule::AtLeast, Some(rejects)) => {
                self.check_range("votes.rejects", rejects, 1..=votes.frames.max(1));
            }
            (VoteRule::AtLeast, None) => {
                self.report(
                    "votes.rule = \"at-least\" needs votes.rejects; give the number of rejected frames",
                );
            }
            (VoteRule::Any | VoteRule::Majority, Some(_)) => {
                self.report(
                    "votes.rejects belongs to votes.rule = \"at-least\"; remove it, or change the rule",
                );
            }
            (VoteRule::Any | VoteRule::Majority, None) => {}
        }
        let views = u16::try_from(line.views.len() + 1).unwrap_or(u16::MAX);
        match (votes.view_rule, votes.view_rejects) {
            (VoteRule::Any, None) => {}
            _ if views == 1 => self.report(
                "votes.view_rule needs several views; add [[view]] with name and camera, or remove view_rule and view_rejects",
            ),
            (VoteRule::AtLeast, Some(rejects)) => self.check_range("votes.view_rejects", rejects, 1..=views),
            (VoteRule::AtLeast, None) => self
                .report("votes.view_rule = \"at-least\" needs votes.view_rejects; give the number of rejected views"),
            (VoteRule::Any | VoteRule::Majority, Some(_)) => self.report(
                "votes.view_rejects belongs to votes.view_rule = \"at-least\"; remove it, or change the rule",
            ),
            (VoteRule::Majority, None) => {}
        }
        let mut levels = HashSet::new();
        for zone in &votes.zones {
            self.check_range("votes.zones.level", zone.level, 1..=u8::MAX);
            self.check_range("votes.zones.rejects", zone.rejects, 1..=votes.frames.max(1));
            if !levels.insert(zone.level) {
                self.report(format!("votes.zones.level = {} is used twice; give each zone once", zone.level));
            }
        }
    }

    fn encoder(&mut self, line: &LineFile) {
        let gate = &line.gate;
        if let Some(silent) = gate.encoder_silent_ms {
            self.check_range("gate.encoder_silent_ms", silent, 1.0..=MAX_MS);
            if gate.distance_ticks.is_none() {
                self.report(
                    "gate.encoder_silent_ms needs gate.distance_ticks; remove it, or give the gate's distance in ticks",
                );
            }
        }
        if let Some(max) = gate.max_ticks_per_s {
            self.check_range("gate.max_ticks_per_s", max, 1..=10_000_000);
            if !line.encoder_by_serial() && !line.encoder_by_socket() {
                self.report(
                    "gate.max_ticks_per_s is for counts from the serial port or the gateway, with gate.distance_ticks and without \
                     gpio.encoder; remove it",
                );
            }
        }
    }

    pub(super) fn gate(&mut self, line: &LineFile) {
        let (gate, gpio) = (&line.gate, line.gpio.as_ref());
        if gate.distance_ticks.is_some()
            && gpio.is_none_or(|gpio| gpio.encoder.is_none())
            && line.serial.is_none()
            && !line.accepts(CommandKind::Encoder)
        {
            self.report(
                "gate.distance_ticks needs gpio.encoder, [serial] for its counts, or \"encoder\" in socket.accept; add one \
                 of them",
            );
        }
        match (gate.delay_ms, gate.distance_ticks) {
            (Some(delay), None) => self.check_range("gate.delay_ms", delay, 0.0..=MAX_MS),
            (None, Some(ticks)) => self.check_range("gate.distance_ticks", ticks, 1..=10_000_000),
            _ => self.report(
                "the gate needs exactly one distance; give either gate.delay_ms or gate.distance_ticks",
            ),
        }
        self.encoder(line);
        self.check_range("gate.pulse_ms", gate.pulse_ms, 0.1..=60_000.0);
        self.check_range("gate.gap_ms", gate.gap_ms, 0.0..=60_000.0);
        self.check_range("gate.queue", gate.queue, 1..=4096);
        if let Some(rejects) = gate.stop_after_rejects {
            self.check_range("gate.stop_after_rejects", rejects, 1..=1_000_000);
        }
        let confirm = gpio.is_some_and(|gpio| gpio.confirm.is_some());
        match gate.confirm_within_ms {
            Some(within) => {
                self.check_range("gate.confirm_within_ms", within, 1.0..=MAX_MS);
                if !confirm {
                    self.report("gate.confirm_within_ms needs gpio.confirm; add the input's line");
                }
            }
            None if confirm => self.report(
                "gpio.confirm needs gate.confirm_within_ms; give the time a rejected part may take to fall",
            ),
            None => {}
        }
    }
}
