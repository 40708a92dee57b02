//! Everything between a trained network and a bundle, without libtorch.
//!
//! | module | what it does |
//! |---|---|
//! | [`dataset`] | finds images, tells which can be used, splits the normals into three disjoint sets |
//! | [`network`] | backbones as data: one description for training, import and export |
//! | [`teacher`] | backbones with weights, kept by name |
//! | [`features`] | what a backbone sees at each position, for methods that need no training |
//! | [`onnx`] | writes ONNX models |
//! | [`padim`] | what normal parts look like at each position, fitted in seconds |
//! | [`fitted`] | those two methods behind one call |
//! | [`teach`] | good parts, and nothing else → bundle |
//! | [`patchcore`] | a bank of what normal positions look like, fitted in seconds |
//! | [`calibrate`] | scores of held-out normals → thresholds with their evidence |
//! | [`descriptor`] | maps of normals → a score that finds small and diffuse defects |
//! | [`bundle`] | model + normals → bundle, by running the judge |
//! | [`recalibrate`] | other thresholds for a bundle that is there |
//! | [`evaluate`] | AUROC, AUPRO and rates on images with known answers |
//! | [`atomic`] | files and folders that appear whole or not at all |
//! | [`resample`] | resizing and smoothing of maps as matrices |
//! | `whitening` | covariances → distances |
//! | [`written`] | sizes, regions and grids as users write them |
//! | [`Flip`] | mirrored copies, for parts that come either way round |
//! | [`seeded`] | random numbers that a recorded seed reproduces for ever |

pub mod atomic;
pub mod bundle;
pub mod calibrate;
pub mod dataset;
pub mod descriptor;
pub mod evaluate;
pub mod features;
pub mod fitted;
mod flip;
pub mod network;
pub mod onnx;
pub mod padim;
pub mod patchcore;
pub mod recalibrate;
pub mod resample;
pub mod seeded;
pub mod teach;
pub mod teacher;
mod whitening;
pub mod written;

pub use flip::Flip;
