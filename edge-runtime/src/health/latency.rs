//! How long each stage of the line took in the last minutes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::histogram::{Histogram, HistogramSum};
use crate::clock::Moment;
use crate::health::percentiles::Percentiles;

/// Number of time slices kept.
const SLICES: usize = 6;
/// Length of a slice; together they cover the last five to six minutes.
const SLICE_LENGTH: Duration = Duration::from_secs(60);

/// A timed stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimedStage {
    /// From the capture of the frame that decides a part to its verdict on the outputs.
    CapturedToWritten,
    /// From trigger to verdict.
    TriggeredToVerdict,
    /// The camera's bytes → frame.
    Decode,
    /// Frame → network input.
    Prepare,
    /// The network.
    Infer,
    /// Score → region and verdict.
    Decide,
    /// How late a part was released, relative to when the belt brought it to the gate.
    Lateness,
}

impl TimedStage {
    /// All stages, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::CapturedToWritten,
        Self::TriggeredToVerdict,
        Self::Decode,
        Self::Prepare,
        Self::Infer,
        Self::Decide,
        Self::Lateness,
    ];

    /// Returns its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapturedToWritten => "captured_to_written",
            Self::TriggeredToVerdict => "triggered_to_verdict",
            Self::Decode => "decode",
            Self::Prepare => "prepare",
            Self::Infer => "infer",
            Self::Decide => "decide",
            Self::Lateness => "lateness",
        }
    }
}

/// Percentiles of a stage, over the last minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StageLatency {
    /// Name of the stage.
    pub stage: &'static str,
    /// Number of times measured.
    pub count: u64,
    /// In milliseconds: never below the true ones, at most 1.6 % above.
    #[serde(flatten)]
    pub ms: Percentiles,
}

/// Times by stage, in a third of a MiB. Any thread can add without ever waiting; one thread calls
/// [`Self::rotate`] and reads the percentiles.
#[derive(Debug)]
pub struct Latencies {
    slices: [[Histogram; TimedStage::ALL.len()]; SLICES],
    current: AtomicUsize,
    /// When the current slice began.
    began: AtomicU64,
}

impl Latencies {
    /// Starts without times; the first slice begins at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { slices: Default::default(), current: AtomicUsize::new(0), began: AtomicU64::new(now.0) }
    }

    /// Counts a time.
    pub fn add(&self, stage: TimedStage, time: Duration) {
        let slice = self.slices.get(self.current.load(Ordering::Relaxed));
        if let Some(histogram) = slice.and_then(|slice| slice.get(stage as usize)) {
            histogram.add(time);
        }
    }

    /// Counts a frame's stage times.
    pub fn add_stages(&self, times: &judge::StageTimes) {
        self.add(TimedStage::Decode, times.decode);
        self.add(TimedStage::Prepare, times.prepare);
        self.add(TimedStage::Infer, times.infer);
        self.add(TimedStage::Decide, times.decide);
    }

    /// Forgets times that are too old. Call it at least once a minute, from one thread. A time that another thread adds
    /// meanwhile may be lost along with the forgotten ones.
    pub fn rotate(&self, now: Moment) {
        let mut began = Moment(self.began.load(Ordering::Relaxed));
        for _ in 0..SLICES {
            if now.since(began) < SLICE_LENGTH {
                break;
            }
            let next = (self.current.load(Ordering::Relaxed) + 1) % SLICES;
            self.slices.iter().skip(next).take(1).flatten().for_each(Histogram::clear);
            self.current.store(next, Ordering::Relaxed);
            began = began + SLICE_LENGTH;
        }
        // After a pause longer than all slices, the next one begins now.
        if now.since(began) >= SLICE_LENGTH {
            began = now;
        }
        self.began.store(began.0, Ordering::Relaxed);
    }

    /// Returns the percentiles of the stages that were timed.
    #[must_use]
    pub fn percentiles(&self) -> Vec<StageLatency> {
        let of = |stage: TimedStage| {
            let mut total = HistogramSum::default();
            let histograms = self.slices.iter().filter_map(|slice| slice.get(stage as usize));
            histograms.for_each(|histogram| histogram.add_to(&mut total));
            let ms = total.percentiles()?;
            Some(StageLatency { stage: stage.as_str(), count: total.count(), ms })
        };
        TimedStage::ALL.into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(5) + Duration::from_secs(seconds)
    }

    #[test]
    fn old_times_are_forgotten_slice_by_slice() {
        let latencies = Latencies::new(at(0));
        let counts = || latencies.percentiles().iter().map(|stage| stage.count).collect::<Vec<_>>();
        latencies.add(TimedStage::Infer, Duration::from_millis(5));
        latencies.rotate(at(61));
        latencies.add(TimedStage::Infer, Duration::from_millis(50));
        assert_eq!(counts(), [2]);
        latencies.rotate(at(359));
        assert_eq!(counts(), [2]);
        latencies.rotate(at(361));
        assert_eq!(counts(), [1]);
        assert_eq!(latencies.percentiles()[0].ms.max, 50.0);
        latencies.rotate(at(100_000));
        assert!(counts().is_empty());
        latencies.add(TimedStage::Infer, Duration::from_millis(5));
        latencies.rotate(at(100_001));
        assert_eq!(counts(), [1]);
    }

    #[test]
    fn stages_keep_to_themselves() {
        let latencies = Latencies::new(at(0));
        for (ms, stage) in (1..).zip(TimedStage::ALL) {
            latencies.add(stage, Duration::from_millis(ms));
        }
        let found: Vec<_> = latencies.percentiles().iter().map(|stage| (stage.stage, stage.ms.p50)).collect();
        let expected: Vec<_> =
            (1..8).zip(TimedStage::ALL).map(|(ms, stage)| (stage.as_str(), f64::from(ms))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn threads_lose_no_time_between_turns() {
        let latencies = Latencies::new(at(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..10_000).for_each(|i| latencies.add(TimedStage::Lateness, Duration::from_micros(i)))
                });
            }
        });
        assert_eq!(latencies.percentiles()[0].count, 40_000);
    }
}
