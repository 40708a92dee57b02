//! Known defects put to use: a second score, how much a part resembles defects that were taught, beside how unlike good parts it is.
//!
#![doc = include_str!("README.md")]

mod discriminants;
mod error;
mod evidence;
mod examples;
mod graph;
mod location;
mod normals;
mod state;
mod teach;

pub use discriminants::Discriminants;
pub use error::DefectsError;
pub use evidence::{ExampleScore, TaughtScores};
pub use examples::{Example, Examples};
pub(crate) use teach::{Lesson, Taught};
