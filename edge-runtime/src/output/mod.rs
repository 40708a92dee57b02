//! What the line tells others: levels for the gate, and a report of each part.
//!
//! | module | what it holds |
//! |---|---|
//! | [`levels`] | the outputs as the gate drives them, and their safe state |
//! | [`outputs`] | them as they are to be: what could not be driven is driven again |
//! | [`gpio`] | them on the GPIO lines of a chip (feature `gpio`) |
//! | [`stdout`] | JSON lines on standard output |
//!
//! Nothing here makes the gate wait: a reader that is slow or gone loses reports, and how many is counted.

#[cfg(feature = "gpio")]
pub mod gpio;
pub mod levels;
pub mod outputs;
pub mod stdout;

pub use levels::{Levels, RecordedLevels};
pub use outputs::Outputs;
