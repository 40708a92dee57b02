//! Student-Teacher Feature Pyramid Matching (Wang et al.: *Student-Teacher Feature Pyramid Matching for Anomaly
//! Detection*, BMVC 2021). See this folder's README for what is ours and what it gains.

mod augment;
mod comparison;
mod graph;
mod maps;
mod optimiser;
mod options;
mod pace;
mod train;

pub use comparison::Comparison;
pub use graph::{LEVEL_OUTPUTS, build as build_graph};
pub use maps::{Scoring, combined};

use clap::{ArgMatches, Args as _};
use methods::options::Listed;
use networks::teacher::Teacher;
use networks::{StateError, fold};
use serde_json::Value;

use self::options::Options;

use crate::compute::{ComputeError, Resolved, Wanted};
use crate::method::{Ended, Method, Plan, TrainError, no_backbone};
use crate::run::{Run, STUDENT, Settings};
use crate::torch::Compute;

/// What runs of earlier versions keep in place of the common score.
const EARLIER_SCORE: &str = "scoring.0.mean";
/// The paper's passes over the images, and samples in a step.
const PAPER_PASSES: u64 = 100;
const PAPER_BATCH: usize = 32;
/// Ours: in the same time the student comes nearer to its teacher in many small steps than in few large ones.
const BATCH: usize = 2;
/// Ours at most. Few images need no fewer steps than many, and more steps find no more (figures in this folder's README).
const STEPS: u64 = 500;
/// The longest time of ours, for slow machines and large inputs.
const MINUTES: f64 = 5.0;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Stpm;

impl Method for Stpm {
    fn name(&self) -> &'static str {
        "stpm"
    }

    fn about(&self) -> &'static str {
        "a student learns to see good parts as its teacher does; where it fails, the part is anomalous"
    }

    fn listed(&self) -> Listed {
        Listed { method: self.name(), add_options: Options::augment_args }
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

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, ComputeError> {
        Compute::set_up(wanted)
    }

    fn check(&self, _settings: &Settings, teacher: &Teacher) -> Result<(), TrainError> {
        if teacher.is_backbone() { Ok(()) } else { Err(no_backbone(self.name(), teacher)) }
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision)?;
        train::train(run, compute)
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let state = run.student()?;
        let network = &run.teacher.network;
        let student = fold(network, &state.weights)?;
        let scoring = if run.options::<Options>()?.paper_score {
            Scoring::Paper
        } else if state.weights.contains_key(EARLIER_SCORE) {
            return Err(TrainError::Unfit(
                "an earlier version of trainer trained this run, with a score that this one doesn't write; train it again"
                    .to_owned(),
            ));
        } else {
            let damaged = |e: StateError| run.damaged(STUDENT, e);
            Scoring::common(&state, network.levels.len()).map_err(damaged)?
        };
        let damaged = |e: StateError| run.damaged(STUDENT, e);
        let comparison = Comparison::from_state(&state.weights, network.levels.len()).map_err(damaged)?;
        let input = run.settings.recipe.input;
        Ok(build_graph(network, &run.teacher.weights, &student, (&comparison, &scoring), input, false))
    }
}
