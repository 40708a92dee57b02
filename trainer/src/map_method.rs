//! Methods whose learner gives a map of anomalies: such a method is its network, its loss and its map; everything else is shared.

use clap::{ArgMatches, Args, FromArgMatches as _};
use methods::options::MethodOptions;
use networks::Network;
use networks::teacher::Teacher;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::Device;

use crate::compute::{ComputeError, ComputeRequest, Precision, Resolved};
use crate::method::{Method, Plan, TrainError, TrainOutcome, no_backbone};
use crate::run::{Run, RunSettings};
use crate::torch::Compute;
use crate::training::{MapLearner, export_map, train_map};

/// What a method adds to the shared training and export; each type with it is a [`Method`]. They are trained in 32-bit floats.
pub trait MapMethod {
    /// Its options, as given on the command line and as recorded in a run.
    type Options: Args + Serialize + DeserializeOwned;
    /// What is trained.
    type Learner: MapLearner;

    /// The name used on the command line and in bundles.
    const NAME: &'static str;
    /// One sentence for `trainer train --help`.
    const ABOUT: &'static str;
    /// The highest learning rate.
    const RATE: f64;
    /// How to train by default.
    const PLAN: Plan = Plan { steps: 400, batch: 4, minutes: Some(8.0) };
    /// Whether it learns from known defects, too, and needs them.
    const NEEDS_DEFECTS: bool = false;

    /// Returns whether it needs a backbone with several levels as teacher.
    ///
    /// # Errors
    /// If options exclude each other, or don't fit the settings.
    fn needs_backbone(_options: &Self::Options, _settings: &RunSettings) -> Result<bool, TrainError> {
        Ok(true)
    }

    /// Creates the untrained learner. May use libtorch's global generator.
    fn learner(
        options: &Self::Options,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> Self::Learner;
}

impl<M: MapMethod> Method for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn about(&self) -> &'static str {
        M::ABOUT
    }

    fn method_options(&self) -> MethodOptions {
        MethodOptions { method: M::NAME, add_options: M::Options::augment_args }
    }

    fn options(&self, given: &ArgMatches, _teacher: &Teacher) -> Result<Value, TrainError> {
        let options = M::Options::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))?;
        serde_json::to_value(options).map_err(TrainError::Options)
    }

    fn needs_defects(&self) -> bool {
        M::NEEDS_DEFECTS
    }

    fn plan(&self, _options: &Value, _teacher: &Teacher, _samples: usize) -> Result<Plan, TrainError> {
        Ok(M::PLAN)
    }

    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        match wanted.precision {
            Precision::Bf16 => Err(ComputeError::Exact),
            Precision::Auto | Precision::F32 => {
                Compute::set_up(ComputeRequest { precision: Precision::F32, ..wanted })
            }
        }
    }

    fn check(&self, settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError> {
        let options: M::Options =
            serde_json::from_value(settings.options.clone()).map_err(TrainError::Options)?;
        if M::needs_backbone(&options, settings)? && !teacher.is_backbone() {
            return Err(no_backbone(M::NAME, teacher));
        }
        Ok(())
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError> {
        let compute = Compute::resolve(compute.device, compute.precision)?;
        let options: M::Options = run.options()?;
        let network = &run.teacher.network;
        train_map(run, compute, M::RATE, || M::learner(&options, network, &run.settings, compute.device))
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let options: M::Options = run.options()?;
        export_map(run, M::learner(&options, &run.teacher.network, &run.settings, Device::Cpu))
    }
}
