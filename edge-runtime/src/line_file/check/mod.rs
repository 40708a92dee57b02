//! Validates the values of a line file, alone and together.

mod cameras;
mod connections;
mod parts;

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use signing::Key;

use super::schema::LineFile;

/// One hour; longer times are taken for typing errors.
const MAX_MS: f64 = 3_600_000.0;

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
}
