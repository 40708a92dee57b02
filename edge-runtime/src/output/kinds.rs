//! The kinds of outputs that there are.

use super::Kind;
use super::gpio::Gpio;
use super::serial::Serial;
use super::stdout::Stdout;

/// In the order in which they are opened: first those whose levels hold the line.
pub const KINDS: [&dyn Kind; 3] = [&Gpio, &Stdout, &Serial];
