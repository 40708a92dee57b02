//! How the line is: counters that survive power cuts, latencies, drift and status.
//!
//! | file | what it holds |
//! |---|---|
//! | `counters` | everything that is counted, over all runs |
//! | `counter_file`, `slots`, `slot` | counters on disk: two slots that are written in turn |
//! | `latency`, `histogram` | percentiles of stage times over the last minutes |
//! | `drift`, `brightness` | whether scores and pictures are like those at the start |
//! | `status` | the line's state as JSON and as a line of the log |
//! | `monitor` | the thread that saves counters and reports the status |
//! | [`percentiles`] | percentiles of stage times over a bench's frames |
//! | [`system`] | what the machine is and has |

mod brightness;
mod counter_file;
mod counters;
mod drift;
mod histogram;
mod latency;
mod monitor;
pub mod percentiles;
mod slot;
mod slots;
mod status;
pub mod system;

pub use brightness::BrightnessDrift;
pub use counter_file::{CounterFile, CounterFileError};
pub use counters::{CameraCounts, Counters};
pub use drift::ScoreDrift;
pub use latency::{Latencies, Stage, StageLatency};
pub use monitor::{Monitor, Settings};
pub use status::{STATUS_FILE, Snapshot, Status};
