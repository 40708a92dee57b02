//! Runs the fitted methods of the crate `methods` in the trainer.

use std::path::PathBuf;

use bundle::{Calibrator, ExportDefects, Suspect, frame_score, suspects, suspects_warning};
use clap::ArgMatches;
use methods::cross_fit::{CrossFit, steps};
use methods::features::{Extractor, FeatureError, FeatureSet, find_outliers};
use methods::image_score::ImageScorer;
use methods::method::{FitError, View};
use methods::options::MethodOptions;
use methods::registry::Entry;
use methods::taught_defects::{Discriminants, Examples, TaughtScores};
use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, array_of};
use serde_json::Value;
use shared_format::zones::SHARES;
use shared_format::{ImageScore, RobustStats, Zones};

use crate::compute::{ComputeError, ComputeRequest, Resolved};
use crate::method::{Method, TrainError, TrainOutcome, no_backbone};
use crate::progress;
use crate::run::{Run, RunSettings, STUDENT};

/// Name, in a run's state, of each image's score by a model of the others.
const SCORES: &str = "cross_fit.scores";
const PIXEL_THRESHOLD: &str = "cross_fit.pixel_threshold";
/// Centre and spread of each share of each zone.
const ZONES: &str = "cross_fit.zones";
/// The lower quartile of each image's map; absent in runs of earlier trainers.
const QUARTILES: &str = "cross_fit.quartiles";

/// A fitted method.
#[derive(Debug, Clone, Copy)]
pub struct FittedMethod(pub &'static Entry);

impl Method for FittedMethod {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn about(&self) -> &'static str {
        self.0.about
    }

    fn method_options(&self) -> MethodOptions {
        self.0.method_options()
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

    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        Resolved::plain(wanted)
    }

    fn check(&self, _settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError> {
        if self.0.supports(teacher) { Ok(()) } else { Err(no_backbone(self.0.name, teacher)) }
    }

    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError> {
        let settings = &run.settings;
        let recorded = self.0.recorded(settings.options.clone());
        let method = recorded.map_err(|e| run.damaged_settings(&e))?;
        let paths = settings.paths(&[&settings.fit[..], &settings.selection[..]].concat());
        let threads = compute.threads.max(1) as usize;
        let extractor =
            Extractor::for_method(method.as_ref(), &run.teacher, settings.recipe, settings.flip, threads);
        let extractor = extractor.map_err(FitError::from)?;
        let find = |folder: &PathBuf| Examples::find(folder, &paths, settings.recipe.roi);
        let defects = settings.defects.as_ref().map(find).transpose()?;
        if let Some(defects) = &defects {
            eprintln!("defects to teach: {}", defects.describe());
            defects.notes.iter().for_each(|note| eprintln!("{note}"));
        }
        let taught = defects.as_ref().map_or(0, |defects| defects.images.len());
        let bar = progress::bar(steps(paths.len(), paths.len(), taught) as u64, "Fitting and scoring");
        let parts: Vec<Vec<PathBuf>> = paths.iter().map(|path| vec![path.clone()]).collect();
        let mut set = FeatureSet::new(extractor, paths);
        let task = CrossFit {
            teacher: &run.teacher,
            recipe: settings.recipe,
            zones: settings.zones.as_ref(),
            method: method.as_ref(),
            parts: &parts,
            defects: defects.as_ref(),
            seed: settings.seed,
            threads,
        };
        let fitted = task.run(&mut set, &mut || {
            bar.inc(1);
            !progress::stop_requested()
        });
        bar.finish_and_clear();
        let Some(fitted) = fitted? else { return Ok(TrainOutcome::Interrupted { step: 0 }) };
        let indices: Vec<usize> = (0..parts.len()).collect();
        warn_of_outliers(&mut set, &indices).map_err(FitError::from)?;
        let mut state = fitted.model.state();
        if let Some(score) = &fitted.image_score {
            score.add_to(&mut state);
        }
        if let Some(zones) = &fitted.zones {
            let data: Vec<f32> = stats(zones).flat_map(|stats| [stats.centre, stats.spread]).collect();
            let shape = vec![zones.zones.len(), SHARES.len(), 2];
            state.weights.insert(ZONES.to_owned(), Array { shape, data });
        }
        let scores: Vec<f32> = fitted.scores.iter().flatten().map(|zones| frame_score(zones)).collect();
        warn_of_suspects(&scores, &parts, !settings.left_out.is_empty());
        if let (Some(taught), Some(defects)) = (&fitted.taught, &defects) {
            taught.add_to(&mut state);
            taught.warnings(&scores, defects).iter().for_each(|warning| eprintln!("warning: {warning}"));
        }
        state.weights.insert(SCORES.to_owned(), Array { shape: vec![scores.len()], data: scores });
        let quartiles = fitted.quartiles;
        state.weights.insert(QUARTILES.to_owned(), Array { shape: vec![quartiles.len()], data: quartiles });
        state.notes.insert(PIXEL_THRESHOLD.to_owned(), fitted.pixel_threshold.to_string());
        run.save(STUDENT, &state)?;
        Ok(TrainOutcome::Fitted { summary: fitted.model.summary() })
    }

    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError> {
        let view = View::of(&run.settings.recipe, self.0.judges_frames);
        let state = run.student()?;
        let damaged = |e| run.damaged(STUDENT, e);
        let model = self.0.restore(&state, &run.teacher, view).map_err(damaged)?;
        let image_score = ImageScorer::from_state(&state).map_err(damaged)?;
        Ok(model.onnx(&run.teacher, view, image_score.as_ref()))
    }

    fn calibrator(&self, run: &Run) -> Result<Option<(Calibrator, ImageScore)>, TrainError> {
        let state = run.student()?;
        let Some(scores) = state.weights.get(SCORES) else { return Ok(None) };
        let threshold = state.number(PIXEL_THRESHOLD).filter(|threshold: &f32| threshold.is_finite());
        let threshold = threshold.ok_or_else(|| run.damaged(STUDENT, StateError::values(PIXEL_THRESHOLD)))?;
        let images = &run.settings.fit;
        if scores.data.len() != images.len() || scores.data.iter().any(|score| !score.is_finite()) {
            return Err(run.damaged(STUDENT, StateError::values(SCORES)).into());
        }
        let quartiles = state.weights.get(QUARTILES).map(|array| array.data.clone()).unwrap_or_default();
        if quartiles.iter().any(|quartile| !quartile.is_finite()) {
            return Err(run.damaged(STUDENT, StateError::values(QUARTILES)).into());
        }
        let mut calibrator = Calibrator::cross_fitted(threshold, quartiles);
        for (path, score) in run.settings.paths(images).iter().zip(&scores.data) {
            calibrator.add_score(path.display().to_string(), *score);
        }
        let zones = run.settings.zones.as_ref();
        let zones = zones.map(|zones| fitted_zones(zones, &state)).transpose();
        let zones = zones.map_err(|e| run.damaged(STUDENT, e))?;
        let calibrator = match self.taught_scores(run, &state)? {
            Some(taught) => calibrator.with_likeness(taught.normals.concat(), taught.pairs()),
            None => calibrator,
        };
        Ok(Some((calibrator, zones.map_or(ImageScore::Model, ImageScore::Zones))))
    }

    fn defects(&self, run: &Run) -> Result<Option<ExportDefects>, TrainError> {
        let state = run.student()?;
        let discriminants = Discriminants::from_state(&state).map_err(|e| run.damaged(STUDENT, e))?;
        let scores = self.taught_scores(run, &state)?;
        Ok(scores.zip(discriminants).map(|(scores, taught)| scores.to_export(taught.kinds, None)))
    }
}

impl FittedMethod {
    /// Returns the scores by discriminants, with one for each normal; `None` if no defects were taught.
    fn taught_scores(self, run: &Run, state: &ModelState) -> Result<Option<TaughtScores>, TrainError> {
        let taught = TaughtScores::from_state(state).map_err(|e| run.damaged(STUDENT, e))?;
        match taught {
            Some(taught) if taught.normals.len() != run.settings.fit.len() => {
                Err(run.damaged(STUDENT, StateError::values("defects.normals")).into())
            }
            taught => Ok(taught),
        }
    }
}

fn stats(zones: &Zones) -> impl Iterator<Item = RobustStats> {
    zones.zones.iter().flat_map(|zone| zone.shares)
}

/// Returns the run's zones with the statistics that training found.
fn fitted_zones(zones: &Zones, state: &ModelState) -> Result<Zones, StateError> {
    let mut fitted = zones.clone();
    let array = array_of(&state.weights, ZONES, &[zones.zones.len(), SHARES.len(), 2])?;
    let stats = fitted.zones.iter_mut().flat_map(|zone| &mut zone.shares);
    for (stats, pair) in stats.zip(array.data.chunks_exact(2)) {
        *stats = RobustStats { centre: pair[0], spread: pair[1] };
    }
    if fitted.is_valid() { Ok(fitted) } else { Err(StateError::values(ZONES)) }
}

/// Warns of images that may show bad parts: the others have learned from them.
fn warn_of_suspects(scores: &[f32], parts: &[Vec<PathBuf>], has_dropped: bool) {
    let suspect = |at: usize| {
        let name = parts.get(at)?.first()?.display().to_string();
        Some(Suspect { name, score: *scores.get(at)? })
    };
    let suspects: Vec<Suspect> = suspects(scores).into_iter().filter_map(suspect).collect();
    let or_drop = if has_dropped { "" } else { ", or train with --drop-suspects" };
    let advice = format!("remove those that aren't good parts and train again{or_drop}");
    if let Some(warning) = suspects_warning(&suspects, parts.len(), &advice) {
        eprintln!("warning: {warning}");
    }
}

/// Warns of images that look unlike the others. The features are known after fitting, so this costs nothing.
fn warn_of_outliers(set: &mut FeatureSet, indices: &[usize]) -> Result<(), FeatureError> {
    let found = find_outliers(set, indices)?;
    if found.identical {
        eprintln!(
            "warning: all images show the same picture; the variation among good parts can't be learned from them"
        );
    }
    if let Some((&first, others)) = found.second_group.split_first() {
        eprintln!(
            "warning: {} of {} images, such as {}, look like a different product from the others; learn from one product at a time",
            others.len() + 1,
            indices.len(),
            set.path(first).display()
        );
    }
    for &index in &found.outliers {
        eprintln!(
            "warning: {} looks unlike the others; if it is not a good part of this product, remove it and train again",
            set.path(index).display()
        );
    }
    Ok(())
}
