//! Student-Teacher Feature Pyramid Matching (Wang et al.: *Student-Teacher Feature Pyramid Matching for Anomaly
//! Detection*, BMVC 2021). See this folder's README for what is ours and what it gains.

mod augment;
mod graph;
mod maps;
mod optimiser;
mod options;
mod pace;
mod train;

pub use graph::{LEVEL_OUTPUTS, build as build_graph};
pub use maps::{Scoring, combined, distances};

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
/// Passes over the images: the paper's, and ours at most.
const PASSES: u64 = 100;
/// Samples in a step: the paper's …
const PAPER_BATCH: usize = 32;
/// … and ours: in the same time the student comes nearer to its teacher in many steps than in large ones.
const BATCH: usize = 2;
/// Ours at least, for few images …
const LEAST_STEPS: u64 = 600;
/// … and the longest time.
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
        Some(&["--size", "256", "--schedule", "published", "--epochs", "100", "--paper-score"])
    }

    fn plan(&self, options: &Value, _teacher: &Teacher, samples: usize) -> Result<Plan, TrainError> {
        let options: Options = serde_json::from_value(options.clone()).map_err(TrainError::Options)?;
        let batch = if options.follows_the_paper() { PAPER_BATCH } else { BATCH };
        let steps = (PASSES * samples as u64).div_ceil(batch as u64);
        if options.follows_the_paper() {
            return Ok(Plan { steps, batch, minutes: None });
        }
        // Counted in steps: few images need no fewer steps than many.
        Ok(Plan { steps: steps.max(LEAST_STEPS), batch, minutes: Some(MINUTES) })
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
        let input = run.settings.recipe.input;
        Ok(build_graph(network, &run.teacher.weights, &student, &scoring, input, false))
    }
}
