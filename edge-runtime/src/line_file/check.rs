//! Validates the values of a line file, alone and together.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use frame_channel::AravisCamera;
use shared_format::gateway::CommandKind;
use shared_format::{Roi, Size};
use signing::Key;

use super::camera::{CameraConfig, PixelFormat};
use super::devices::{GpioConfig, SocketConfig};
use super::schema::{LineFile, Trigger, VoteRule};
use super::views::{MAIN_VIEW, ViewConfig};

/// One hour; longer times are taken for typing errors.
const MAX_MS: f64 = 3_600_000.0;
const MAX_SIDE: u32 = 16_384;
/// Views of one part, `[camera]` included.
const MAX_VIEWS: usize = 16;
const MAX_SOCKET_PATH: usize = 107;

/// Returns one sentence for each value that is not allowed, in the order of the file.
pub(super) fn problems(line: &LineFile) -> Vec<String> {
    let mut checker = Checker::default();
    checker.products(line);
    checker.check_range("threads", line.threads, 1..=256);
    checker.trust(line);
    checker.camera(&line.camera);
    checker.views(line);
    checker.trigger(line);
    checker.votes(line);
    checker.gate(line);
    if let Some(gpio) = &line.gpio {
        checker.gpio(gpio);
    }
    if let Some(serial) = &line.serial {
        checker.check_range("serial.baud", serial.baud, 300..=4_000_000);
    }
    if let Some(socket) = &line.socket {
        checker.socket(line, socket);
    }
    if let Some(challenge) = &line.challenge {
        checker.check_range("challenge.parts", challenge.parts, 1..=1000);
    }
    checker.check_range("records.max_mib", line.records.max_mib, 1..=1_048_576);
    checker.check_range("records.max_days", line.records.max_days, 1..=3650);
    checker.check_range("records.passed_share", line.records.passed_share, 0.0..=1.0);
    checker.check_range("records.max_passed_mib", line.records.max_passed_mib, 1..=1_048_576);
    checker.check_range("records.max_decided_mib", line.records.max_decided_mib, 1..=1_048_576);
    checker.check_range("records.max_photos_mib", line.records.max_photos_mib, 1..=1_048_576);
    // At 0, half of the good parts would be rejected.
    checker.check_range("threshold.lowest", line.threshold.lowest, 0.1..=1.0);
    checker.check_range("threshold.highest", line.threshold.highest, 1.0..=3.0);
    checker.check_range("health.every_s", line.health.every_s, 1..=86_400);
    checker.check_range("health.frozen_s", line.health.frozen_s, 0.1..=3600.0);
    if let Some(frames) = line.health.equal_frames {
        checker.check_range("health.equal_frames", frames, 0..=1000);
    }
    checker.check_range("health.silent_s", line.health.silent_s, 0.1..=3600.0);
    let fps = line.camera.fps();
    if line.health.silent_s * fps < 1.0 {
        checker.report(format!(
            "health.silent_s = {} is shorter than the time between two frames; give at least {:.1}",
            line.health.silent_s,
            2.0 / fps
        ));
    }
    checker.check_range("health.black_below", line.health.black_below, 0.0..=255.0);
    checker.check_range("health.burnt_above", line.health.burnt_above, 0.0..=1.0);
    checker.problems
}

#[derive(Default)]
struct Checker {
    problems: Vec<String>,
}

impl Checker {
    fn report(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }

    fn check_range<T: PartialOrd + Display>(&mut self, key: &str, value: T, allowed: RangeInclusive<T>) {
        // A NaN is not in any range.
        if !allowed.contains(&value) {
            let (low, high) = (allowed.start(), allowed.end());
            self.report(format!("{key} = {value} is not allowed; give {low} to {high}"));
        }
    }

    fn products(&mut self, line: &LineFile) {
        if line.name.trim().is_empty() {
            self.report("name is empty; give the line a name");
        }
        if line.products.is_empty() {
            self.report("[[product]] is missing; give at least one, with name and bundle");
        }
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        let inputs = line.gpio.as_ref().map_or(0, |gpio| gpio.select.len());
        for product in &line.products {
            let name = &product.name;
            if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) || name.len() > 64
            {
                self.report(format!(
                    "product.name = {name:?} is not allowed; give 1 to 64 bytes without whitespace"
                ));
            }
            if !names.insert(name) {
                self.report(format!("product.name = {name:?} is used twice; give each product its own name"));
            }
            let Some(number) = product.select else { continue };
            if !numbers.insert(number) {
                self.report(format!(
                    "product.select = {number} is used twice; give each product its own number"
                ));
            }
            if usize::from(number) >= 1usize << inputs.min(8) {
                self.report(format!(
                    "product.select = {number} needs more product inputs than the {inputs} of gpio.select; add inputs, \
                     or give a smaller number"
                ));
            }
        }
    }

    fn trust(&mut self, line: &LineFile) {
        for (key, texts) in [("trust", &line.trust), ("signing.root", &line.signing.root)] {
            for error in texts.iter().filter_map(|text| Key::parse(text).err()) {
                self.report(format!("{key}: {error}"));
            }
        }
        match (line.signing.root.is_empty(), &line.signing.key_list) {
            (true, Some(_)) => {
                self.report("signing.key_list needs signing.root; give the public key that signs the list")
            }
            (false, None) => {
                self.report("signing.root needs signing.key_list; give the path of the list that it signs")
            }
            _ => {}
        }
        if line.is_trust_limited() && line.health.state.is_none() {
            self.report(
                "trust and signing.root need health.state, the folder in which the line keeps the serial numbers of bundles; give it",
            );
        }
    }

    fn camera(&mut self, camera: &CameraConfig) {
        let fps = 0.01..=1000.0;
        match camera {
            CameraConfig::V4l2(v4l2) => {
                self.check_range("camera.width", v4l2.width, 1..=MAX_SIDE);
                self.check_range("camera.height", v4l2.height, 1..=MAX_SIDE);
                if v4l2.format == PixelFormat::Nv12 && (v4l2.width % 2 == 1 || v4l2.height % 2 == 1) {
                    self.report("camera.format = \"nv12\" needs an even camera.width and camera.height");
                }
                self.check_range("camera.fps", v4l2.fps, fps);
                if let Some(exposure) = v4l2.exposure_ms {
                    self.check_range("camera.exposure_ms", exposure, 0.01..=10_000.0);
                }
                if let Some(kelvin) = v4l2.white_balance_k {
                    self.check_range("camera.white_balance_k", kelvin, 1000..=20_000);
                }
            }
            CameraConfig::Nokhwa(nokhwa) => {
                self.check_range("camera.width", nokhwa.width, 1..=MAX_SIDE);
                self.check_range("camera.height", nokhwa.height, 1..=MAX_SIDE);
                self.check_range("camera.fps", nokhwa.fps, 1.0..=1000.0);
                if nokhwa.fps.fract() != 0.0 {
                    self.report(format!(
                        "camera.fps = {} is not allowed with camera.source = \"nokhwa\"; give a whole number",
                        nokhwa.fps
                    ));
                }
                if !matches!(nokhwa.format, PixelFormat::Mjpeg | PixelFormat::Yuyv) {
                    self.report(format!(
                        "camera.format = {:?} is not allowed with camera.source = \"nokhwa\"; give \"mjpeg\" or \"yuyv\", or \
                         camera.source = \"v4l2\"",
                        nokhwa.format.key()
                    ));
                }
            }
            CameraConfig::Process(process) => match &*process.camera {
                CameraConfig::Process(_) => {
                    self.report("camera.camera.source = \"process\" is not allowed: a camera is in one process; name the camera itself");
                }
                CameraConfig::Aravis(aravis) => {
                    if process.socket.is_none() {
                        self.report(
                            "camera.camera.source = \"aravis\" needs camera.socket, at which capture-aravis listens; give its path",
                        );
                    }
                    self.aravis(aravis);
                }
                device => self.camera(device),
            },
            CameraConfig::Aravis(_) => self.report(
                "camera.source = \"aravis\" is not allowed: the line has no network; give camera.source = \"process\", camera.socket and \
                 camera.camera = { source = \"aravis\", … }",
            ),
            CameraConfig::Folder { fps: given, .. } => self.check_range("camera.fps", *given, fps),
            CameraConfig::Pattern { width, height, fps: given } => {
                self.check_range("camera.width", *width, 16..=MAX_SIDE);
                self.check_range("camera.height", *height, 16..=MAX_SIDE);
                self.check_range("camera.fps", *given, fps);
            }
        }
    }

    /// Checks further views: each is a camera of its own.
    fn views(&mut self, line: &LineFile) {
        if line.views.len() >= MAX_VIEWS {
            self.report(format!(
                "[[view]] is given {} times; give at most {}",
                line.views.len(),
                MAX_VIEWS - 1
            ));
        }
        let mut names = HashSet::from([MAIN_VIEW]);
        for view in &line.views {
            let ViewConfig { name, camera, exposure_delay_ms, within_ms, .. } = view;
            if name.is_empty()
                || name.len() > 32
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                self.report(format!(
                    "view.name = {name:?} is not allowed; give 1 to 32 bytes without whitespace"
                ));
            } else if !names.insert(name) {
                self.report(format!(
                    "view.name = {name:?} is used twice; give each view its own name ([camera] has {MAIN_VIEW:?})"
                ));
            }
            let before = self.problems.len();
            self.camera(camera);
            for problem in self.problems.iter_mut().skip(before) {
                *problem = format!("view {name:?}: {problem}");
            }
            if let Some(delay) = exposure_delay_ms {
                self.check_range("view.exposure_delay_ms", *delay, -1000.0..=MAX_MS);
            }
            if let Some(within) = within_ms {
                self.check_range("view.within_ms", *within, 0.1..=60_000.0);
            }
        }
        for product in &line.products {
            for named in product.views.keys().filter(|named| line.view(named).is_none()) {
                self.report(format!(
                    "product.views names {named:?}, and no [[view]] has that name; correct it, or give the bundle of [camera] as \
                     product.bundle"
                ));
            }
        }
        let cameras: Vec<_> = line.cameras().collect();
        for (index, (name, camera)) in cameras.iter().enumerate() {
            let twin = cameras.iter().take(index).find(|(_, other)| other.is_same_device(camera));
            if let Some((twin, _)) = twin {
                self.report(format!(
                    "the views {twin:?} and {name:?} have the same camera; give each its own, or judge more frames with votes.frames"
                ));
            }
        }
    }

    fn aravis(&mut self, aravis: &AravisCamera) {
        let is_name =
            |text: &str| !text.trim().is_empty() && !text.contains(char::is_control) && text.len() <= 200;
        if !is_name(&aravis.id) {
            self.report(
                "camera.id is not a camera's name; `capture-aravis --list` prints those of connected cameras",
            );
        }
        if aravis.trigger.as_deref().is_some_and(|input| !is_name(input)) {
            self.report(
                "camera.trigger is not the name of an input; give one of the camera's, such as \"Line1\"",
            );
        }
        self.check_range("camera.width", aravis.width, 1..=MAX_SIDE);
        self.check_range("camera.height", aravis.height, 1..=MAX_SIDE);
        self.check_range("camera.x", aravis.x, 0..=MAX_SIDE);
        self.check_range("camera.y", aravis.y, 0..=MAX_SIDE);
        self.check_range("camera.fps", aravis.fps, 0.01..=1000.0);
        if let Some(exposure) = aravis.exposure_ms {
            self.check_range("camera.exposure_ms", exposure, 0.001..=10_000.0);
        }
        if let Some(gain) = aravis.gain {
            self.check_range("camera.gain", gain, -100.0..=100_000.0);
        }
        if let Some(bytes) = aravis.packet_bytes {
            self.check_range("camera.packet_bytes", bytes, 576..=16_000);
        }
        if let Some(heartbeat) = aravis.heartbeat_ms {
            self.check_range("camera.heartbeat_ms", heartbeat, 500..=60_000);
        }
        if matches!(aravis.format, PixelFormat::Mjpeg | PixelFormat::Nv12) {
            self.report(format!(
                "camera.format = {:?} is not allowed with source = \"aravis\"; give \"grey\", \"rgb24\", \"yuyv\", \"uyvy\" or a mosaic",
                aravis.format.key()
            ));
        }
    }

    fn trigger(&mut self, line: &LineFile) {
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

    fn votes(&mut self, line: &LineFile) {
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

    fn gate(&mut self, line: &LineFile) {
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

    fn socket(&mut self, line: &LineFile, socket: &SocketConfig) {
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
    }

    fn gpio(&mut self, gpio: &GpioConfig) {
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
