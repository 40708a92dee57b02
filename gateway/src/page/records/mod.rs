//! The line's records, read from its folder of records. `docs/line.md` describes a record's files.
//!
//! | file | contents |
//! |---|---|
//! | `name` | the name of a record |
//! | `folder` | finds records and reads what the line and people say about them |
//! | `picture` | opens a record's pictures and sends them piece by piece |

mod folder;
mod name;
mod picture;

pub use folder::{MAX_LISTED, Place, RecordFolder};
pub use name::RecordName;
pub use picture::{Picture, pieces};
