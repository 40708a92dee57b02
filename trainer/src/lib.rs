//! Learns what good parts look like from photos of good parts, and writes bundles for the line.
//!
//! | module | what it does |
//! |---|---|
//! | [`commands`] | the program's commands, one file each |
//! | [`teachers`] | the user's teachers, and those shipped with this program |
//! | [`method`] | the trait that every method implements |
//! | [`registry`] | every method: one line each |
//! | [`fitted_method`] | the fitted methods, from the crate `methods` |
//! | `stpm`, `efficientad`, `flow`, `autoencoder`, `masked_autoencoder`, `ganomaly`, `svdd`, `devnet` | the trained methods, a folder each |
//! | `map_method` | the trained methods that are a network, a loss and a map, and share everything else |
//! | `training` | the training loop of all trained methods |
//! | `distances` | distances between a picture or features and what was rebuilt of them |
//! | `trunk_features` | the teacher's features as most trained methods use them |
//! | `level_maps` | maps on several scales, and their mean |
//! | [`run`] | a training run's folder: settings, checkpoint, metrics |
//! | [`metrics`] | the metrics that a run logs while it trains |
//! | [`compute`] | devices and number formats |
//! | [`order`] | which samples a step sees |
//! | `natural` | natural photos |
//! | `samples` | images, prepared by the judge's own code, with the teacher's features |
//! | `schedule` | training lengths and learning rates: the paper's or ours |
//! | `residuals` | how far a student's residuals are from those of good parts |
//! | `held_out` | a student's maps of good parts, for the common image score |
//! | `memory` | how much memory is available |
//! | `torch` | the trained methods' layer over libtorch |
//! | [`batch`] | the bundles of many products |
//! | [`compare`] | which method, teacher, size and alignment find a part's known defects |
//! | [`quality`] | how well methods find defects, on many sets |
//! | [`report`] | figures as a table and as a page |
//! | [`stress`] | good photos under changed light, focus and position |
//! | [`setup`] | fetches the usual teacher |
//! | [`child`] | runs this program again as a child |
//! | [`progress`] | progress bars, Ctrl-C |
//!
//! Without the feature `libtorch` (on by default) only the fitted methods are available; the trained ones and
//! the modules that only they need are not compiled.

#[cfg(feature = "libtorch")]
pub mod autoencoder;
pub mod batch;
#[cfg(feature = "libtorch")]
pub mod channels;
pub mod child;
pub mod commands;
pub mod compare;
pub mod compute;
#[cfg(feature = "libtorch")]
pub mod devnet;
#[cfg(feature = "libtorch")]
pub mod distances;
#[cfg(feature = "libtorch")]
pub mod efficientad;
pub mod fitted_method;
#[cfg(feature = "libtorch")]
pub mod flow;
#[cfg(feature = "libtorch")]
pub mod ganomaly;
#[cfg(feature = "libtorch")]
pub mod held_out;
#[cfg(feature = "libtorch")]
pub mod level_maps;
#[cfg(feature = "libtorch")]
pub mod map_method;
#[cfg(feature = "libtorch")]
pub mod masked_autoencoder;
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
#[cfg(feature = "libtorch")]
pub mod residuals;
pub mod run;
#[cfg(feature = "libtorch")]
pub mod samples;
#[cfg(feature = "libtorch")]
pub mod schedule;
pub mod setup;
#[cfg(feature = "libtorch")]
pub mod stpm;
pub mod stress;
#[cfg(feature = "libtorch")]
pub mod svdd;
pub mod teachers;
#[cfg(feature = "libtorch")]
pub mod torch;
#[cfg(feature = "libtorch")]
pub mod training;
#[cfg(feature = "libtorch")]
pub mod trunk_features;
