//! The line file's `[gpio]`, `[serial]` and `[socket]` tables.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared_format::gateway::CommandKind;

use crate::input::gateway::bits;

/// GPIO inputs and outputs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpioConfig {
    /// The chip, such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// The chip of the inputs, if it is a different one, such as an I/O expander.
    #[serde(default)]
    pub input_chip: Option<PathBuf>,
    /// Output: reject the part.
    #[serde(default)]
    pub reject: Option<Pin>,
    /// Output: the part may go on.
    #[serde(default)]
    pub pass: Option<Pin>,
    /// Output: the program can't be trusted at the moment; also requests a stop of the line.
    #[serde(default)]
    pub fault: Option<Pin>,
    /// Output: toggles while the gate is served.
    #[serde(default)]
    pub heartbeat: Option<Pin>,
    /// Output: on while a part is exposed.
    #[serde(default)]
    pub strobe: Option<Pin>,
    /// How long the strobe is on after a trigger.
    #[serde(default)]
    pub strobe_ms: Option<f64>,
    /// Input: a part is in front of the camera.
    #[serde(default)]
    pub trigger: Option<Pin>,
    /// Input: each rising edge is one tick of belt movement.
    #[serde(default)]
    pub encoder: Option<Pin>,
    /// Input: the belt is running.
    #[serde(default)]
    pub belt: Option<Pin>,
    /// Input: a rejected part has fallen.
    #[serde(default)]
    pub confirm: Option<Pin>,
    /// Inputs: the product's number in binary, lowest bit first.
    #[serde(default)]
    pub select: Vec<Pin>,
    /// Debounce time of trigger, belt, confirm and select: the shortest time between two edges that both count.
    #[serde(default)]
    pub debounce_ms: f64,
}

impl GpioConfig {
    /// Returns the chip of the input lines.
    #[must_use]
    pub fn input_chip(&self) -> &Path {
        self.input_chip.as_deref().unwrap_or(&self.chip)
    }
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The line's offset on the chip.
    pub line: u32,
    /// Whether the low level means active.
    #[serde(default)]
    pub active_low: bool,
}

/// The serial port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialConfig {
    /// The device, such as `/dev/ttyUSB0`.
    pub device: PathBuf,
    /// Bits per second, with 8 data bits, no parity and one stop bit.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// Format of the report on each part.
    #[serde(default)]
    pub format: SerialFormat,
}

const fn default_baud() -> u32 {
    115_200
}

/// Format of the report that is sent for each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SerialFormat {
    /// A line of text.
    #[default]
    Text,
    /// A binary telegram: postcard with a CRC, framed by COBS.
    Telegram,
}

/// A local socket for the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketConfig {
    /// The socket, relative to the line file. Its folder must exist.
    pub path: PathBuf,
    /// The kinds of command that are carried out; none by default.
    #[serde(default)]
    pub accept: Vec<CommandKind>,
    /// The folder in which the gateway leaves bundles, each in a folder of the name of the product's own bundle folder; needed for
    /// [`CommandKind::Install`].
    #[serde(default)]
    pub inbox: Option<PathBuf>,
}

impl SocketConfig {
    /// Returns the kinds of command that are carried out, one bit each.
    #[must_use]
    pub fn accepts(&self) -> u16 {
        bits(&self.accept)
    }
}
