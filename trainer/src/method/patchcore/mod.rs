//! PatchCore as a method of the trainer; [`fit::patchcore`] does the work.

use fit::features::{Extractor, FeatureSet, Levels};
use fit::patchcore::{Model, NAME, build, fit};

use super::{Ended, Method, Plan, TrainError};
use crate::compute::{Resolved, Wanted};
use crate::progress;
use crate::run::{Run, STUDENT, State};

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

    fn plan(&self, _samples: usize) -> Option<Plan> {
        None
    }

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String> {
        Resolved::plain(wanted)
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let settings = &run.settings;
        let options = settings.fitting.patchcore(settings.seed).map_err(|reason| run.damaged("run.json", reason))?;
        // There is nothing to select: those images are in the bank, too.
        let paths = settings.paths(&[&settings.fit[..], &settings.selection[..]].concat());
        let threads = compute.threads.max(1) as usize;
        let extractor = Extractor::new(&run.teacher, settings.recipe, Levels::Coarse, threads)?;
        let indices: Vec<usize> = (0..paths.len()).collect();
        let mut set = FeatureSet::new(extractor, paths, settings.recipe.tiles.count());
        let bar = progress::bar(indices.len() as u64, "Looking at good parts");
        let fitted = fit(&mut set, &indices, &options, || {
            bar.inc(1);
            !progress::stop_requested()
        })?;
        bar.finish_and_clear();
        let Some(model) = fitted else { return Ok(Ended::Interrupted { step: 0 }) };
        let (weights, notes) = model.to_weights();
        run.save(STUDENT, &State { weights, notes })?;
        let (entries, dimensions) = (model.entries(), model.projection.outputs);
        Ok(Ended::Fitted {
            summary: format!(
                "a bank of {entries} entries × {dimensions} dimensions ({} KiB) from {} images",
                entries * (dimensions + 1) * 4 / 1024,
                indices.len()
            ),
        })
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let state = run.student()?;
        let model = Model::from_weights(&state.weights, &state.notes)
            .map_err(|reason| run.damaged(STUDENT, reason))?;
        Ok(build(&run.teacher, &model, run.settings.recipe.input, false))
    }
}
