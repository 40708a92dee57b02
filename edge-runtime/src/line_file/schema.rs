//! The keys of a line file. What each means stands in `template.toml`, which `edge-runtime init` writes; which values
//! are allowed, in [`super::check`].

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::camera::Camera;
use super::devices::{Gpio, Serial};
use crate::clock::milliseconds;

/// A whole line file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineFile {
    /// What the line is called in status, logs and records.
    pub name: String,
    /// What is inspected; the first is the one at start.
    #[serde(rename = "product")]
    pub products: Vec<Product>,
    /// Threads of the network.
    #[serde(default = "one")]
    pub threads: u16,
    /// Where frames come from.
    pub camera: Camera,
    /// What makes a part a part.
    pub trigger: Trigger,
    /// From a part's frames to the part's verdict.
    #[serde(default)]
    pub votes: Votes,
    /// When and how a verdict reaches the reject gate.
    pub gate: Gate,
    /// GPIO inputs and outputs.
    #[serde(default)]
    pub gpio: Option<Gpio>,
    /// Serial port.
    #[serde(default)]
    pub serial: Option<Serial>,
    /// JSON lines on standard output.
    #[serde(default)]
    pub stdout: bool,
    /// Known-bad parts at the start of a shift.
    #[serde(default)]
    pub challenge: Option<Challenge>,
    /// What is kept on disk.
    #[serde(default)]
    pub records: Records,
    /// Status and what is watched.
    #[serde(default)]
    pub health: Health,
}

const fn one() -> u16 {
    1
}

/// A kind of part and the bundle that judges it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name, in reports and for the serial command.
    pub name: String,
    /// The bundle folder, relative to the line file.
    pub bundle: PathBuf,
    /// The number on the product inputs that selects it.
    #[serde(default)]
    pub select: Option<u8>,
}

/// What makes a part a part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Trigger {
    /// A level change on `gpio.trigger`.
    Gpio {
        /// From the edge to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
    /// A command on the serial port.
    Serial {
        /// From the command to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
    /// A part every so often.
    Interval {
        /// From part to part.
        every_ms: f64,
    },
    /// Every frame is a part: for dry runs, and for cameras that are triggered themselves.
    Frame,
    /// Something other than the empty belt is in sight.
    Presence {
        /// Share of the picture's cells that must differ from the empty belt's.
        #[serde(default = "default_presence_share")]
        share: f64,
        /// How much a cell's brightness (0 to 255) must differ.
        #[serde(default = "default_presence_contrast")]
        contrast: f64,
        /// From the moment it comes into sight to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
}

impl Trigger {
    /// From the trigger to the first exposure that counts.
    #[must_use]
    pub fn exposure_delay(&self) -> Duration {
        match self {
            Self::Gpio { exposure_delay_ms }
            | Self::Serial { exposure_delay_ms }
            | Self::Presence { exposure_delay_ms, .. } => milliseconds(*exposure_delay_ms),
            Self::Interval { .. } | Self::Frame => Duration::ZERO,
        }
    }

    /// Time from part to part, if that is the trigger.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        match self {
            Self::Interval { every_ms } => Some(milliseconds(*every_ms)),
            _ => None,
        }
    }

    /// Whether the frames themselves are the trigger: parts pass unseen while there are none.
    #[must_use]
    pub const fn is_in_frames(&self) -> bool {
        matches!(self, Self::Frame | Self::Presence { .. })
    }
}

const fn default_presence_share() -> f64 {
    0.05
}

const fn default_presence_contrast() -> f64 {
    20.0
}

/// From a part's frames to the part's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Votes {
    /// Frames that are judged of each part.
    #[serde(default = "one")]
    pub frames: u16,
    /// When a part is rejected.
    #[serde(default)]
    pub rule: VoteRule,
    /// For `rule = "at-least"`: rejected frames that reject the part.
    #[serde(default)]
    pub rejects: Option<u16>,
}

impl Default for Votes {
    fn default() -> Self {
        Self { frames: 1, rule: VoteRule::Any, rejects: None }
    }
}

/// When a part is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VoteRule {
    /// One rejected frame is enough.
    #[default]
    Any,
    /// More than half of the frames.
    Majority,
    /// As many as `rejects` says.
    AtLeast,
}

/// When and how a verdict reaches the reject gate. Either `delay_ms` or `distance_ticks` places the gate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Belt time from the trigger to the gate.
    #[serde(default)]
    pub delay_ms: Option<f64>,
    /// Encoder ticks from the trigger to the gate.
    #[serde(default)]
    pub distance_ticks: Option<u32>,
    /// No tick for so long, although the belt must be moving, is a silent encoder.
    #[serde(default)]
    pub encoder_silent_ms: Option<f64>,
    /// Ticks a second at most: counts on the serial port that grow faster have jumped.
    #[serde(default)]
    pub max_ticks_per_s: Option<u32>,
    /// How long the reject output is driven.
    pub pulse_ms: f64,
    /// Shortest rest between two pulses; closer ones become one.
    #[serde(default)]
    pub gap_ms: f64,
    /// What becomes of a part without a verdict in time, or with the verdict `fault`.
    #[serde(default)]
    pub without_verdict: Safe,
    /// Parts between trigger and gate at most.
    #[serde(default = "default_queue")]
    pub queue: u16,
    /// Rejects in a row after which the line is told to stop; never unless given.
    #[serde(default)]
    pub stop_after_rejects: Option<u32>,
    /// How long after its release a rejected part may take to `gpio.confirm`.
    #[serde(default)]
    pub confirm_within_ms: Option<f64>,
}

const fn default_queue() -> u16 {
    64
}

/// The safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safe {
    /// Out with it.
    #[default]
    Reject,
    /// Let it go.
    Pass,
}

/// Known-bad parts at the start of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Known-bad parts that are passed along.
    pub parts: u16,
    /// Whether one is due at every start of the program.
    #[serde(default)]
    pub at_start: bool,
}

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    /// The folder, relative to the line file; nothing is kept unless given.
    pub folder: Option<PathBuf>,
    /// Bytes that all records together may take.
    pub max_mib: u32,
    /// Days that a record is kept.
    pub max_days: u32,
    /// Whether frames are kept as the camera gave them, beside the overlay.
    pub frames: bool,
}

impl Default for Records {
    fn default() -> Self {
        Self { folder: None, max_mib: 256, max_days: 30, frames: true }
    }
}

/// Status and what is watched.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Folder for counters and status, relative to the line file; kept in memory only unless given.
    pub state: Option<PathBuf>,
    /// From one status snapshot and log line to the next.
    pub every_s: u32,
    /// No new picture for so long is a frozen camera.
    pub frozen_s: f64,
    /// A frame that is byte for byte one of so many before it is a fault; 0 for none. Unless given, 5 with a camera,
    /// and 0 with files and the test pattern.
    pub equal_frames: Option<u16>,
    /// No frame for so long is a lost camera.
    pub silent_s: f64,
    /// A mean brightness (0 to 255) below this is a black frame.
    pub black_below: f64,
    /// A share of saturated pixels above this is a burnt-out frame.
    pub burnt_above: f64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            state: None,
            every_s: 10,
            frozen_s: 2.0,
            equal_frames: None,
            silent_s: 1.0,
            black_below: 5.0,
            burnt_above: 0.5,
        }
    }
}
