//! The line's state, for people and other programs.

use std::time::Duration;

use serde::Serialize;

use super::counters::{CameraCounts, Counters};
use super::latency::{StageLatency, TimedStage};
use crate::clock::WallTime;
use crate::gate::Alarms;
use crate::health::machine::rss_mib;

/// Name of the file with the last status, in `health.state`.
pub const STATUS_FILE: &str = "status.json";

/// The part of the status that only the line itself knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The product that is inspected.
    pub product: String,
    /// The camera's state in a word or two.
    pub camera: String,
    /// The views, if there are several.
    pub views: Vec<ViewStatus>,
    /// The alarms that drive the fault output.
    pub alarms: Alarms,
    /// All counters.
    pub counters: Counters,
    /// What drifts, one sentence each.
    pub drift: Vec<String>,
    /// What else is wrong, one sentence each.
    pub problems: Vec<String>,
    /// The thresholds that people have moved, one sentence each.
    pub moved_thresholds: Vec<String>,
}

/// A view's state. Its counts are those since the start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewStatus {
    /// Its name.
    pub name: String,
    /// Its camera's state.
    pub camera: String,
    /// Parts of which it found nothing wrong.
    pub passed: u64,
    /// Parts that it rejected.
    pub rejected: u64,
    /// Parts of which it had frames that could not be judged, or lacked one that is needed.
    pub faults: u64,
    /// Parts that were judged without it.
    pub missing: u64,
    /// Its camera's frames.
    pub frames: CameraCounts,
}

/// The contents of `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The line's name.
    pub line: String,
    /// The program's version.
    pub version: &'static str,
    /// Number of the run.
    pub run: u64,
    /// Wall-clock time of this status.
    pub at: WallTime,
    /// How long the program has run, in seconds.
    pub uptime_s: u64,
    /// The product that is inspected.
    pub product: String,
    /// The camera's state; with several views, that of `[camera]`.
    pub camera: String,
    /// The views, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<ViewStatus>,
    /// The alarms that drive the fault output.
    pub alarms: Alarms,
    /// What drifts.
    pub drift: Vec<String>,
    /// What else is wrong.
    pub problems: Vec<String>,
    /// The thresholds that people have moved.
    pub moved_thresholds: Vec<String>,
    /// Counters over all runs.
    pub counters: Counters,
    /// Latencies over the last minutes.
    pub latency_ms: Vec<StageLatency>,
    /// Memory that the program holds, in MiB; `None` if the system doesn't say.
    pub memory_mib: Option<f64>,
}

impl Status {
    /// Builds the status as of now.
    #[must_use]
    pub fn new(line: &str, uptime: Duration, snapshot: Snapshot, latency_ms: Vec<StageLatency>) -> Self {
        let Snapshot { product, camera, views, alarms, counters, drift, problems, moved_thresholds } =
            snapshot;
        Self {
            line: line.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            run: counters.run,
            at: WallTime::now(),
            uptime_s: uptime.as_secs(),
            product,
            camera,
            views,
            alarms,
            drift,
            problems,
            moved_thresholds,
            counters,
            latency_ms,
            memory_mib: rss_mib().map(|mib| (mib * 10.0).round() / 10.0),
        }
    }

    /// Returns the status as one line for the log.
    #[must_use]
    pub fn summary(&self) -> String {
        let gate = &self.counters.gate;
        let mut text = format!(
            "{} camera {}, {} parts: {} passed, {} rejected, {} faults, {} missing",
            self.product, self.camera, gate.triggered, gate.passed, gate.rejected, gate.faults, gate.missing
        );
        if gate.other_products > 0 {
            text += &format!("; another product? {} of the faults", gate.other_products);
        }
        let written = self.latency_ms.iter().find(|l| l.stage == TimedStage::CapturedToWritten.as_str());
        if let Some(StageLatency { ms, .. }) = written {
            text += &format!("; captured to written p50 {:.1} ms, p99 {:.1} ms", ms.p50, ms.p99);
        }
        if let Some(mib) = self.memory_mib {
            text += &format!("; memory {mib:.0} MiB");
        }
        let raised = [
            (self.alarms.not_ready, "held: not ready"),
            (self.alarms.blind, "held: parts may pass unseen"),
            (self.alarms.rejects_in_a_row, "too many rejects in a row"),
            (self.alarms.challenge_missed, "a challenge was missed"),
            (self.alarms.unconfirmed, "a rejected part was not seen to fall"),
            (self.alarms.output_failed, "held: an output could not be driven"),
            (self.alarms.missed, "parts were handled too late to be rejected"),
            (self.alarms.triggers_lost, "triggers were lost"),
            (self.alarms.tracking_lost, "the encoder was silent, or its count ran backwards or jumped"),
        ];
        let raised = raised.into_iter().filter(|(is, _)| *is).map(|(_, text)| text);
        for sentence in raised.chain(self.drift.iter().chain(&self.problems).map(String::as_str)) {
            text += "; ";
            text += sentence;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::health::Latencies;

    fn status() -> Status {
        let mut counters = Counters { run: 3, ..Counters::default() };
        (counters.gate.triggered, counters.gate.passed, counters.gate.rejected) = (12, 10, 2);
        let alarms = Alarms { blind: true, ..Alarms::default() };
        let drift = vec!["score drift: much".to_owned()];
        let (product, camera) = ("cap".to_owned(), "runs".to_owned());
        let latencies = Latencies::new(Moment(0));
        latencies.add(TimedStage::CapturedToWritten, Duration::from_millis(31));
        let snapshot = Snapshot { product, camera, alarms, counters, drift, ..Snapshot::default() };
        Status::new("line 1", Duration::from_secs(61), snapshot, latencies.percentiles())
    }

    #[test]
    fn the_summary_is_one_line_with_what_matters() {
        let Status { memory_mib, .. } = status();
        let without_memory = Status { memory_mib: None, ..status() };
        assert!(memory_mib.is_some_and(|mib| mib > 1.0));
        assert_eq!(
            without_memory.summary(),
            "cap camera runs, 12 parts: 10 passed, 2 rejected, 0 faults, 0 missing; captured to written p50 31.0 ms, p99 \
             31.0 ms; held: parts may pass unseen; score drift: much"
        );
    }

    #[test]
    fn another_product_is_told_from_other_faults() {
        let mut status = Status { memory_mib: None, ..status() };
        (status.counters.gate.faults, status.counters.gate.other_products) = (4, 3);
        let summary = status.summary();
        assert!(summary.contains("4 faults, 0 missing; another product? 3 of the faults;"), "{summary}");
    }

    #[test]
    fn the_json_has_every_field() {
        let json = serde_json::to_value(status()).unwrap();
        assert_eq!((json["run"].as_u64(), json["uptime_s"].as_u64()), (Some(3), Some(61)));
        assert_eq!(json["counters"]["gate"]["rejected"], 2);
        assert_eq!(json["alarms"]["blind"], true);
        let latency = &json["latency_ms"][0];
        assert_eq!((&latency["stage"], latency["p99"].as_f64()), (&"captured_to_written".into(), Some(31.0)));
        assert!(json["moved_thresholds"].as_array().is_some_and(Vec::is_empty));
        assert_eq!(json.as_object().unwrap().len(), 14);
    }
}
