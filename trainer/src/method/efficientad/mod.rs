//! EfficientAD (Batzner, Heckler, König: *EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level
//! Latencies*, WACV 2024). See this folder's README for what is the paper's and what is ours.

mod augment;
pub mod distill;
mod graph;
mod losses;
mod measure;
mod networks;
mod statistics;
mod train;

pub use graph::{MAP_OUTPUTS, Trained, build as build_graph};
pub use statistics::{Channels, MapScale};

use fit::network::PdnSize;
use fit::teacher::Teacher;

use super::{Ended, Method, Plan, TrainError};
use crate::compute::{Resolved, Wanted};
use crate::run::{Run, STUDENT, Settings};
use crate::torch::Compute;

/// Shorter sides leave the autoencoder nothing between its ends; longer ones were never tried.
const SIDES: std::ops::RangeInclusive<u32> = 128..=512;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct EfficientAd;

impl Method for EfficientAd {
    fn name(&self) -> &'static str {
        "efficientad"
    }

    fn about(&self) -> &'static str {
        "a student learns to see good parts as a small teacher does, an autoencoder what belongs together in them"
    }

    fn plan(&self, _samples: usize) -> Option<Plan> {
        Some(Plan { steps: 70_000, batch: 1 })
    }

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String> {
        Compute::set_up(wanted)
    }

    fn default_teacher(&self, size: Option<PdnSize>) -> &'static str {
        size.unwrap_or(PdnSize::Xs).network_name()
    }

    fn check(&self, settings: &Settings, teacher: &Teacher) -> Result<(), TrainError> {
        if PdnSize::of(teacher.network.name).is_none() {
            return Err(TrainError::Unfit(format!(
                "efficientad needs a patch description network and the teacher {} is a {}; import teacher_small.pth, \
                 or make one of it: trainer teacher distill --from {} --size-class s --images PHOTOS --out FILE",
                teacher.name, teacher.network.name, teacher.name
            )));
        }
        let input = settings.recipe.input;
        if !(SIDES.contains(&input.width) && SIDES.contains(&input.height)) {
            return Err(TrainError::Unfit(format!(
                "efficientad takes sides of {} to {} pixels, not {}×{}; choose another --size",
                SIDES.start(),
                SIDES.end(),
                input.width,
                input.height
            )));
        }
        Ok(())
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision).map_err(TrainError::Device)?;
        train::train(run, compute)
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let damaged = |reason| run.damaged(STUDENT, reason);
        let trained = Trained::from_state(size(run)?, run.student()?.weights).map_err(damaged)?;
        let teacher = &run.teacher;
        let onnx = build_graph(&teacher.network, &teacher.weights, &trained, run.settings.recipe.input);
        Ok(onnx.map_err(damaged)?)
    }
}

/// The networks' size is the teacher's.
fn size(run: &Run) -> Result<PdnSize, TrainError> {
    EfficientAd.check(&run.settings, &run.teacher)?;
    Ok(PdnSize::of(run.teacher.network.name).unwrap_or(PdnSize::S))
}
