//! How the line is: counters that survive power cuts, latencies, drift, status and log.
//!
//! | file | what it holds |
//! |---|---|
//! | `counters` | everything that is counted, over all runs |
//! | `counter_file`, `slot` | counters on disk: two slots that are written in turn |
//! | `latency`, `histogram` | percentiles of stage times over the last minutes |
//! | `drift`, `brightness` | whether scores and pictures are like those at the start |
//! | `status` | the line's state as JSON and as a line of the log |
//! | `monitor` | the thread that saves counters and reports the status |
//! | `log`, `lossy`, `limited` | log lines on standard error that nobody waits for, the same one not too often |
//! | `panics` | panic messages, which go there, too |

mod brightness;
mod counter_file;
mod counters;
mod drift;
mod histogram;
mod latency;
mod limited;
pub mod log;
mod lossy;
mod monitor;
pub mod panics;
mod slot;
mod status;

pub use brightness::BrightnessDrift;
pub use counter_file::{CounterFile, CounterFileError};
pub use counters::{CameraCounts, Counters};
pub use drift::ScoreDrift;
pub use latency::{Latencies, Stage, StageLatency};
pub use limited::Limited;
pub use monitor::{Monitor, Settings};
pub use status::{STATUS_FILE, Snapshot, Status};

pub(crate) use limited::limited;
