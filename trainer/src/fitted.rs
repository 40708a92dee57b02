//! The methods that are fitted and not trained, as the trainer runs them; the crate `methods` has them.

use clap::ArgMatches;
use methods::features::{Extractor, FeatureError, FeatureSet, likeness};
use methods::method::FitError;
use methods::options::Listed;
use methods::registry::Entry;
use networks::teacher::Teacher;
use serde_json::Value;

use crate::compute::{ComputeError, Resolved, Wanted};
use crate::method::{Ended, Method, TrainError, no_backbone};
use crate::progress;
use crate::run::{Run, STUDENT, Settings};

/// A fitted method.
#[derive(Debug, Clone, Copy)]
pub struct Fitted(pub &'static Entry);

impl Method for Fitted {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn about(&self) -> &'static str {
        self.0.about
    }

    fn listed(&self) -> Listed {
        self.0.listed()
    }

    fn options(&self, given: &ArgMatches, _teacher: &Teacher) -> Result<Value, TrainError> {
        let method = self.0.given(given).map_err(|e| TrainError::Unfit(e.to_string()))?;
        method.record().map_err(TrainError::Options)
    }

    fn published(&self) -> Option<&'static [&'static str]> {
        self.0.published
    }

    fn is_fitted(&self) -> bool {
        true
    }

    fn resolve(&self, wanted: Wanted) -> Result<Resolved, ComputeError> {
        Resolved::plain(wanted)
    }

    fn check(&self, _settings: &Settings, teacher: &Teacher) -> Result<(), TrainError> {
        if self.0.takes(teacher) { Ok(()) } else { Err(no_backbone(self.0.name, teacher)) }
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError> {
        let settings = &run.settings;
        let recorded = self.0.recorded(settings.options.clone());
        let method = recorded.map_err(|e| run.damaged_settings(&e))?;
        // There is nothing to select: those images are learned from, too.
        let paths = settings.paths(&[&settings.fit[..], &settings.selection[..]].concat());
        let threads = compute.threads.max(1) as usize;
        let extractor =
            Extractor::new(&run.teacher, settings.recipe, settings.flip, method.levels(), threads)
                .map_err(FitError::from)?;
        let bar = progress::bar(paths.len() as u64, "Looking at good parts");
        let indices: Vec<usize> = (0..paths.len()).collect();
        let mut set = FeatureSet::new(extractor, paths);
        let fitted = method.fit(&mut set, &indices, settings.seed, &mut || {
            bar.inc(1);
            !progress::stop_requested()
        });
        bar.finish_and_clear();
        let Some(model) = fitted? else { return Ok(Ended::Interrupted { step: 0 }) };
        warn_of_strangers(&mut set, &indices).map_err(FitError::from)?;
        run.save(STUDENT, &model.state())?;
        Ok(Ended::Fitted { summary: model.summary() })
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let input = run.settings.recipe.input;
        let model = self.0.restore(&run.student()?, &run.teacher, input);
        let model = model.map_err(|e| run.damaged(STUDENT, e))?;
        Ok(model.onnx(&run.teacher, input))
    }
}

/// After fitting every image has been looked at: this costs nothing.
fn warn_of_strangers(set: &mut FeatureSet, indices: &[usize]) -> Result<(), FeatureError> {
    let found = likeness(set, indices)?;
    if found.identical {
        eprintln!(
            "warning: all images show the same picture; what good parts differ by can't be learned from them"
        );
    }
    for &index in &found.strangers {
        eprintln!(
            "warning: {} looks unlike the others; if it is no good part of this product, remove it and train again",
            set.path(index).display()
        );
    }
    Ok(())
}
