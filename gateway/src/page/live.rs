//! The line's state as browsers get it: one message for all, twice a second. A browser that doesn't keep up gets the newest one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use shared_format::gateway::{CommandKind, HELD, STAGES};
use shared_format::{Disposition, Verdict};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::line::{Event, Hub, LineState, Part, unix_ms};

/// Interval between two messages.
const INTERVAL: Duration = Duration::from_millis(500);
/// After this time the browser connects again: one that is gone without a word doesn't keep its place.
const LONGEST: Duration = Duration::from_secs(600);
/// Tells browsers to connect again after half a second, before their data are old.
const RETRY: &str = "retry: 500\n";
/// Parts that are kept for the plot.
const KEPT: usize = 600;
/// Parts in one message; a browser that missed some has a gap in its plot.
const SENT: usize = 50;
/// What the rates are counted over.
const RATE: Duration = Duration::from_secs(60);

/// A part on the plot.
#[derive(Debug, Clone, Serialize)]
struct PlotPart {
    run: u32,
    part: u64,
    product: String,
    verdict: Option<Verdict>,
    disposition: Disposition,
    reason: &'static str,
    score: Option<f32>,
    threshold: Option<f32>,
    at_unix_ms: u64,
}

/// The newest parts, and the times at which parts came.
#[derive(Debug, Default)]
struct Recent {
    parts: VecDeque<PlotPart>,
    /// Parts of the last minute: when, and whether they were rejected.
    minute: VecDeque<(Instant, bool)>,
}

/// The state that browsers are told.
#[derive(Debug)]
pub struct Live {
    hub: Hub,
    recent: Mutex<Recent>,
    message: watch::Sender<Bytes>,
}

impl Live {
    /// Creates the state of a line of which nothing is known yet.
    pub fn new(hub: Hub) -> Self {
        Self { hub, recent: Mutex::default(), message: watch::Sender::new(Bytes::new()) }
    }

    /// Keeps the state up to date for as long as the gateway runs.
    pub async fn run(&self) {
        let mut events = self.hub.events();
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.publish(),
                event = events.recv() => match event {
                    Ok(Event::Part(part)) => self.add(&part),
                    Ok(Event::Alarm { .. }) => self.publish(),
                    Ok(Event::Changed | Event::Fleet(_)) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
                },
            }
        }
    }

    fn add(&self, part: &Part) {
        let telegram = &part.message.telegram;
        let shown = PlotPart {
            run: telegram.run,
            part: telegram.part,
            product: part.product.clone(),
            verdict: telegram.verdict,
            disposition: telegram.disposition,
            reason: telegram.reason.as_str(),
            score: telegram.score,
            threshold: telegram.threshold,
            at_unix_ms: part.at_unix_ms,
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // The board's clock may jump; this one doesn't.
        let now = Instant::now();
        recent.minute.push_back((now, telegram.disposition == Disposition::Reject));
        recent.forget(now);
        recent.parts.push_back(shown);
        if recent.parts.len() > KEPT {
            recent.parts.pop_front();
        }
    }

    fn publish(&self) {
        if self.message.receiver_count() == 0 {
            return;
        }
        let (parts, rates) = {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.forget(Instant::now());
            let skipped = recent.parts.len().saturating_sub(SENT);
            let newest: Vec<PlotPart> = recent.parts.iter().skip(skipped).cloned().collect();
            let rejected = recent.minute.iter().filter(|(_, rejected)| *rejected).count();
            (newest, json!({"parts": recent.minute.len(), "rejected": rejected}))
        };
        let mut state = describe(&self.hub.line());
        if let Some(object) = state.as_object_mut() {
            object.insert("parts".to_owned(), json!(parts));
            object.insert("minute".to_owned(), rates);
        }
        self.message.send_replace(Bytes::from(format!("{RETRY}data: {state}\n\n")));
    }

    /// Returns the parts that are kept, oldest first.
    pub fn parts(&self) -> Value {
        json!(self.recent.lock().unwrap_or_else(PoisonError::into_inner).parts)
    }

    /// Returns the messages from now on. `is_valid` is asked before each: when it says no, there are no more.
    pub fn listen(&self, is_valid: impl Fn() -> bool + Send + 'static) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(1);
        let mut messages = self.message.subscribe();
        self.publish();
        messages.mark_changed();
        let end = Instant::now() + LONGEST;
        tokio::spawn(async move {
            while is_valid() && matches!(timeout_at(end, messages.changed()).await, Ok(Ok(()))) {
                let message = messages.borrow_and_update().clone();
                if !matches!(timeout_at(end, sender.send(message)).await, Ok(Ok(()))) {
                    return;
                }
            }
        });
        receiver
    }
}

impl Recent {
    fn forget(&mut self, now: Instant) {
        while self.minute.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > RATE) {
            self.minute.pop_front();
        }
    }
}

fn describe(line: &LineState) -> Value {
    let hello = line.hello.as_ref();
    let accepts = hello.map_or(0, |hello| hello.accepts);
    let accepts: Vec<_> = CommandKind::ALL
        .into_iter()
        .filter(|kind| accepts & kind.bit() != 0)
        .map(CommandKind::as_str)
        .collect();
    let infer = STAGES.iter().position(|stage| *stage == "infer");
    let infer = infer.and_then(|index| line.latencies.get(index)).and_then(Option::as_ref);
    json!({
        "at_unix_ms": unix_ms(),
        "connected": line.connected,
        "line": hello.map(|hello| hello.line.as_str()),
        "version": hello.map(|hello| hello.version.as_str()),
        "run": hello.map(|hello| hello.run),
        "accepts": accepts,
        "products": line.products,
        "product": line.product(),
        "alarms": line.alarms(),
        "problems": line.problems,
        "infer_p99_ms": infer.map(|infer| f64::from(infer.p99_us) / 1e3),
        "status": line.status.as_ref().map(|status| json!({
            "uptime_s": status.uptime_s,
            "camera": status.camera.as_str(),
            "held": status.alarms & HELD != 0,
            "under_way": status.under_way,
            "challenge_left": status.challenge_left,
            "triggered": status.counters.triggered,
            "passed": status.counters.passed,
            "rejected": status.counters.rejected,
            "faults": status.counters.faults,
            "missing": status.counters.missing,
        })),
    })
}

#[cfg(test)]
mod tests {
    use shared_format::gateway::LineMessage;

    use super::*;
    use crate::line::tests::{hello, part, status};

    #[tokio::test(start_paused = true)]
    async fn a_browser_gets_the_state_at_once_and_the_newest_when_it_reads_slowly() {
        let (hub, _queue) = Hub::new();
        let live = std::sync::Arc::new(Live::new(hub.clone()));
        let running = std::sync::Arc::clone(&live);
        tokio::spawn(async move { running.run().await });
        let mut messages = live.listen(|| true);
        let next = |bytes: Bytes| -> Value {
            let text = std::str::from_utf8(&bytes).unwrap().split_once("data: ").unwrap().1.to_owned();
            assert!(text.ends_with("\n\n"));
            serde_json::from_str(&text).unwrap()
        };
        let first = next(messages.recv().await.unwrap());
        assert!(first["connected"] == false && first["alarms"] == json!(["line_lost"]), "{first}");
        hub.apply(hello(0b100100));
        hub.apply(LineMessage::Status(status(0b10, 1, 0)));
        (1..=2000).for_each(|number| hub.apply(LineMessage::Part(part(number))));
        tokio::time::sleep(Duration::from_secs(60)).await;
        // What waited, and the newest.
        for _ in 0..2 {
            messages.recv().await.unwrap();
        }
        let newest = next(messages.recv().await.unwrap());
        assert_eq!(newest["alarms"], json!(["blind"]), "{newest}");
        assert!(newest["status"]["held"] == true && newest["accepts"] == json!(["product", "decide"]));
        assert_eq!(newest["parts"].as_array().unwrap().len(), SENT);
        assert_eq!(newest["parts"][SENT - 1]["part"], 2000);
        assert!(live.parts().as_array().unwrap().len() <= KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_end_with_the_session_and_after_ten_minutes_in_any_case() {
        let (hub, _queue) = Hub::new();
        let live = std::sync::Arc::new(Live::new(hub));
        let running = std::sync::Arc::clone(&live);
        tokio::spawn(async move { running.run().await });
        let mut ended = live.listen(|| false);
        assert_eq!(ended.recv().await, None);
        let (start, mut messages) = (Instant::now(), live.listen(|| true));
        while messages.recv().await.is_some() {}
        assert_eq!(start.elapsed().as_secs(), 600);
        // One that never reads loses its place, too.
        let unread = live.listen(|| true);
        tokio::time::sleep(Duration::from_secs(601)).await;
        assert!(unread.len() <= 1 && live.message.receiver_count() == 0);
    }
}
