//! What is known of the line.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use shared_format::gateway::{
    ALARMS, Answer, Hello, LineMessage, LineStatus, PartMessage, STAGES, StageLatency,
};

use super::histogram::Histogram;

/// The number of parts that are kept.
pub const RECENT: usize = 15;
/// The alarm that the gateway raises itself: the line is not connected.
pub const LINE_LOST: &str = "line_lost";

/// Whether an alarm of this name exists.
#[must_use]
pub fn is_alarm(name: &str) -> bool {
    name == LINE_LOST || ALARMS.contains(&name)
}

/// Returns the wall-clock time in milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A part that has passed the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The line's message.
    pub message: PartMessage,
    /// The name of its product; empty if the line named none.
    pub product: String,
    /// When the message arrived, in milliseconds since 1970.
    pub at_unix_ms: u64,
}

/// Something that happened on the line.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A part has passed the gate.
    Part(Part),
    /// An alarm was raised or is over.
    Alarm {
        /// Its name.
        name: &'static str,
        /// Whether it was raised.
        active: bool,
        /// When, in milliseconds since 1970.
        at_unix_ms: u64,
    },
    /// The product was changed, or the line was connected.
    Changed,
    /// What the board says about itself as one of a fleet, as JSON.
    Fleet(String),
}

/// What is known of the line.
#[derive(Debug, Clone, Default)]
pub struct LineState {
    /// Whether the line is connected.
    pub connected: bool,
    /// The line's first message, once there was one.
    pub hello: Option<Hello>,
    /// The products' names, in the order of the line file.
    pub products: Vec<String>,
    /// The last status.
    pub status: Option<LineStatus>,
    /// Latencies over the last minutes.
    pub latencies: [Option<StageLatency>; STAGES.len()],
    /// The line's current problems.
    pub problems: Vec<String>,
    /// The newest parts, the newest first.
    pub recent: VecDeque<PartMessage>,
    /// The number of parts since the gateway was started.
    pub parts: u64,
    /// The number of parts of the current run whose reports were lost.
    pub reports_lost: u64,
    /// The number of statuses since the gateway was started.
    pub statuses: u64,
    /// From the deciding frame's capture to the release.
    pub capture_to_release: Histogram,
    /// From the trigger to the release.
    pub trigger_to_release: Histogram,
    /// How late parts were released.
    pub lateness: Histogram,
    /// What became of the last command that was answered.
    pub last_answer: Option<Answer>,
    /// The last part's run and number.
    last_part: Option<(u32, u64)>,
}

impl LineState {
    /// Takes a message from the line and appends what happened to `events`.
    pub fn apply(&mut self, message: LineMessage, events: &mut Vec<Event>) {
        match message {
            LineMessage::Hello(hello) => {
                if !self.connected {
                    self.connected = true;
                    events.push(alarm(LINE_LOST, false));
                }
                self.products = vec![String::new(); hello.products.into()];
                self.hello = Some(hello);
                events.push(Event::Changed);
            }
            LineMessage::Product(product) => {
                if let Some(name) = self.products.get_mut(usize::from(product.index)) {
                    *name = product.name.as_str().to_owned();
                }
            }
            LineMessage::Part(part) => events.push(Event::Part(self.part(part))),
            LineMessage::Status(status) => self.status(status, events),
            LineMessage::Latency(latency) => {
                if let Some(slot) = self.latencies.get_mut(usize::from(latency.stage)) {
                    *slot = Some(latency);
                }
            }
            LineMessage::Problem(problem) => {
                if let Some(slot) = self.problems.get_mut(usize::from(problem.index)) {
                    *slot = problem.text.as_str().to_owned();
                }
            }
            LineMessage::Answer(answer) => self.last_answer = Some(answer),
        }
    }

    /// Notes that the line is gone.
    pub fn disconnect(&mut self, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.connected) {
            events.push(alarm(LINE_LOST, true));
        }
    }

    /// Returns the name of the product that is inspected; empty if it isn't known.
    #[must_use]
    pub fn product(&self) -> &str {
        let index = self.status.map(|status| usize::from(status.product));
        index.and_then(|index| self.products.get(index)).map_or("", String::as_str)
    }

    /// Returns the number by which the line knows a product.
    #[must_use]
    pub fn number_of(&self, product: &str) -> Option<u16> {
        u16::try_from(self.products.iter().position(|name| name == product)?).ok()
    }

    /// Returns the names of the alarms that are active.
    #[must_use]
    pub fn alarms(&self) -> Vec<&'static str> {
        let bits = self.status.map_or(0, |status| status.alarms);
        let lost = (!self.connected).then_some(LINE_LOST);
        lost.into_iter().chain(on(bits)).collect()
    }

    fn part(&mut self, message: PartMessage) -> Part {
        let telegram = &message.telegram;
        let before = self.last_part.replace((telegram.run, telegram.part));
        // Parts are released in order, and each is reported.
        if let Some((run, part)) = before
            && run == telegram.run
        {
            self.reports_lost += telegram.part.saturating_sub(part).saturating_sub(1);
        }
        self.parts += 1;
        let seconds = |us: u32| f64::from(us) / 1e6;
        if let Some(us) = message.capture_to_release_us {
            self.capture_to_release.add(seconds(us));
        }
        self.trigger_to_release.add(seconds(message.trigger_to_release_us));
        self.lateness.add(seconds(message.lateness_us));
        self.recent.push_front(message);
        self.recent.truncate(RECENT);
        let product = self.products.get(usize::from(telegram.product)).cloned().unwrap_or_default();
        Part { message, product, at_unix_ms: unix_ms() }
    }

    fn status(&mut self, status: LineStatus, events: &mut Vec<Event>) {
        let before = self.status.replace(status);
        self.statuses += 1;
        self.problems.resize(status.problems.into(), String::new());
        let bits = before.map_or(0, |before| before.alarms);
        for (bit, name) in ALARMS.into_iter().enumerate() {
            let (was, is) = (bits >> bit & 1, status.alarms >> bit & 1);
            if was != is {
                events.push(alarm(name, is == 1));
            }
        }
        if before.is_none_or(|before| before.product != status.product) {
            events.push(Event::Changed);
        }
    }
}

fn alarm(name: &'static str, active: bool) -> Event {
    Event::Alarm { name, active, at_unix_ms: unix_ms() }
}

fn on(bits: u16) -> impl Iterator<Item = &'static str> {
    ALARMS.into_iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name)
}

#[cfg(test)]
pub(crate) mod tests {
    use shared_format::gateway::{Camera, Counters, Problem, Product, cut};
    use shared_format::{Disposition, Reason, Telegram, Verdict};

    use super::*;

    pub fn hello(accepts: u16) -> LineMessage {
        let (line, version) = (cut("line 1"), cut("0.1.0"));
        LineMessage::Hello(Hello { line, version, run: 7, products: 2, accepts })
    }

    pub fn part(number: u64) -> PartMessage {
        let telegram = Telegram {
            run: 7,
            part: number,
            product: 1,
            verdict: Some(Verdict::Reject),
            disposition: Disposition::Reject,
            reason: Reason::Verdict,
            score: Some(0.875),
            threshold: Some(0.5),
        };
        PartMessage {
            telegram,
            frames: 1,
            capture_to_release_us: Some(31_000),
            trigger_to_release_us: 400_012,
            lateness_us: 12,
        }
    }

    pub fn status(alarms: u16, product: u16, problems: u8) -> LineStatus {
        LineStatus {
            uptime_s: 60,
            product,
            camera: Camera::Live,
            alarms,
            under_way: 1,
            challenge_left: 0,
            memory_kib: 2048,
            problems,
            counters: Counters { triggered: 70_000, passed: 69_990, rejected: 9, ..Counters::default() },
        }
    }

    /// A connected line with two products and one part.
    pub fn line(accepts: u16) -> LineState {
        let mut line = LineState::default();
        let mut events = vec![];
        let product = |index, name| LineMessage::Product(Product { index, name: cut(name) });
        let messages = [
            hello(accepts),
            product(0, "cap"),
            product(1, "cap-500"),
            LineMessage::Status(status(0, 1, 0)),
            LineMessage::Part(part(70_001)),
        ];
        messages.into_iter().for_each(|message| line.apply(message, &mut events));
        line
    }

    #[test]
    fn parts_are_counted_and_gaps_are_lost_reports() {
        let mut line = line(0);
        let mut events = vec![];
        for number in [70_002, 70_005] {
            line.apply(LineMessage::Part(part(number)), &mut events);
        }
        assert_eq!((line.parts, line.reports_lost), (3, 2));
        let mut next_run = part(1);
        next_run.telegram.run = 8;
        line.apply(LineMessage::Part(next_run), &mut events);
        assert_eq!(line.reports_lost, 2);
        assert!(matches!(&events[0], Event::Part(part) if part.product == "cap-500"));
        for number in 2..100 {
            line.apply(LineMessage::Part(part(number)), &mut events);
        }
        assert_eq!((line.recent.len(), line.recent[0].telegram.part), (RECENT, 99));
        assert_eq!(line.lateness.count(), line.parts);
    }

    #[test]
    fn alarms_are_events_when_they_change() {
        let mut line = line(0);
        let mut events = vec![];
        line.apply(LineMessage::Status(status(0b10, 1, 0)), &mut events);
        line.apply(LineMessage::Status(status(0b10, 1, 0)), &mut events);
        assert!(matches!(events[..], [Event::Alarm { name: "blind", active: true, .. }]), "{events:?}");
        assert_eq!(line.alarms(), ["blind"]);
        events.clear();
        line.apply(LineMessage::Status(status(0b100, 0, 0)), &mut events);
        assert!(
            matches!(
                events[..],
                [
                    Event::Alarm { name: "blind", active: false, .. },
                    Event::Alarm { name: "output_failed", active: true, .. },
                    Event::Changed
                ]
            ),
            "{events:?}"
        );
        events.clear();
        line.disconnect(&mut events);
        line.disconnect(&mut events);
        assert!(matches!(events[..], [Event::Alarm { name: LINE_LOST, active: true, .. }]), "{events:?}");
        assert_eq!(line.alarms(), [LINE_LOST, "output_failed"]);
    }

    #[test]
    fn problems_are_those_of_the_last_status() {
        let mut line = line(0);
        let mut events = vec![];
        let problem = |index, text| LineMessage::Problem(Problem { index, text: cut(text) });
        line.apply(LineMessage::Status(status(0, 1, 2)), &mut events);
        for message in [problem(0, "a"), problem(1, "b"), problem(9, "not announced")] {
            line.apply(message, &mut events);
        }
        assert_eq!(line.problems, ["a", "b"]);
        line.apply(LineMessage::Status(status(0, 1, 0)), &mut events);
        assert!(line.problems.is_empty());
    }
}
