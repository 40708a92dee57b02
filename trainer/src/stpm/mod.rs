//! Student-Teacher Feature Pyramid Matching (Wang et al.: *Student-Teacher Feature Pyramid Matching for Anomaly
//! Detection*, BMVC 2021). This folder's README lists the differences from the paper and what they gain.

mod comparison;
mod graph;
mod learner;
mod maps;
mod optimiser;
mod options;
mod train;

pub use comparison::Comparison;
pub use graph::{LEVEL_OUTPUTS, build as build_graph};
pub use maps::{Scoring, combined};

use clap::{ArgMatches, Args as _};
use methods::options::MethodOptions;
use networks::teacher::Teacher;
use networks::{StateError, fold};
use serde_json::Value;

use self::options::Options;

use crate::compute::{ComputeError, ComputeRequest, Resolved};
use crate::method::{Method, Plan, TrainError, TrainOutcome, no_backbone};
use crate::run::{Run, RunSettings, STUDENT};
use crate::torch::Compute;

/// Name of the score in runs of earlier versions, which had no common score.
const EARLIER_SCORE: &str = "scoring.0.mean";
/// The paper's number of passes over the images, and of samples in a step.
const PAPER_PASSES: u64 = 100;
const PAPER_BATCH: usize = 32;
/// Our batch size: in the same time the student gets closer to its teacher in many small steps than in few large ones.
const BATCH: usize = 2;
/// Our maximum. Few images need as many steps as many images do, and more steps don't find more (figures in this folder's README).
const STEPS: u64 = 500;
/// The most channels of a level whose residuals can be whitened: covariances grow with their square.
const MAX_WHITENED: usize = 256;
/// Our maximum time, for slow machines and large inputs.
const MINUTES: f64 = 5.0;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Stpm;

impl Method for Stpm {
    fn name(&self) -> &'static str {
        "stpm"
    }

    fn about(&self) -> &'static str {
        "a student learns to reproduce its teacher's features of good parts; where it fails, the part is anomalous"
    }

    fn method_options(&self) -> MethodOptions {
        MethodOptions { method: self.name(), add_options: Options::augment_args }
    }

    fn options(&self, given: &ArgMatches, _teacher: &Teacher) -> Result<Value, TrainError> {
        serde_json::to_value(Options::of(given)?).map_err(TrainError::Options)
    }

    fn published(&self) -> Option<&'static [&'static str]> {
        Some(&["--size", "256", "--align", "off", "--schedule", "published", "--paper-score"])
    }

    fn plan(&self, options: &Value, _teacher: &Teacher, samples: usize) -> Result<Plan, TrainError> {
        let options: Options = serde_json::from_value(options.clone()).map_err(TrainError::Options)?;
        if options.follows_the_paper() {
            let steps = (PAPER_PASSES * samples as u64).div_ceil(PAPER_BATCH as u64);
            return Ok(Plan { steps, batch: PAPER_BATCH, minutes: None });
        }
        Ok(Plan { steps: STEPS, batch: BATCH, minutes: Some(MINUTES) })
    }

    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        Compute::set_up(wanted)
    }

    fn check(&self, settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError> {
        if !teacher.is_backbone() {
            return Err(no_backbone(self.name(), teacher));
        }
        let options: Options =
            serde_json::from_value(settings.options.clone()).map_err(TrainError::Options)?;
        let network = &teacher.network;
        let channels = network.levels.iter().filter_map(|&level| network.channels(level)).max();
        match channels.filter(|&channels| options.whiten_residuals && channels > MAX_WHITENED) {
            None => Ok(()),
            Some(channels) => Err(TrainError::Unfit(format!(
                "--whiten-residuals takes levels of at most {MAX_WHITENED} channels, and one of {} has {channels}; omit it, or give a \
                 ResNet-18 or an EfficientNet-Lite as --teacher",
                teacher.name
            ))),
        }
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision)?;
        train::train(run, compute)
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let state = run.student()?;
        let (network, input) = (&run.teacher.network, run.settings.recipe.input);
        let student = fold(network, &state.weights)?;
        let scoring = if run.options::<Options>()?.paper_score {
            Scoring::Paper
        } else if state.weights.contains_key(EARLIER_SCORE) {
            return Err(TrainError::Unfit(
                "this run was trained by an earlier version of trainer, with a score that this version doesn't support; train it again"
                    .to_owned(),
            ));
        } else {
            let damaged = |e: StateError| run.damaged(STUDENT, e);
            Scoring::common(&state, network.levels.len(), input).map_err(damaged)?
        };
        let damaged = |e: StateError| run.damaged(STUDENT, e);
        let comparison = Comparison::from_state(&state.weights, network.levels.len()).map_err(damaged)?;
        Ok(build_graph(network, &run.teacher.weights, &student, (&comparison, &scoring), input, false))
    }
}
