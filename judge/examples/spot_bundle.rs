//! Writes a tiny bundle that rejects anything with a bright spot, for trying out packages, boards and images without
//! training: `cargo build --workspace --example spot_bundle`, then `target/debug/examples/spot_bundle FOLDER`.
// A tool for tests: it may fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;

fn main() {
    let folder: PathBuf = std::env::args_os().nth(1).expect("usage: spot_bundle FOLDER").into();
    let mut file = support::write_usual_bundle(&folder);
    // Admits the frames of any camera.
    file.recipe.frames.min = support::size(16, 16);
    file.recipe.frames.max = support::size(4096, 4096);
    support::write_thresholds(&folder, &file);
}
