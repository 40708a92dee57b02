//! The gate's settings from the line file, in the gate's units.

use std::time::Duration;

use super::BeltUnit;
use crate::clock::{milliseconds, nanoseconds};
use crate::line_file::{LineFile, Safe};

/// The gate's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateSettings {
    /// Unit in which the distance from trigger to gate is counted.
    pub unit: BeltUnit,
    /// That distance: nanoseconds of belt time, or ticks.
    pub distance: u64,
    /// How long the reject output is driven for a part.
    pub pulse: Duration,
    /// Shortest pause between two pulses.
    pub gap: Duration,
    /// The safe side.
    pub safe: Safe,
    /// Maximum number of parts under way.
    pub queue: usize,
    /// Number of rejects in a row that requests a stop.
    pub stop_after_rejects: Option<u32>,
    /// How long a rejected part may take to fall.
    pub confirm_within: Option<Duration>,
    /// Delay from trigger to strobe, and how long the strobe is on.
    pub strobe: Option<(Duration, Duration)>,
}

impl GateSettings {
    /// Takes the settings from a checked line file.
    #[must_use]
    pub fn of(line: &LineFile) -> Self {
        let gate = &line.gate;
        let (unit, distance) = match gate.distance_ticks {
            Some(ticks) => (BeltUnit::Ticks, u64::from(ticks)),
            None => (BeltUnit::Time, nanoseconds(milliseconds(gate.delay_ms.unwrap_or(0.0)))),
        };
        let strobe_ms = line.gpio.as_ref().and_then(|gpio| gpio.strobe_ms);
        Self {
            unit,
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
