//! What a fleet of boards shares: a folder of signed bundles with an index, and the reports that boards send.
//!
//! | module | contents |
//! |---|---|
//! | [`index`] | the index: bundles, and who is to run them |
//! | [`rollout`] | which bundle a board is to run |
//! | [`signed`] | verifies who signed the index, before anything of it is parsed |
//! | [`report`] | what a board says about itself |
#![forbid(unsafe_code)]
// The index comes from a network: an index out of range must be an error message, not a panic.
#![deny(clippy::indexing_slicing)]

pub mod index;
pub mod report;
pub mod rollout;
pub mod signed;

pub use index::{Index, IndexError, IndexedBundle, Rollout};
pub use report::{BoardReport, ProductReport, Progress};
pub use rollout::{Wanted, share};
pub use signed::{SignedError, read_signed};

/// The index, in the fleet's folder.
pub const INDEX_FILE: &str = "index.json";
/// Its signature, in the fleet's folder.
pub const INDEX_SIGNATURE_FILE: &str = "index.json.minisig";
/// The file by whose hash a board says which bundle it runs, in a bundle's folder.
pub const IDENTITY_FILE: &str = "model.threshold";
/// Larger indexes are refused.
pub const MAX_INDEX_BYTES: u64 = 4 << 20;
/// Larger signatures are refused.
pub const MAX_SIGNATURE_BYTES: u64 = signing::signature::MAX_BYTES;
