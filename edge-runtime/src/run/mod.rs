//! A running line: its threads and how they work together.
//!
//! | file | what it holds |
//! |---|---|
//! | [`gatekeeper`] | the gate thread: the only one with deadlines |
//! | [`inspector`] | the thread that inspects parts |
//! | [`mailbox`] | messages to the gate thread |
//! | [`progress`] | detects a thread that is stuck |
//! | [`shared`] | state that the threads share |
//! | [`troubles`] | counts and reports problems |
//! | `unseen` | tracks parts that passed while the line was blind |
//! | `peer` | commands from the serial peer |
//! | `snapshots` | snapshots of the line for the health monitor |
//! | `witness` | records and drift statistics of inspected parts |
//! | `error` | errors when a line starts, runs or stops |
//! | `served` | starts and stops the gate thread |
//! | `start` | opens everything, outputs first, in their safe state |
//! | `side_threads` | watches the threads that the gate doesn't depend on |
//! | `supervise` | watches the camera and the threads, and stops the line |
//! | `service` | reports readiness, liveness and status to systemd |
//!
//! Capture, serial port, standard output, records and health each run on a separate thread. The gate never waits for
//! any of them: anything late, lost or gone leaves a part without a verdict, and such a part goes to the safe side.

pub mod gatekeeper;
pub mod inspector;
pub mod mailbox;
pub mod progress;
pub mod shared;
pub mod troubles;

mod error;
mod peer;
mod served;
mod service;
mod side_threads;
mod snapshots;
mod start;
mod supervise;
mod unseen;
mod witness;

pub use error::{RunError, ServeError, StartError};
pub use start::Line;
