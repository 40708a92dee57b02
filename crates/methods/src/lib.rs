//! Methods that are fitted to images of good parts in one pass, on a workstation or on the board.
//!
//! | module | what it does |
//! |---|---|
//! | [`method`] | the traits of a method and its model |
//! | [`registry`] | every method: one line each |
//! | [`dyn_method`] | a method with its options, as a trait object |
//! | [`options`] | the options of several methods on one command line |
//! | [`smoothing`](mod@smoothing) | an option that several methods share |
//! | [`features`] | a backbone's features at each position |
//! | [`image_score`] | a map of distances → the image's score |
//! | [`local_gaussians`] | what good parts look like at and around each position: the default |
//! | [`patchcore`] | a bank of what good parts look like at any position |
//! | [`padim`] | what good parts look like at each position |
//! | [`mahalanobis`] | what good parts look like as a whole |
//! | [`one_class_svm`] | a boundary around what good parts look like, at any position or as a whole |
//! | [`gaussian_mixture`] | what good parts of several kinds look like as a whole |
//! | [`gaussians`] | Gaussians at each position of a grid |
//! | [`taught_defects`] | a second score: likeness to known defects |
//! | [`cross_fit`](mod@cross_fit) | fits to all good parts, and scores each by a model of the others |
//! | [`screening`] | finds photos of bad parts among the good ones, to leave them out |
//! | [`teach`](mod@teach) | good parts alone → bundle |
//! | `shrinkage` | a covariance of many channels from few samples |
//! | `reservoir` | a random sample of bounded size |
//! | `zone_frames` | the zones' features of frames whose maps come tile by tile |
//!
//! Any method can be looked up by name, with options from a command line or its defaults:
//!
//! ```
//! let method = methods::by_name("patchcore").expect("it is in the registry").defaults();
//! assert_eq!(method.record()?["bank"], "512KiB");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! From good parts to a bundle, with a threshold from cross-fitting:
//!
//! ```no_run
//! use methods::Flip;
//! use methods::teach::{TeachRequest, teach};
//! use networks::teacher::Library;
//! use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
//!
//! let size = Size { width: 640, height: 480 };
//! let method = methods::METHODS[0].defaults();
//! let request = TeachRequest {
//!     teacher: &Library::of_user().load("efficientnet-lite0")?,
//!     recipe: Recipe {
//!         input: Size { width: 256, height: 256 },
//!         roi: None,
//!         tiles: Tiles::ONE,
//!         colour: Colour::Rgb,
//!         frames: FrameRange { min: size, max: size },
//!         alignment: None, ignore: None, reference_patch: None,
//!     },
//!     zones: None,
//!     flip: Flip::None,
//!     parts: &[/* the frames of each part */],
//!     method: method.as_ref(),
//!     defects: None,
//!     target_fpr: 0.01,
//!     rule: bundle::ThresholdRule::Claim,
//!     left_out: &[],
//!     check_product: false,
//!     seed: 0,
//!     threads: 2,
//! };
//! let only_frame = |frames: &[Vec<f32>]| frames.first().map(|scores| bundle::frame_score(scores));
//! let result = teach(&request, &only_frame, "bundles/cap".as_ref(), &mut || true)?;
//! println!("{}", bundle::claim_with_threshold(&result.calibration));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a method, write a folder with a README and a type that implements [`Method`], and add its line to
//! [`registry::METHODS`]. It is then available in `trainer train` and `edge-runtime teach` with its options, and is
//! covered by the tests that compare every method's model with onnxruntime.

pub mod cross_fit;
pub mod dyn_method;
pub mod features;
pub mod gaussian_mixture;
pub mod gaussians;
pub mod image_score;
pub mod local_gaussians;
pub mod mahalanobis;
pub mod method;
pub mod one_class_svm;
pub mod options;
pub mod padim;
pub mod patchcore;
pub mod registry;
mod reservoir;
pub mod screening;
mod shrinkage;
pub mod smoothing;
pub mod taught_defects;
pub mod teach;
mod zone_frames;

pub use dyn_method::DynMethod;
pub use features::Flip;
pub use method::{Method, Model};
pub use registry::{METHODS, by_name};
