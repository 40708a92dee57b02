//! The keys of a line file. `template.toml`, which `edge-runtime init` writes, explains each; [`super::check`] says which
//! values are allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_format::Roi;

use super::camera::CameraConfig;
use super::devices::{GpioConfig, SerialConfig, SocketConfig};
use super::views::ViewConfig;
use crate::clock::milliseconds;

/// A complete line file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineFile {
    /// The file itself; programs that the line starts read it again.
    #[serde(skip)]
    pub path: PathBuf,
    /// The line's name in status, logs and records.
    pub name: String,
    /// The products; the first is active at start.
    #[serde(rename = "product")]
    pub products: Vec<Product>,
    /// Number of threads that run the network.
    #[serde(default = "one")]
    pub threads: u16,
    /// Public keys, each with the name of its owner after a blank, whose bundles are run; any bundle is if neither they nor
    /// [`SigningConfig::root`] are given.
    #[serde(default)]
    pub trust: Vec<String>,
    /// Key list, the board's own key and downgrades.
    #[serde(default)]
    pub signing: SigningConfig,
    /// Where frames come from.
    pub camera: CameraConfig,
    /// Further cameras that look at the same part.
    #[serde(default, rename = "view")]
    pub views: Vec<ViewConfig>,
    /// What triggers a part.
    pub trigger: Trigger,
    /// How the verdicts of a part's frames are combined into the part's verdict.
    #[serde(default)]
    pub votes: VotesConfig,
    /// When and how a verdict reaches the reject gate.
    pub gate: GateConfig,
    /// GPIO inputs and outputs.
    #[serde(default)]
    pub gpio: Option<GpioConfig>,
    /// The serial port.
    #[serde(default)]
    pub serial: Option<SerialConfig>,
    /// A local socket for the gateway.
    #[serde(default)]
    pub socket: Option<SocketConfig>,
    /// Whether to write JSON lines to standard output.
    #[serde(default)]
    pub stdout: bool,
    /// Known-bad parts at the start of a shift.
    #[serde(default)]
    pub challenge: Option<ChallengeConfig>,
    /// Records kept on disk.
    #[serde(default)]
    pub records: RecordsConfig,
    /// Status and monitoring.
    #[serde(default)]
    pub health: HealthConfig,
    /// How far people may move a threshold through the gateway.
    #[serde(default)]
    pub threshold: ThresholdConfig,
}

const fn one() -> u16 {
    1
}

/// A kind of part and the bundle that judges it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The product's name, in reports and for the serial command.
    pub name: String,
    /// The bundle folder, relative to the line file.
    pub bundle: PathBuf,
    /// The number on the `gpio.select` inputs that selects it.
    #[serde(default)]
    pub select: Option<u8>,
    /// Bundles of views that have one of their own, by the view's name, relative to the line file.
    #[serde(default)]
    pub views: BTreeMap<String, PathBuf>,
}

/// Key list, the board's own key and downgrades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigningConfig {
    /// Public keys that may sign the key list.
    pub root: Vec<String>,
    /// The key list, relative to the line file; its signature lies beside it.
    pub key_list: Option<PathBuf>,
    /// Folder of the board's own key, relative to the line file; without it nothing is signed here.
    pub board_key: Option<PathBuf>,
    /// Whether bundles and key lists with lower serial numbers than before are used.
    pub allow_downgrade: bool,
}

/// What triggers a part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Trigger {
    /// A level change on `gpio.trigger`.
    Gpio {
        /// Time from the edge to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
    /// A command on the serial port.
    Serial {
        /// Time from the command to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
    /// A command from the gateway.
    Socket {
        /// Time from the command to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
    /// A part at fixed intervals.
    Interval {
        /// Time from one part to the next.
        every_ms: f64,
    },
    /// Every frame is a part: for dry runs, and for cameras with a hardware trigger.
    Frame,
    /// Something other than the empty belt is in view.
    Presence {
        /// Share of the picture's cells that must differ from the empty belt's.
        #[serde(default = "default_presence_share")]
        share: f64,
        /// How much a cell's brightness (0 to 255) must differ.
        #[serde(default = "default_presence_contrast")]
        contrast: f64,
        /// Where parts are looked for, in pixels; by default in the region of interest of the product's bundle.
        #[serde(default)]
        region: Option<Roi>,
        /// How long one part is in view at the most; what stays longer counts as several parts that touch each other.
        #[serde(default)]
        part_ms: Option<f64>,
        /// Time from the moment the part comes into view to the first exposure that counts.
        #[serde(default)]
        exposure_delay_ms: f64,
    },
}

impl Trigger {
    /// Returns the time from the trigger to the first exposure that counts.
    #[must_use]
    pub fn exposure_delay(&self) -> Duration {
        match self {
            Self::Gpio { exposure_delay_ms }
            | Self::Serial { exposure_delay_ms }
            | Self::Socket { exposure_delay_ms }
            | Self::Presence { exposure_delay_ms, .. } => milliseconds(*exposure_delay_ms),
            Self::Interval { .. } | Self::Frame => Duration::ZERO,
        }
    }

    /// Returns the time from one part to the next, if an interval is the trigger.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        match self {
            Self::Interval { every_ms } => Some(milliseconds(*every_ms)),
            _ => None,
        }
    }

    /// Whether parts are triggered by the frames themselves, so that they pass unseen while no frames come.
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

/// How the verdicts of a part's frames are combined into the part's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotesConfig {
    /// Number of frames that are judged per part.
    #[serde(default = "one")]
    pub frames: u16,
    /// When a part is rejected.
    #[serde(default)]
    pub rule: VoteRule,
    /// For `rule = "at-least"`: number of rejected frames that reject the part.
    #[serde(default)]
    pub rejects: Option<u16>,
    /// Zones of the bundle that are counted on their own; `rule` is for all others together.
    #[serde(default)]
    pub zones: Vec<ZoneVotes>,
    /// When a part of several views is rejected, by the views' verdicts.
    #[serde(default)]
    pub view_rule: VoteRule,
    /// For `view_rule = "at-least"`: number of rejected views that reject the part.
    #[serde(default)]
    pub view_rejects: Option<u16>,
}

impl Default for VotesConfig {
    fn default() -> Self {
        Self {
            frames: 1,
            rule: VoteRule::Any,
            rejects: None,
            zones: vec![],
            view_rule: VoteRule::Any,
            view_rejects: None,
        }
    }
}

/// How often a zone of the bundle has to be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneVotes {
    /// The grey level that the zone was painted with.
    pub level: u8,
    /// Number of frames in which the zone has to be rejected to reject the part.
    pub rejects: u16,
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
    /// At least [`VotesConfig::rejects`] frames.
    AtLeast,
}

/// When and how a verdict reaches the reject gate. Either `delay_ms` or `distance_ticks` gives the distance to the gate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Belt time from the trigger to the gate.
    #[serde(default)]
    pub delay_ms: Option<f64>,
    /// Encoder ticks from the trigger to the gate.
    #[serde(default)]
    pub distance_ticks: Option<u32>,
    /// If no tick arrives for this long although the belt must be moving, the encoder counts as silent.
    #[serde(default)]
    pub encoder_silent_ms: Option<f64>,
    /// Maximum ticks per second: a count on the serial port that grows faster is treated as a jump.
    #[serde(default)]
    pub max_ticks_per_s: Option<u32>,
    /// How long the reject output is driven.
    pub pulse_ms: f64,
    /// Shortest rest between two pulses; closer ones are merged.
    #[serde(default)]
    pub gap_ms: f64,
    /// Where a part goes that has no verdict in time, or the verdict `fault`.
    #[serde(default)]
    pub without_verdict: Safe,
    /// Maximum number of parts between trigger and gate.
    #[serde(default = "default_queue")]
    pub queue: u16,
    /// Number of consecutive rejects after which the line is told to stop; never by default.
    #[serde(default)]
    pub stop_after_rejects: Option<u32>,
    /// How long a rejected part may take from its release to `gpio.confirm`.
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
    /// Reject the part.
    #[default]
    Reject,
    /// Let the part pass.
    Pass,
}

/// Known-bad parts at the start of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeConfig {
    /// Number of known-bad parts in a challenge.
    pub parts: u16,
    /// Whether a challenge is due at every start of the program.
    #[serde(default)]
    pub at_start: bool,
}

/// Records kept on disk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsConfig {
    /// The folder, relative to the line file; without it nothing is kept.
    pub folder: Option<PathBuf>,
    /// Maximum size of all records together, in MiB.
    pub max_mib: u32,
    /// Number of days a record is kept.
    pub max_days: u32,
    /// Whether to keep frames as the camera delivered them, next to the overlay.
    pub frames: bool,
    /// Share of the passed parts that are recorded too, chosen at random.
    pub passed_share: f64,
    /// Maximum size of the records of passed parts together, in MiB.
    pub max_passed_mib: u32,
    /// Maximum size of the records that a person has decided on, in MiB. They are never deleted by themselves.
    pub max_decided_mib: u32,
    /// Maximum size of the photos that are taken for teaching, in MiB.
    pub max_photos_mib: u32,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self {
            folder: None,
            max_mib: 256,
            max_days: 30,
            frames: true,
            passed_share: 0.001,
            max_passed_mib: 64,
            max_decided_mib: 1024,
            max_photos_mib: 1024,
        }
    }
}

/// How far people may move a threshold through the gateway, in units of the distance from the median of the good parts (0) to the
/// bundle's own threshold (1).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThresholdConfig {
    /// The lowest threshold.
    pub lowest: f64,
    /// The highest threshold.
    pub highest: f64,
}

impl Default for ThresholdConfig {
    fn default() -> Self {
        Self { lowest: 0.8, highest: 1.25 }
    }
}

/// Status and monitoring.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthConfig {
    /// Folder for counters and status, relative to the line file; without it they are only kept in memory.
    pub state: Option<PathBuf>,
    /// Time from one status snapshot and log line to the next.
    pub every_s: u32,
    /// Time without a new picture after which the camera counts as frozen.
    pub frozen_s: f64,
    /// A frame that is byte for byte equal to one of this many frames before it is a fault; 0 turns this off. The default is 5,
    /// and 0 with the test pattern.
    pub equal_frames: Option<u16>,
    /// Time without a frame after which the camera counts as lost.
    pub silent_s: f64,
    /// Mean brightness (0 to 255) below which a frame counts as black.
    pub black_below: f64,
    /// Share of saturated pixels above which a frame counts as burnt out.
    pub burnt_above: f64,
}

impl Default for HealthConfig {
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
