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
//! | [`input_shape`](mod@input_shape) | a network input in the shape of the judged region |
//! | [`painted_mask`](mod@painted_mask) | a painted picture → what isn't judged, and zones with limits of their own |
//! | [`left_out`](mod@left_out) | the record of photos that were left out of learning |
//! | [`product`] | what tells another product from a defect |
//! | [`reference_patch`](mod@reference_patch) | the light of the good parts |
//! | [`recalibrate`] | replaces the thresholds of an existing bundle |
//! | [`joint_limit`] | likeness to taught defects beside the score, under one budget of false alarms |
//! | [`miss_rate`] | what taught defects let one claim about misses |
//! | [`evaluate`] | AUROC, AUPRO and rates on images with known answers |
//! | [`atomic`] | writes files and folders whole or not at all |
//! | [`rule`] | how scores become a threshold |
//! | [`robust`] | median and spread |
//! | [`seeded`] | random numbers that a recorded seed always reproduces |
//! | [`tiling`](mod@tiling) | how many tiles, and of what size |
//! | [`suspects`](mod@suspects) | names photos that may show bad parts, by their scores |
//! | `tail` | a threshold estimated from all large scores |
//! | [`whitening`] | covariances → distances |
//! | [`zones`] | zones' features on normals → their limits |
//! | [`parse`] | sizes, regions and grids as users write them |

pub mod alignment;
pub mod atomic;
pub mod calibrate;
pub mod claim;
pub mod dataset;
pub mod descriptor;
pub mod evaluate;
pub mod export;
pub mod input_shape;
pub mod joint_limit;
pub mod left_out;
pub mod miss_rate;
pub mod painted_mask;
pub mod parse;
pub mod product;
pub mod recalibrate;
pub mod reference_patch;
pub mod robust;
pub mod rule;
pub mod seeded;
pub mod suspects;
mod tail;
pub mod tiling;
pub mod whitening;
pub mod zones;

pub use alignment::{Align, Aligned, alignment};
pub use calibrate::{Calibration, Calibrator, PixelCalibrator};
pub use claim::{claim, claim_with_threshold, highest, outlier_warning, suspects_warning};
pub use export::{
    Complete, Export, ExportDefects, ExportError, ScoreKind, export, export_calibrated, score_file,
};
pub use input_shape::{PIXELS, input_shape};
pub use joint_limit::JointLimit;
pub use left_out::{LeftOut, left_out, left_out_of};
pub use painted_mask::{PaintedMask, PaintedMaskError, ZoneFactor, add_mask};
pub use reference_patch::{LightFound, ReferenceError, reference_patch};
pub use robust::robust_stats;
pub use rule::ThresholdRule;
pub use suspects::{Suspect, suspects};
pub use tiling::{TileChoice, Tiling, TilingRequest, tiling};
pub use zones::{ZoneError, cross_fit_zones, fit_zones, frame_score};
