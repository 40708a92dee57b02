//! Learns what good parts look like from photos of good parts, and writes bundles for the line.
//!
//! | module | what it does |
//! |---|---|
//! | [`commands`] | the program's commands, one file each |
//! | [`teachers`] | the user's teachers, and those that come with this program |
//! | [`method`] | what a method is |
//! | [`registry`] | every method: one line each |
//! | [`fitted`] | the methods of the crate `methods`, which are fitted |
//! | `stpm`, `efficientad` | the methods that are trained: a folder each |
//! | [`run`] | a training run's folder: settings, checkpoint, metrics |
//! | [`metrics`] | what a run logs while it trains |
//! | [`compute`] | devices and number formats |
//! | [`order`] | which samples a step sees |
//! | `natural` | natural photos |
//! | `samples` | images, prepared by the judge's own code, with the teacher's features |
//! | `schedule` | whose lengths and rates a training follows |
//! | `held_out` | what a student says of good parts, for the score of all methods |
//! | `memory` | how much memory samples may take |
//! | `torch` | what the trained methods need of libtorch |
//! | [`quality`] | how well methods see, on many sets |
//! | [`report`] | figures as a table and as a page |
//! | [`stress`] | good photos under other light, focus and place |
//! | [`progress`] | progress bars, Ctrl-C |
//!
//! Without the feature `libtorch` (on by default) the methods that are fitted and not trained remain; the trained ones and
//! what only they need are left out.

#[cfg(feature = "libtorch")]
pub mod channels;
pub mod commands;
pub mod compute;
#[cfg(feature = "libtorch")]
pub mod efficientad;
pub mod fitted;
#[cfg(feature = "libtorch")]
pub mod held_out;
#[cfg(feature = "libtorch")]
pub mod memory;
pub mod method;
pub mod metrics;
#[cfg(feature = "libtorch")]
pub mod natural;
pub mod order;
pub mod progress;
pub mod quality;
pub mod registry;
pub mod report;
pub mod run;
#[cfg(feature = "libtorch")]
pub mod samples;
#[cfg(feature = "libtorch")]
pub mod schedule;
#[cfg(feature = "libtorch")]
pub mod stpm;
pub mod stress;
pub mod teachers;
#[cfg(feature = "libtorch")]
pub mod torch;
