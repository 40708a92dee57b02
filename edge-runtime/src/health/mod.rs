//! The line's health: counters that survive power cuts, latencies, drift and status.
//!
//! | file | contents |
//! |---|---|
//! | `counters` | all counters, over all runs |
//! | `counter_file`, `slots`, `slot` | the counters on disk: two slots written in turn |
//! | `latency`, `histogram` | percentiles of stage times over the last minutes |
//! | `drift`, `brightness` | whether scores and brightness have drifted |
//! | `status` | the line's state as JSON and as a log line |
//! | `monitor` | the thread that saves counters and reports the status |
//! | [`percentiles`] | percentiles of stage times over the frames of a benchmark |
//! | [`machine`] | the machine and its resources |

mod brightness;
mod counter_file;
mod counters;
mod drift;
mod histogram;
mod latency;
pub mod machine;
mod monitor;
pub mod percentiles;
mod slot;
mod slots;
mod status;

pub use brightness::BrightnessDrift;
pub use counter_file::{CounterFile, CounterFileError};
pub use counters::{CameraCounts, Counters};
pub use drift::ScoreDrift;
pub use latency::{Latencies, StageLatency, TimedStage};
pub use monitor::{Monitor, MonitorSettings};
pub use status::{STATUS_FILE, Snapshot, Status, ViewStatus};
