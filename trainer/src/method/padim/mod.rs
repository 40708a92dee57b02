//! PaDiM as a method of the trainer; [`methods::padim`] does the work.

use methods::features::Levels;
use methods::padim::{Model, NAME, PadimError, build, fit};

use super::fitting::{Fit, all_images, fit_images};
use super::{Ended, Method, TrainError};
use crate::compute::{Resolved, Wanted};
use crate::run::{Run, STUDENT, State};

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Padim;

impl Method for Padim {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "what good parts look like to the teacher, place by place; for parts that lie alike; fitted in seconds"
    }

    fn is_fitted(&self) -> bool {
        true
    }

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String> {
        Resolved::plain(wanted)
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let options = run.settings.fitting.padim(run.settings.seed);
        let options = options.map_err(|reason| run.damaged("run.json", reason))?;
        let fitted = fit_images(run, compute, Levels::All, |set, progress| {
            let indices = all_images(set);
            fit(set, &indices, &options, progress)
        });
        let model = match fitted {
            Ok(Some(model)) => model,
            Ok(None) => return Ok(Ended::Interrupted { step: 0 }),
            Err(Fit::Features(e) | Fit::Method(PadimError::Features(e))) => return Err(e.into()),
            Err(Fit::Method(e)) => return Err(TrainError::Settings(e.to_string())),
        };
        let (weights, notes) = model.to_weights();
        run.save(STUDENT, &State { weights, notes })?;
        let d = model.reduction.outputs;
        Ok(Ended::Fitted {
            summary: format!(
                "Gaussians of {d} dimensions at {} places, {} covariances ({:.1} MB)",
                model.mean.len() / d,
                if model.full { "full" } else { "diagonal" },
                (model.mean.len() + model.whitening.len()) as f64 * 4e-6
            ),
        })
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let state = run.student()?;
        let input = run.settings.recipe.input;
        let positions = methods::features::positions(&run.teacher, input);
        let model = Model::from_weights(&state.weights, &state.notes, positions)
            .map_err(|reason| run.damaged(STUDENT, reason))?;
        Ok(build(&run.teacher, &model, input, false))
    }
}
