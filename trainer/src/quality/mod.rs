//! How well methods see: a table of figures over sets of images with known answers.
//!
//! | module | what it holds |
//! |---|---|
//! | [`job`] | a method on a set, and what tells it from any other |
//! | [`row`] | what came of it: figures, or why there are none |
//! | [`measure`](mod@measure) | train, export, evaluate |
//! | [`store`] | rows that are known already |
//! | [`table`] | rows for people: means, worst sets, differences |

pub mod job;
pub mod measure;
pub mod row;
pub mod store;
pub mod table;

pub use job::{Job, Origin};
pub use measure::measure;
pub use row::{Measured, Row};
pub use store::Store;
