//! EfficientAD (Batzner, Heckler, König: *EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level
//! Latencies*, WACV 2024). This folder's README lists the differences from the paper.

mod augment;
pub mod distill;
mod graph;
mod hyperparameters;
mod layout;
mod learner;
mod losses;
mod networks;
mod options;
mod statistics;
mod teacher_view;
mod train;

pub use graph::{MAP_OUTPUTS, Trained, build as build_graph};
pub use layout::EfficientAdLayout;
pub use options::{NaturalPhotos, Options};
pub use statistics::MapScale;

use ::networks::StateError;
use ::networks::teacher::Teacher;
use clap::{ArgMatches, Args as _};
use methods::options::MethodOptions;
use serde_json::Value;

use self::hyperparameters::Hyperparameters;
use self::options::Arguments;
use crate::compute::{ComputeError, ComputeRequest, Resolved};
use crate::method::{Method, Plan, TrainError, TrainOutcome};
use crate::run::{Run, RunSettings, STUDENT};
use crate::torch::Compute;

/// Shorter sides leave nothing between the autoencoder's ends; longer ones were never tried.
const SIDES: std::ops::RangeInclusive<u32> = 128..=512;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct EfficientAd;

impl Method for EfficientAd {
    fn name(&self) -> &'static str {
        "efficientad"
    }

    fn about(&self) -> &'static str {
        "a student learns to reproduce its teacher's features of good parts, an autoencoder how their pieces belong together"
    }

    fn method_options(&self) -> MethodOptions {
        MethodOptions { method: self.name(), add_options: Arguments::augment_args }
    }

    fn options(&self, given: &ArgMatches, teacher: &Teacher) -> Result<Value, TrainError> {
        let options = Options::of(given, layout(teacher)?)?;
        serde_json::to_value(options).map_err(TrainError::Options)
    }

    fn plan(&self, options: &Value, teacher: &Teacher, _samples: usize) -> Result<Plan, TrainError> {
        let options: Options = serde_json::from_value(options.clone()).map_err(TrainError::Options)?;
        let Hyperparameters { steps, batch, minutes, .. } =
            layout(teacher)?.hyperparameters(options.schedule);
        Ok(Plan { steps, batch, minutes })
    }

    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        Compute::set_up(wanted)
    }

    fn check(&self, settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError> {
        layout(teacher)?;
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

    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision)?;
        train::train(run, compute)
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let damaged = |e: StateError| run.damaged(STUDENT, e);
        let settings = &run.settings;
        let mut trained = Trained::from_state(layout(&run.teacher)?, run.student()?).map_err(damaged)?;
        let options: Options = run.options()?;
        if options.paper_score {
            trained.image_score = None;
        }
        build_graph(&run.teacher, &trained, settings.recipe.input, options.smoothing)
            .map_err(|e| damaged(e).into())
    }
}

/// Returns the layout, which depends on the teacher.
fn layout(teacher: &Teacher) -> Result<EfficientAdLayout, TrainError> {
    EfficientAdLayout::of(&teacher.network).ok_or_else(|| {
        TrainError::Unfit(format!(
            "efficientad can't learn from the teacher {}: it does not have three levels; give another --teacher",
            teacher.name
        ))
    })
}
