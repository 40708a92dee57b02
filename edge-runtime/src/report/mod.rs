//! What is told of frames and parts: as text, as JSON and as telegrams.
//!
//! | file | what it holds |
//! |---|---|
//! | `frame` | one judged frame as a line of text or JSON |
//! | [`part`] | what became of a part: as telegram and JSON |
//! | [`text`] | the lines of text that a serial peer gets |
//! | [`queue`] | reports on their way to a slow reader: the oldest are dropped |

mod frame;
pub mod part;
pub mod queue;
pub mod text;

pub(crate) use frame::RegionFields;
pub use frame::{Line, in_ms, significant};
pub use part::PartReport;
pub use queue::ReportQueue;
