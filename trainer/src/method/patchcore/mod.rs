//! PatchCore as a method of the trainer; [`methods::patchcore`] does the work.

use methods::features::Levels;
use methods::patchcore::{Model, NAME, build, fit};
use networks::teacher::Teacher;

use super::fitting::{Fit, all_images, fit_images};
use super::{Ended, Method, TrainError};
use crate::compute::{Resolved, Wanted};
use crate::run::{Run, STUDENT, Settings, State};

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct PatchCore;

impl Method for PatchCore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "a bank of what good parts look like to the teacher; fitted in seconds, without training"
    }

    fn is_fitted(&self) -> bool {
        true
    }

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String> {
        Resolved::plain(wanted)
    }

    /// A patch description network's one level will do: it is how a teacher for efficientad is measured.
    fn check(&self, _settings: &Settings, _teacher: &Teacher) -> Result<(), TrainError> {
        Ok(())
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let options = run.settings.fitting.patchcore(run.settings.seed);
        let options = options.map_err(|reason| run.damaged("run.json", reason))?;
        let fitted = fit_images(run, compute, Levels::Coarse, |set, progress| {
            let indices = all_images(set);
            fit(set, &indices, &options, progress)
        });
        let model = match fitted {
            Ok(Some(model)) => model,
            Ok(None) => return Ok(Ended::Interrupted { step: 0 }),
            Err(Fit::Features(e) | Fit::Method(e)) => return Err(e.into()),
        };
        let (weights, notes) = model.to_weights();
        run.save(STUDENT, &State { weights, notes })?;
        let (entries, dimensions) = (model.entries(), model.projection.outputs);
        let kib = entries * (dimensions + 1) * 4 / 1024;
        Ok(Ended::Fitted {
            summary: format!("a bank of {entries} entries × {dimensions} dimensions ({kib} KiB)"),
        })
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let state = run.student()?;
        let model = Model::from_weights(&state.weights, &state.notes)
            .map_err(|reason| run.damaged(STUDENT, reason))?;
        Ok(build(&run.teacher, &model, run.settings.recipe.input, false))
    }
}
