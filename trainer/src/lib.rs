//! Learns what good parts look like from photos of good parts, and writes bundles for the line.
//!
//! | module | what it does |
//! |---|---|
//! | [`teachers`] | the user's teachers, and those that come with this program |
//! | [`method`] | one folder a method: training and export |
//! | [`run`] | a training run's folder: settings, checkpoint, metrics |
//! | [`order`] | which samples a step sees |
//! | [`schedule`] | how fast networks learn |
//! | [`natural`] | natural photos |
//! | [`metrics`] | what a run logs while it trains |
//! | `memory` | how much memory samples may take |
//! | [`compute`] | devices and number formats |
//! | `samples` | images, prepared by the judge's own code, with the teacher's features |
//! | `torch` | what the trained methods need of libtorch |
//! | [`report`] | figures as a table and as a page |
//! | [`commands`] | the program's commands, one file each |
//! | [`progress`] | progress bars, Ctrl-C |
//!
//! Without the feature `libtorch` (on by default) the methods that are fitted and not trained remain, and `samples`,
//! `torch` and `memory` are left out.

pub mod commands;
pub mod compute;
#[cfg(feature = "libtorch")]
pub mod memory;
pub mod method;
pub mod metrics;
pub mod natural;
pub mod order;
pub mod progress;
pub mod report;
pub mod run;
#[cfg(feature = "libtorch")]
pub mod samples;
pub mod schedule;
pub mod teachers;
#[cfg(feature = "libtorch")]
pub mod torch;
