//! Measures how well methods find defects: a table of figures over sets of images with known answers.
//!
//! | module | contents |
//! |---|---|
//! | [`job`] | a method on a set, identified by everything that affects its result |
//! | [`row`] | its result: figures, or why there are none |
//! | [`measure`](mod@measure) | train, export, evaluate |
//! | [`store`] | rows that were already measured |
//! | [`table`] | the report: rows, means, worst sets, differences |

pub mod job;
pub mod measure;
pub mod row;
pub mod store;
pub mod table;

pub use job::{Job, Origin};
pub use measure::measure;
pub use row::{Measured, QualityRow};
pub use store::Store;
