//! Deep one-class classification: of patches (Patch SVDD, Yi, Yoon, ACCV 2020) and of the part as a whole (Deep SVDD, Ruff et al., ICML
//! 2018). This folder's README lists the differences from the papers, and figures.

mod collapse;
mod image;
mod options;
mod patch;

pub use image::ImageSvdd;
pub use options::{ImageOptions, PatchOptions};
pub use patch::PatchSvdd;

use networks::Network;
use tch::Device;

use crate::map_method::MapMethod;
use crate::run::RunSettings;

/// Adam's learning rate.
const RATE: f64 = 1e-3;

/// The method `svdd`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Svdd;

/// The method `svdd-image`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SvddImage;

impl MapMethod for Svdd {
    type Options = PatchOptions;
    type Learner = PatchSvdd;

    const NAME: &'static str = "svdd";
    const ABOUT: &'static str = "Deep SVDD of patches: a network learns an embedding in which what lies side by side on good parts is alike; a baseline";
    const RATE: f64 = RATE;

    fn learner(
        options: &PatchOptions,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> PatchSvdd {
        PatchSvdd::new(teacher, options.embeddings.into(), device, settings.seed)
    }
}

impl MapMethod for SvddImage {
    type Options = ImageOptions;
    type Learner = ImageSvdd;

    const NAME: &'static str = "svdd-image";
    const ABOUT: &'static str = "Deep SVDD of the part as a whole: a network draws good parts to a centre; doesn't localise defects; a baseline";
    const RATE: f64 = RATE;

    fn learner(
        _options: &ImageOptions,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> ImageSvdd {
        ImageSvdd::new(teacher, device, settings.seed)
    }
}
