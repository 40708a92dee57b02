//! A running line: its threads and how they work together.
//!
//! | file | what it holds |
//! |---|---|
//! | [`gatekeeper`] | the gate thread: the only one with deadlines |
//! | [`inspector`] | the thread that inspects parts |
//! | [`mailbox`] | messages to the gate thread |
//! | [`busy_timer`] | detects a thread that is stuck |
//! | [`line_state`] | state that the threads share |
//! | [`problems`] | counts and reports problems |
//! | `unseen_parts` | tracks parts that passed while the line was blind |
//! | `peer` | commands from the serial peer |
//! | `decisions` | decisions on records that come from the gateway |
//! | `tasks` | thresholds and bundles that people ask for through the gateway |
//! | `gateway` | commands from the gateway, and the line's status for it |
//! | `snapshots` | snapshots of the line for the health monitor |
//! | `part_observer` | records and drift statistics of inspected parts |
//! | [`view`] | a view of the parts: its camera, and what is known of it while a part is inspected |
//! | `error` | errors when a line starts, runs or stops |
//! | `gate_thread` | starts and stops the gate thread |
//! | `bundles` | opens the bundles of all products and views |
//! | `start` | opens everything, outputs first, in their safe state |
//! | `side_threads` | watches the threads that the gate doesn't depend on |
//! | `supervise` | watches the camera and the threads, and stops the line |
//! | `service` | reports readiness, liveness and status to systemd |
//!
//! Capture, serial port, gateway socket, standard output, records and health each run on a separate thread. The gate never waits for
//! any of them: anything late, lost or gone leaves a part without a verdict, and such a part goes to the safe side.

pub mod busy_timer;
pub mod gatekeeper;
pub mod inspector;
pub mod line_state;
pub mod mailbox;
pub mod problems;
pub mod view;

mod bundles;
mod decisions;
mod error;
mod gate_thread;
mod gateway;
mod part_observer;
mod peer;
mod service;
mod side_threads;
mod snapshots;
mod start;
mod supervise;
mod tasks;
mod unseen_parts;

pub use error::{LineError, ServeError, StartError};
pub use start::RunningLine;
