//! Compares methods, teachers, input sizes and alignments on the known defects of one part.
//!
//! | module | contents |
//! |---|---|
//! | [`candidate`] | the settings that are compared |
//! | [`defects`] | the images of known defects, by kind |
//! | [`measure`](mod@measure) | trains a candidate and judges the defects |
//! | [`choice`] | which candidate to use: another than the default only if that helps defects that didn't choose it |
//! | [`table`](mod@table) | the report |

pub mod candidate;
pub mod choice;
pub mod defects;
pub mod measure;
pub mod table;

pub use candidate::{Candidate, Candidates};
pub use choice::{Choice, MIN_GAIN, choose};
pub use defects::{DefectsError, KnownDefects, MIN_DEFECTS, known_defects};
pub use measure::{Measured, measure};
pub use table::table;
