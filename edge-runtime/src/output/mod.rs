//! What the line tells others: levels for the gate, and a report of each part.
//!
//! | module | what it holds |
//! |---|---|
//! | [`levels`] | the outputs as the gate drives them, and their safe state |
//! | [`outputs`] | them as they are to be: what could not be driven is driven again |
//! | [`gpio`] | them on the GPIO lines of a chip (feature `gpio`) |
//! | [`report`] | what became of a part: as text, telegram and JSON |
//! | [`text`] | the lines of text that a serial peer gets |
//! | [`queue`] | reports on their way to a slow reader: the oldest are dropped |
//! | [`stdout`] | JSON lines on standard output |
//! | [`serial`] | a peer on the serial port (feature `serial`) |
//!
//! Nothing here makes the gate wait: a reader that is slow or gone loses reports, and how many is counted.

#[cfg(feature = "gpio")]
pub mod gpio;
pub mod levels;
pub mod outputs;
pub mod queue;
pub mod report;
#[cfg(feature = "serial")]
pub mod serial;
pub mod stdout;
pub mod text;

pub use levels::{Levels, RecordedLevels};
pub use outputs::Outputs;
pub use report::PartReport;
