//! Student-Teacher Feature Pyramid Matching (Wang et al.: *Student-Teacher Feature Pyramid Matching for Anomaly
//! Detection*, BMVC 2021). See this folder's README for what is ours and what it gains.

mod graph;
mod maps;
mod schedule;
mod train;

pub use graph::{LEVEL_OUTPUTS, build as build_graph};
pub use maps::{LevelStatistics, Scoring, distances};

use clap::ArgMatches;
use methods::options::Listed;
use networks::teacher::Teacher;
use networks::{StateError, fold};
use serde_json::{Value, json};

use crate::compute::{ComputeError, Resolved, Wanted};
use crate::method::{Ended, Method, Plan, TrainError, no_backbone};
use crate::run::{Run, STUDENT, Settings};
use crate::torch::Compute;

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
        Listed { method: self.name(), add_options: |command| command }
    }

    fn options(&self, _given: &ArgMatches, _teacher: &Teacher) -> Result<Value, TrainError> {
        Ok(json!({}))
    }

    fn plan(&self, _options: &Value, _teacher: &Teacher) -> Result<Plan, TrainError> {
        // Counted in steps: few images need no fewer steps than many. Longer training gains nothing on the sets in
        // this folder's README.
        Ok(Plan { steps: 300, batch: 8 })
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
        let student = fold(&run.teacher.network, &state.weights)?;
        let damaged = |e: StateError| run.damaged(STUDENT, e);
        let scoring = Scoring::from_weights(&state.weights, &run.teacher.network).map_err(damaged)?;
        let input = run.settings.recipe.input;
        Ok(build_graph(&run.teacher.network, &run.teacher.weights, &student, &scoring, input, false))
    }
}
