//! Deviation networks (Pang, Shen, van den Hengel: *Deep Anomaly Detection with Deviation Networks*, KDD 2019; on pictures: Pang et al.:
//! *Explainable Deep Few-shot Anomaly Detection with Deviation Networks*, 2021, arXiv 2108.00462): trained on good parts and a few known
//! defects. This folder's README lists the differences from the papers, and figures.

mod learner;

pub use learner::DevNet;

use networks::Network;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::map_method::MapMethod;
use crate::method::TrainError;
use crate::run::RunSettings;

/// The method has no options beside `--defects`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Options {}

/// The method `devnet`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DevNetMethod;

impl MapMethod for DevNetMethod {
    type Options = Options;
    type Learner = DevNet;

    const NAME: &'static str = "devnet";
    const ABOUT: &'static str = "a network learns from good parts and from the known defects in --defects; other defects may be missed; a baseline";
    const RATE: f64 = 1e-3;
    const NEEDS_DEFECTS: bool = true;

    fn needs_backbone(_options: &Options, settings: &RunSettings) -> Result<bool, TrainError> {
        if settings.recipe.tiles.count() > 1 {
            return Err(TrainError::Unfit(
                "devnet learns from whole frames, because a tile of a defective part may show nothing defective; omit --tiles".to_owned(),
            ));
        }
        Ok(true)
    }

    fn learner(_options: &Options, teacher: &Network, settings: &RunSettings, device: Device) -> DevNet {
        DevNet::new(teacher, device, settings.seed)
    }
}
