//! One file per command; what they share is here.

pub mod bench;
pub mod doctor;
pub mod inspect;

use std::path::Path;

use anyhow::{Context, Result};
use judge::Judge;

/// Opens a bundle for judging.
fn open(bundle: &Path, threads: usize) -> Result<Judge> {
    Judge::open(bundle, threads).with_context(|| format!("the bundle {} is refused", bundle.display()))
}
