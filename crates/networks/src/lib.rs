//! Convolutional networks as data, and everything built on them that doesn't need libtorch.
//!
//! | module | what it does |
//! |---|---|
//! | [`array`](mod@array) | dense arrays, and weights as named arrays |
//! | [`state`] | arrays with notes: the saved state of a run or a method |
//! | [`architecture`] | backbones as data: one description for training, import and export |
//! | [`foreign`] | third-party anomaly models → models that the judge accepts |
//! | [`onnx`] | writes ONNX models |
//! | [`resample`] | resizes and smooths maps by matrices |
//! | [`teacher`] | backbones with weights, imported and stored by name |
//!
//! A model that shows where an image is bright, written as ONNX and run by the judge's engine:
//!
//! ```
//! use networks::onnx::GraphBuilder;
//!
//! let mut graph = GraphBuilder::new("brightness");
//! let image = graph.input("image", &[1, 3, 64, 64]);
//! let map = graph.sum_channels(&image);
//! graph.output("anomaly_map", &map);
//! let score = graph.mean_of_largest(&map, 16);
//! graph.output("score", &score);
//!
//! let mut network = judge::Network::load(&graph.finish(), [1, 3, 64, 64], &["score"], 1)?;
//! assert_eq!(network.run(&[0.5; 3 * 64 * 64])?, [[1.5]]);
//! # Ok::<(), judge::EngineError>(())
//! ```

pub mod architecture;
pub mod array;
pub mod foreign;
pub mod onnx;
pub mod resample;
pub mod state;
pub mod teacher;

pub use architecture::{
    Activation, AutoencoderGrid, Chain, ChainConstants, ChainConv, ChainStep, Conv, EfficientNetLite,
    FoldError, Layer, Network, PdnSize, ResNet, autoencoder, feature_decoder, feature_encoder, fold, head,
    name_sequential, normalise, picture_decoder, picture_encoder, to_onnx, trunk_student, without_negligible,
};
pub use array::{Array, Weights};
pub use state::{ModelState, StateError, array_of};
