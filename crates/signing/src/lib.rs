//! Signs bundles, and verifies who signed them before anything of them is parsed.
//!
//! A signed bundle holds two more files: `manifest.json`, which lists every other file with its length and SHA-256, and
//! `manifest.json.minisig`, its signature in minisign's format (Ed25519 over BLAKE2b-512).
//!
//! | module | what it does |
//! |---|---|
//! | [`key`] | public keys, as minisign writes them |
//! | [`signature`] | signatures, as minisign writes them |
//! | [`secret_key`] | makes secret keys, reads them and signs |
//! | [`listed_files`] | files with their length and hash |
//! | [`manifest`] | what a bundle consists of, its serial number and the version that it needs |
//! | [`version`] | versions of programs |
//! | [`folder`] | the files that are in a bundle's folder |
//! | [`key_list`] | trusted and revoked keys, signed by a root key |
//! | [`trust`] | whose signatures count |
//! | [`sign`] | writes manifest and signature into a bundle |
//! | [`verify`] | checks a bundle's signature and files |
#![forbid(unsafe_code)]
// Everything here comes from outside: an index out of range must be an error message, not a panic.
#![deny(clippy::indexing_slicing)]

#[cfg(feature = "bundles")]
pub mod folder;
pub mod key;
pub mod key_list;
pub mod listed_files;
pub mod manifest;
#[cfg(feature = "bundles")]
pub mod secret_key;
#[cfg(feature = "bundles")]
pub mod sign;
pub mod signature;
#[cfg(feature = "bundles")]
pub mod trust;
#[cfg(feature = "bundles")]
pub mod verify;
pub mod version;

#[cfg(feature = "bundles")]
pub use folder::FolderError;
pub use key::{Key, KeyError};
pub use key_list::{KeyList, KeyListError};
pub use manifest::{MANIFEST_FILE, Manifest, ManifestError, SIGNATURE_FILE};
#[cfg(feature = "bundles")]
pub use secret_key::{SecretKey, SecretKeyError, board_key};
#[cfg(feature = "bundles")]
pub use sign::{SignError, sign_bundle, sign_file};
pub use signature::{Signature, SignatureError};
#[cfg(feature = "bundles")]
pub use trust::{Trust, TrustError};
#[cfg(feature = "bundles")]
pub use verify::{SignedBundle, VerifyError, unverified, verify_bundle};
pub use version::Version;

/// The extension that minisign gives to the signature of a file, after the file's own.
pub const SIGNATURE_EXTENSION: &str = "minisig";
