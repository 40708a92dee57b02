//! The gate's part of the line file, in the gate's units.

use std::time::Duration;

use super::Measure;
use crate::clock::{milliseconds, nanoseconds};
use crate::line_file::{LineFile, Safe};

/// How the gate works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the way from trigger to gate is counted in.
    pub measure: Measure,
    /// That way: nanoseconds of belt time, or ticks.
    pub distance: u64,
    /// How long the reject output is driven for a part.
    pub pulse: Duration,
    /// Shortest rest between two pulses.
    pub gap: Duration,
    /// The safe side.
    pub safe: Safe,
    /// Parts under way at most.
    pub queue: usize,
    /// Rejects in a row that ask for a stop.
    pub stop_after_rejects: Option<u32>,
    /// How long a rejected part may take to fall.
    pub confirm_within: Option<Duration>,
    /// From trigger to strobe, and how long that is on.
    pub strobe: Option<(Duration, Duration)>,
}

impl Settings {
    /// From a checked line file.
    #[must_use]
    pub fn of(line: &LineFile) -> Self {
        let gate = &line.gate;
        let (measure, distance) = match gate.distance_ticks {
            Some(ticks) => (Measure::Ticks, u64::from(ticks)),
            None => (Measure::Time, nanoseconds(milliseconds(gate.delay_ms.unwrap_or(0.0)))),
        };
        let strobe_ms = line.gpio.as_ref().and_then(|gpio| gpio.strobe_ms);
        Self {
            measure,
            distance,
            pulse: milliseconds(gate.pulse_ms),
            gap: milliseconds(gate.gap_ms),
            safe: gate.without_verdict,
            queue: usize::from(gate.queue),
            stop_after_rejects: gate.stop_after_rejects,
            confirm_within: gate.confirm_within_ms.map(milliseconds),
            strobe: strobe_ms.map(|on| (line.trigger.exposure_delay(), milliseconds(on))),
        }
    }
}
