//! Monotonic time, for timing, and wall-clock time, for people.
//!
//! | file | contents |
//! |---|---|
//! | `moment` | points in time on the monotonic clock |
//! | `wall` | the wall clock, for people |

mod moment;
mod wall;

pub use moment::{Moment, milliseconds, nanoseconds};
pub use wall::WallTime;
