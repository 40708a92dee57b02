//! What is published: topics and JSON.

use serde::Serialize;
use shared_format::gateway::{Command, HELD};
use shared_format::{Disposition, Reason, Verdict};

use crate::line::{LineState, Part, unix_ms};

/// The topics.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    state: String,
    status: String,
    parts: String,
    alarm: String,
    fleet: String,
    stored: String,
    command: String,
}

impl Topics {
    pub(super) fn new(prefix: &str) -> Self {
        let topic = |name: &str| format!("{prefix}/{name}");
        Self {
            state: topic("state"),
            status: topic("status"),
            parts: topic("parts"),
            alarm: topic("alarm"),
            fleet: topic("fleet"),
            stored: topic("stored"),
            command: topic("command/"),
        }
    }

    /// `online` or, as the last will, `offline`; retained.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// The status; retained.
    pub(super) fn status(&self) -> &str {
        &self.status
    }

    /// One message for each part.
    pub(super) fn parts(&self) -> &str {
        &self.parts
    }

    /// One message for each alarm that is raised or over.
    pub(super) fn alarm(&self) -> &str {
        &self.alarm
    }

    /// What the board says about itself as one of a fleet.
    pub(super) fn fleet(&self) -> &str {
        &self.fleet
    }

    /// What the collector says about what it has stored.
    pub(super) fn stored(&self) -> &str {
        &self.stored
    }

    /// What to subscribe to for commands.
    pub(super) fn commands(&self) -> String {
        format!("{}+", self.command)
    }

    /// Reads a command; `None` if the topic or the payload is not one.
    pub(super) fn command(&self, topic: &str, payload: &[u8], line: &LineState) -> Option<Command> {
        match topic.strip_prefix(&self.command)? {
            "product" => {
                let index = line.products.iter().position(|name| name.as_bytes() == payload)?;
                Some(Command::Product { index: u16::try_from(index).ok()? })
            }
            "challenge" if payload.is_empty() => Some(Command::Challenge),
            "acknowledge" if payload.is_empty() => Some(Command::Acknowledge),
            _ => None,
        }
    }
}

#[derive(Serialize)]
struct PartJson<'p> {
    line: &'p str,
    run: u32,
    part: u64,
    product: &'p str,
    verdict: Option<Verdict>,
    disposition: Disposition,
    reason: Reason,
    score: Option<f32>,
    threshold: Option<f32>,
    frames: u16,
    ms: Ms,
    at_unix_ms: u64,
}

/// Times in milliseconds.
#[derive(Serialize)]
struct Ms {
    capture_to_release: Option<f64>,
    trigger_to_release: f64,
    lateness: f64,
}

/// Returns the message on a part.
pub(super) fn part(line: &LineState, part: &Part) -> Option<Vec<u8>> {
    let (message, telegram) = (&part.message, &part.message.telegram);
    let ms = |us: u32| f64::from(us) / 1e3;
    let json = PartJson {
        line: name(line),
        run: telegram.run,
        part: telegram.part,
        product: &part.product,
        verdict: telegram.verdict,
        disposition: telegram.disposition,
        reason: telegram.reason,
        score: telegram.score,
        threshold: telegram.threshold,
        frames: message.frames,
        ms: Ms {
            capture_to_release: message.capture_to_release_us.map(ms),
            trigger_to_release: ms(message.trigger_to_release_us),
            lateness: ms(message.lateness_us),
        },
        at_unix_ms: part.at_unix_ms,
    };
    serde_json::to_vec(&json).ok()
}

#[derive(Serialize)]
struct AlarmJson<'a> {
    line: &'a str,
    alarm: &'a str,
    active: bool,
    at_unix_ms: u64,
}

/// Returns the message on an alarm.
pub(super) fn alarm(line: &LineState, alarm: &str, active: bool, at_unix_ms: u64) -> Option<Vec<u8>> {
    serde_json::to_vec(&AlarmJson { line: name(line), alarm, active, at_unix_ms }).ok()
}

#[derive(Serialize)]
struct StatusJson<'l> {
    line: &'l str,
    version: &'l str,
    connected: bool,
    run: u32,
    uptime_s: u32,
    product: &'l str,
    products: &'l [String],
    camera: &'static str,
    held: bool,
    alarms: Vec<&'static str>,
    problems: &'l [String],
    triggered: u64,
    passed: u64,
    rejected: u64,
    faults: u64,
    missing: u64,
    reports_lost: u64,
    at_unix_ms: u64,
}

/// Returns the status; `None` before the line was connected for the first time.
pub(super) fn status(line: &LineState) -> Option<Vec<u8>> {
    let (hello, status) = (line.hello.as_ref()?, line.status.as_ref()?);
    let json = StatusJson {
        line: name(line),
        version: &hello.version,
        connected: line.connected,
        run: hello.run,
        uptime_s: status.uptime_s,
        product: line.product(),
        products: &line.products,
        camera: status.camera.as_str(),
        held: status.alarms & HELD != 0,
        alarms: line.alarms(),
        problems: &line.problems,
        triggered: status.counters.triggered,
        passed: status.counters.passed,
        rejected: status.counters.rejected,
        faults: status.counters.faults,
        missing: status.counters.missing,
        reports_lost: line.reports_lost,
        at_unix_ms: unix_ms(),
    };
    serde_json::to_vec(&json).ok()
}

fn name(line: &LineState) -> &str {
    line.hello.as_ref().map_or("", |hello| hello.line.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::line::tests::{line, part as message};

    #[test]
    fn a_part_is_one_object() {
        let of = Part { message: message(70_001), product: "cap".to_owned(), at_unix_ms: 5 };
        let found: Value = serde_json::from_slice(&part(&line(0), &of).unwrap()).unwrap();
        let expected = json!({
            "line": "line 1", "run": 7, "part": 70_001, "product": "cap", "verdict": "reject", "disposition": "reject",
            "reason": "verdict", "score": 0.875, "threshold": 0.5, "frames": 1, "at_unix_ms": 5,
            "ms": { "capture_to_release": 31.0, "trigger_to_release": 400.012, "lateness": 0.012 },
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_status_names_the_line_s_state() {
        let mut line = line(0);
        let of = |line: &LineState| -> Value { serde_json::from_slice(&status(line).unwrap()).unwrap() };
        assert_eq!((&of(&line)["product"], &of(&line)["alarms"]), (&json!("cap-500"), &json!([])));
        line.disconnect(&mut vec![]);
        assert_eq!((&of(&line)["connected"], &of(&line)["alarms"]), (&json!(false), &json!(["line_lost"])));
        assert!(status(&LineState::default()).is_none());
    }

    #[test]
    fn commands_are_known_by_topic_and_products_by_name() {
        let (topics, line) = (Topics::new("a/b"), line(0));
        let of = |topic: &str, payload: &str| topics.command(topic, payload.as_bytes(), &line);
        assert_eq!(topics.commands(), "a/b/command/+");
        assert_eq!(of("a/b/command/product", "cap-500"), Some(Command::Product { index: 1 }));
        assert_eq!(of("a/b/command/challenge", ""), Some(Command::Challenge));
        assert_eq!(of("a/b/command/acknowledge", ""), Some(Command::Acknowledge));
        for (topic, payload) in [
            ("a/b/command/product", "cap-5"),
            ("a/b/command/product", ""),
            ("a/b/command/acknowledge", "x"),
            ("a/b/command/trigger", ""),
            ("a/b/parts", ""),
            ("c", ""),
        ] {
            assert_eq!(of(topic, payload), None, "{topic}");
        }
    }
}
