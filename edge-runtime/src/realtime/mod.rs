//! What the gate's thread requests from the system: to run before others, to stay in memory and to wake on time.
//!
//! | module | contents |
//! |---|---|
//! | `grants` | requests for priority, timers and memory, each with the system's answer |
//! | `waiter` | waiting for a deadline, for messages and for devices at once |

mod grants;
mod waiter;

pub use grants::{Grant, PRIORITY, lock_memory, request_realtime, side_thread};
pub use waiter::{MAX_FDS, Waiter, WakeReason, Waker};
