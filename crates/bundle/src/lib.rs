//! Turns a model and images of good parts into a bundle with thresholds that state what they claim.
//!
//! | module | what it does |
//! |---|---|
//! | [`alignment`](mod@alignment) | whether and how parts move in view, learned from normals |
//! | [`dataset`] | finds images, checks which can be used, splits the normals into three disjoint sets |
//! | [`calibrate`] | scores of held-out normals → thresholds with their evidence |
//! | [`claim`](mod@claim) | what thresholds claim, in words |
//! | [`descriptor`] | maps of normals → a score that finds small and diffuse defects |
//! | [`export`](mod@export) | model + normals → bundle, by running the judge |
//! | [`ignore_mask`](mod@ignore_mask) | a painted picture → the mask of what isn't judged |
//! | [`input_shape`](mod@input_shape) | a network input in the shape of the judged region |
//! | [`recalibrate`] | replaces the thresholds of an existing bundle |
//! | [`evaluate`] | AUROC, AUPRO and rates on images with known answers |
//! | [`atomic`] | writes files and folders whole or not at all |
//! | [`rule`] | how scores become a threshold |
//! | [`seeded`] | random numbers that a recorded seed always reproduces |
//! | `tail` | a threshold estimated from all large scores |
//! | [`whitening`] | covariances → distances |
//! | [`parse`] | sizes, regions and grids as users write them |

pub mod alignment;
pub mod atomic;
pub mod calibrate;
pub mod claim;
pub mod dataset;
pub mod descriptor;
pub mod evaluate;
pub mod export;
pub mod ignore_mask;
pub mod input_shape;
pub mod parse;
pub mod recalibrate;
pub mod rule;
pub mod seeded;
mod tail;
pub mod whitening;

pub use alignment::{Align, Aligned, alignment};
pub use calibrate::{Calibration, Calibrator, PixelCalibrator};
pub use claim::{claim, claim_with_threshold, highest, outlier_warning};
pub use export::{Export, ExportError, ScoreKind, export, export_calibrated, score_file};
pub use ignore_mask::{IgnoreError, ignore_mask};
pub use input_shape::{PIXELS, input_shape};
pub use rule::ThresholdRule;
