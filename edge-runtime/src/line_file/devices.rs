//! The keys of the devices that are inputs and outputs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// GPIO inputs and outputs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpio {
    /// The chip, such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// The inputs' chip, where that is another one, such as an I/O expander's.
    #[serde(default)]
    pub input_chip: Option<PathBuf>,
    /// Output: out with the part.
    #[serde(default)]
    pub reject: Option<Pin>,
    /// Output: the part may go on.
    #[serde(default)]
    pub pass: Option<Pin>,
    /// Output: the program can't be trusted now; also the request to stop the line.
    #[serde(default)]
    pub fault: Option<Pin>,
    /// Output: changes level while the gate is served.
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
    /// Input: the belt has moved by a tick, on each rising edge.
    #[serde(default)]
    pub encoder: Option<Pin>,
    /// Input: the belt runs.
    #[serde(default)]
    pub belt: Option<Pin>,
    /// Input: a rejected part has fallen.
    #[serde(default)]
    pub confirm: Option<Pin>,
    /// Inputs: number of the product, lowest bit first.
    #[serde(default)]
    pub select: Vec<Pin>,
    /// Shortest time between two edges of trigger, belt, confirm and select that both count.
    #[serde(default)]
    pub debounce_ms: f64,
}

impl Gpio {
    /// The chip that the inputs are lines of.
    #[must_use]
    pub fn input_chip(&self) -> &Path {
        self.input_chip.as_deref().unwrap_or(&self.chip)
    }
}

/// A line of the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its offset.
    pub line: u32,
    /// Whether low means yes.
    #[serde(default)]
    pub active_low: bool,
}

/// Serial port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    /// The device, such as `/dev/ttyUSB0`.
    pub device: PathBuf,
    /// Bits a second; 8 data bits, no parity, one stop bit.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// What is sent for each part.
    #[serde(default)]
    pub format: SerialFormat,
}

const fn default_baud() -> u32 {
    115_200
}

/// What is sent for each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SerialFormat {
    /// A line of text.
    #[default]
    Text,
    /// A telegram: postcard, CRC, COBS.
    Telegram,
}
