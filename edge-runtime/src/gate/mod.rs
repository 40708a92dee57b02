//! The gate: every part's verdict reaches the reject output when the part does.
//!
//! | module | what it holds |
//! |---|---|
//! | `state` | the gate: what it holds, and what it does when |
//! | `entering` | what comes into the queue between trigger and gate, and what becomes unknown there |
//! | `disposal` | what becomes of a part that has come to the gate |
//! | `levels` | the levels of the outputs |
//! | `queued` | a part in the queue, and one whose way is settled |
//! | `signal` | what the gate asks of its outputs |
//! | `alarms` | what drives the fault output |
//! | `belt` | how far the belt has come, by time or encoder |
//! | `pulse` | an output that is driven in pulses |
//! | `confirmation` | whether rejected parts did fall |
//! | `counts` | what the gate has seen and done |
//!
//! Nothing here knows a clock, a thread or a device: time comes in with each call and levels go out. A simulated line
//! runs the same code as a real one.

mod alarms;
mod belt;
mod confirmation;
mod counts;
mod disposal;
mod entering;
mod levels;
mod pulse;
mod queued;
mod settings;
mod signal;
mod state;
#[cfg(test)]
mod tests;

pub use alarms::{Alarms, Hold};
pub use belt::{Belt, Measure};
pub use counts::Counts;
pub use settings::Settings;
pub use signal::{Action, Signal};
pub use state::Gate;
