//! Methods that are fitted to images of good parts in one pass, on a workstation or on the board itself.
//!
//! | module | what it does |
//! |---|---|
//! | [`method`] | what a method is |
//! | [`registry`] | every method: one line each |
//! | [`configured`] | a method with its options, whichever it is |
//! | [`options`] | the options of several methods on one command line |
//! | [`smoothing`](mod@smoothing) | an option that several methods share |
//! | [`features`] | what a backbone sees at each position |
//! | [`patchcore`] | a bank of what good parts look like, wherever |
//! | [`padim`] | what good parts look like at each position |
//! | [`mahalanobis`] | what good parts look like as a whole |
//! | [`teach`](mod@teach) | good parts, and nothing else → bundle |
//!
//! To add a method, write a folder with a type that implements [`Method`](method::Method) and a README, and add its line to
//! [`registry::METHODS`]. It is then in `trainer train` and `edge-runtime teach` with its options, and in the tests that
//! compare every method's model with onnxruntime.

pub mod configured;
pub mod features;
pub mod mahalanobis;
pub mod method;
pub mod options;
pub mod padim;
pub mod patchcore;
pub mod registry;
pub mod smoothing;
pub mod teach;

pub use configured::Configured;
pub use features::Flip;
pub use method::{Method, Model};
pub use registry::{METHODS, by_name};
