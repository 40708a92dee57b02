//! Convolutional networks as data, and what is made of them without libtorch.
//!
//! | module | what it does |
//! |---|---|
//! | [`array`] | dense arrays, and weights as named arrays |
//! | [`state`] | arrays with notes: what a run or a method keeps |
//! | [`architecture`] | backbones as data: one description for training, import and export |
//! | [`foreign`] | anomaly models of other makers → models that the judge takes |
//! | [`onnx`] | writes ONNX models |
//! | [`resample`] | resizing and smoothing of maps as matrices |
//! | [`teacher`] | backbones with weights, imported and kept by name |

pub mod architecture;
pub mod array;
pub mod foreign;
pub mod onnx;
pub mod resample;
pub mod state;
pub mod teacher;

pub use architecture::{
    Activation, Chain, ChainConv, Conv, EfficientNetLite, FoldError, Grid, Layer, Network, PdnSize, ResNet,
    Step, autoencoder, fold, name_sequential, normalise, to_onnx, trunk_student, without_negligible,
};
pub use array::{Array, Weights};
pub use state::{State, StateError, array_of};
