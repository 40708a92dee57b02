//! The distance of an image's mean feature from those of good parts (Rippel, Mertens, Merhof: *Modeling the Distribution
//! of Normal Data in Pre-Trained Deep Features for Anomaly Detection*, ICPR 2020).
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod model;
mod shrinkage;

pub use fit::Mahalanobis;
pub use model::Model;
