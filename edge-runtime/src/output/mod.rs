//! The outputs, which take dispositions: as levels that drive the gate, and as a report on each part.
//!
//! | module | contents |
//! |---|---|
//! | `interface` | the traits [`Output`] and [`OutputKind`] |
//! | `kinds` | the list of all kinds of output |
//! | `outputs` | the outputs of a line: drives them, retries after failures, reports their problems |
//! | [`gpio`] | levels on the GPIO lines of a chip (feature `gpio`) |
//! | [`stdout`] | JSON lines on standard output |
//! | [`serial`] | the peer on the serial port (feature `serial`) |
//! | [`socket`] | the gateway on a local socket |
//!
//! No output makes the gate wait: a slow or missing reader loses reports, and the lost ones are counted.
//!
//! To add an output, create a folder here with its [`OutputKind`] and its [`Output`], list it in `kinds`, and add its table to the
//! line file in `line_file`. The rest of the program uses it only through these traits.

pub mod gpio;
mod interface;
mod kinds;
mod outputs;
pub mod serial;
pub mod socket;
pub mod stdout;

pub use interface::{OpenError, Output, OutputKind};
pub use kinds::KINDS;
pub use outputs::{Outputs, OutputsHandle};
