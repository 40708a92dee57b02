//! The gate: applies each part's verdict to the reject output at the moment the part reaches it.
//!
//! | module | contents |
//! |---|---|
//! | `state` | the gate itself: its state, and what it does on each poll |
//! | `queue` | adding parts to the queue between trigger and gate, and losing track of them |
//! | `disposition` | the disposition of a part that has reached the gate |
//! | `levels` | the levels of the outputs |
//! | `queue_entry` | a part in the queue, and a settled one that waits to be reported |
//! | `signal` | the gate's outputs and the actions it requests |
//! | `alarms` | the alarms that drive the fault output |
//! | `belt` | how far the belt has moved, by time or encoder |
//! | `pulse` | an output that is driven in pulses |
//! | `confirmation` | confirmation that rejected parts fell |
//! | `counts` | the gate's counters |
//!
//! Nothing here touches a clock, a thread or a device: time comes in with each call and levels go out. A simulated line
//! runs the same code as a real one.

mod alarms;
mod belt;
mod confirmation;
mod counts;
mod disposition;
mod levels;
mod pulse;
mod queue;
mod queue_entry;
mod settings;
mod signal;
mod state;
#[cfg(test)]
mod tests;

pub use alarms::{Alarms, Hold};
pub use belt::{Belt, BeltUnit};
pub use counts::GateCounts;
pub use settings::GateSettings;
pub use signal::{Action, Signal};
pub use state::Gate;
