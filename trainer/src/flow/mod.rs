//! Normalising flows on the teacher's levels: CFLOW-AD (Gudovskiy, Ishizaka, Kozuka, WACV 2022) and FastFlow (Yu et al., 2021). This
//! folder's README lists the differences from the papers.

mod coupling;
mod encoding;
mod graph;
mod learner;
mod level;
mod maps;
mod options;
mod train;
mod whitening;

pub use graph::{LEVEL_OUTPUTS, build as build_graph, teacher_graph};
pub use level::{LevelFlow, LevelLayout};
pub use maps::Scoring;
pub use options::{Context, Options};
pub use whitening::Whitening;

use clap::{ArgMatches, Args as _};
use methods::options::MethodOptions;
use networks::StateError;
use networks::teacher::Teacher;
use serde_json::Value;
use tch::Device;

use self::learner::Flows;
use crate::compute::{ComputeError, ComputeRequest, Precision, Resolved};
use crate::method::{Method, Plan, TrainError, TrainOutcome, no_backbone};
use crate::run::{Run, RunSettings, STUDENT};
use crate::torch::Compute;

/// Samples in a step.
const BATCH: usize = 4;
/// Maximum number of steps.
const STEPS: u64 = 400;
/// Maximum time, for slow machines and large inputs.
const MINUTES: f64 = 8.0;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Flow;

impl Method for Flow {
    fn name(&self) -> &'static str {
        "flow"
    }

    fn about(&self) -> &'static str {
        "normalising flows learn how likely the teacher's features are on good parts; where they are unlikely, the part is anomalous"
    }

    fn method_options(&self) -> MethodOptions {
        MethodOptions { method: self.name(), add_options: Options::augment_args }
    }

    fn options(&self, given: &ArgMatches, _teacher: &Teacher) -> Result<Value, TrainError> {
        serde_json::to_value(Options::of(given)?).map_err(TrainError::Options)
    }

    fn plan(&self, _options: &Value, _teacher: &Teacher, _samples: usize) -> Result<Plan, TrainError> {
        Ok(Plan { steps: STEPS, batch: BATCH, minutes: Some(MINUTES) })
    }

    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        // A determinant is a sum of hundreds of logarithms, too fine for bf16.
        match wanted.precision {
            Precision::Bf16 => Err(ComputeError::Exact),
            Precision::Auto | Precision::F32 => {
                Compute::set_up(ComputeRequest { precision: Precision::F32, ..wanted })
            }
        }
    }

    fn check(&self, _settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError> {
        if teacher.is_backbone() { Ok(()) } else { Err(no_backbone(self.name(), teacher)) }
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision)?;
        train::train(run, compute)
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let damaged = |e: StateError| run.damaged(STUDENT, e);
        let state = run.student()?;
        let options: Options = run.options()?;
        let input = run.settings.recipe.input;
        let graph = teacher_graph(&run.teacher, input);
        let layouts: Vec<LevelLayout> =
            graph.1.iter().map(|level| LevelLayout::of(&options, level.shape())).collect();
        let scoring = Scoring::from_state(&state, layouts.len()).map_err(damaged)?;
        let mut flows = Flows::new(&layouts, Device::Cpu, run.settings.seed);
        flows.load_weights(&state.weights).map_err(damaged)?;
        Ok(build_graph(graph, &flows.levels, &scoring, input, false))
    }
}
