//! A running line: its threads, and how they are joined.
//!
//! | file | what it holds |
//! |---|---|
//! | [`gatekeeper`] | the thread that serves the gate: the only one that has to be on time |
//! | [`inspector`] | the thread that looks at parts |
//! | [`mailbox`] | messages to the gate |
//! | [`progress`] | whether a thread gets on with its work |
//! | [`shared`] | what the threads know of each other |
//! | [`troubles`] | what went wrong, counted and told |
//! | `unseen` | parts that passed while the line was blind |
//! | `peer` | the commands of the peer on the serial port |
//! | `snapshots` | what health is told |
//! | `witness` | records and drift: what else becomes of an inspected part |
//! | `error` | why a line does not start, or has ended |
//! | `served` | the gatekeeper's thread, started and ended |
//! | `start` | everything is opened, outputs first, in their safe state |
//! | `side_threads` | threads that the gate can do without, but nobody should |
//! | `supervise` | watches camera and threads, and ends the line |
//! | `service` | what systemd is told: ready, alive, how it goes |
//!
//! Capture, serial port, standard output, records and health have threads of their own. None of them is ever waited
//! for by the gate: whatever is late, lost or gone leaves a part without a verdict, and such a part goes to the safe side.

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
