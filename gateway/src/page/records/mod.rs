//! The line's records, read from its folder of records. `docs/line.md` describes a record's files.
//!
//! | file | contents |
//! |---|---|
//! | `name` | the name of a record |
//! | `folder` | finds records and reads what the line and people say about them |
//! | `picture` | opens a record's pictures and sends them piece by piece |
//! | `tasks` | what the line says about thresholds, learning and teaching, and its photos |

mod folder;
mod name;
mod picture;
mod tasks;

pub use folder::{MAX_LISTED, Place, RecordFolder};
pub use name::RecordName;
pub use picture::{Picture, pieces};
