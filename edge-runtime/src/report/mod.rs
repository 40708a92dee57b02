//! Reports on frames and parts: as text, JSON and telegrams.
//!
//! | file | what it holds |
//! |---|---|
//! | `frame` | one judged frame as a line of text or JSON |
//! | [`part`] | the report on a part, as telegram and JSON |
//! | [`text`] | the lines of text for a serial peer |
//! | [`queue`] | a queue of reports for a slow reader, which drops the oldest |

mod frame;
pub mod part;
pub mod queue;
pub mod text;

pub(crate) use frame::{DefectFields, ZoneFields};
pub use frame::{FrameReport, RegionFields, in_ms, significant};
pub use part::PartReport;
pub use queue::ReportQueue;
