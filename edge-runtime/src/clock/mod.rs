//! Time: for what has to be on time, and for people.
//!
//! | file | what it holds |
//! |---|---|
//! | `moment` | points in time on the monotonic clock |
//! | `wall` | the wall clock, for people |

mod moment;
mod wall;

pub use moment::{Moment, milliseconds, nanoseconds};
pub use wall::WallTime;
