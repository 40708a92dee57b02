//! Methods that are fitted to images of good parts in one pass, on a workstation or on the board itself.
//!
//! | module | what it does |
//! |---|---|
//! | [`features`] | what a backbone sees at each position |
//! | [`padim`] | what normal parts look like at each position, fitted in seconds |
//! | [`patchcore`] | a bank of what normal positions look like, fitted in seconds |
//! | [`fitted`] | those methods behind one call |
//! | [`teach`] | good parts, and nothing else → bundle |
//! | [`Flip`] | mirrored copies, for parts that come either way round |

pub mod features;
pub mod fitted;
mod flip;
pub mod padim;
pub mod patchcore;
pub mod teach;

pub use flip::Flip;
