//! Publishes bundles to a fleet of boards, rolls them out, and keeps what the boards report.
//!
//! | module | contents |
//! |---|---|
//! | [`tree`] | the fleet's folder: signed bundles and the index |
//! | [`table`] | what the boards report, in SQLite |
//! | [`collector`] | takes reports from an MQTT broker into the table |
//! | [`commands`] | one file per command |
#![forbid(unsafe_code)]
// Reports come from a network: an index out of range is handled explicitly.
#![deny(clippy::indexing_slicing)]

pub mod collector;
pub mod commands;
pub mod table;
pub mod tree;
