//! Who takes dispositions: levels for the gate, and reports of each part.
//!
//! | module | what it holds |
//! |---|---|
//! | `interface` | what an output is, and a kind of them |
//! | `kinds` | the kinds that there are |
//! | `outputs` | those of a line: driven as they are to be, what could not be driven again, and asked how they are |
//! | [`gpio`] | levels on the GPIO lines of a chip (feature `gpio`) |
//! | [`stdout`] | JSON lines on standard output |
//! | [`serial`] | the peer on the serial port (feature `serial`) |
//!
//! Nothing here makes the gate wait: a reader that is slow or gone loses reports, and how many is counted.
//!
//! To add an output, make a folder here with its [`Kind`] and its [`Output`], name it in `kinds`, and give the line file
//! its table in `line_file`. The rest of the program opens, drives, tells, asks and checks it by these traits.

pub mod gpio;
mod interface;
mod kinds;
mod outputs;
pub mod serial;
pub mod stdout;

pub use interface::{Kind, OpenError, Output};
pub use kinds::KINDS;
pub use outputs::{Outputs, Watch};
