//! What people decide about records: false alarm, defect, or unsure.
//!
//! | file | contents |
//! |---|---|
//! | `decision` | a decision and the history of a record's decisions, in `decision.json` |
//! | `description` | reads `record.json` |
//! | `listing` | finds and reads records, decided or not |
//! | `marking` | takes decisions, one person at a time |
//! | `error` | why a record can't be read or marked |
//!
//! The records of a line are a ring: the oldest are dropped. A record that someone decides on leaves it, by a rename into
//! the folder [`decided`](crate::record::DECIDED_FOLDER), which has a limit of its own and from which nothing is ever dropped.
//! A power cut leaves the record in one of the two, complete. A decision that is taken back returns the record to the ring.

mod decision;
mod description;
mod error;
mod listing;
mod marking;

pub use decision::{Decision, Entry, EntryError, History, HistoryError, Kind};
pub use description::Description;
pub use error::ReviewError;
pub use listing::{DamagedRecord, Place, RecordListing, Review, ReviewedRecord, record_name};
pub use marking::{Marked, Marking};
