//! What the gate's thread asks of the system: to run before others, to stay in memory, to wake when it is due.
//!
//! | module | what it holds |
//! |---|---|
//! | `grants` | priority, timers, memory: each with what the system said |
//! | `waiter` | waiting for a deadline, for messages and for devices at once |

mod grants;
mod waiter;

pub use grants::{Grant, PRIORITY, claim, lock_memory, side_thread};
pub use waiter::{MAX_FDS, Waiter, Waker, Woken};
