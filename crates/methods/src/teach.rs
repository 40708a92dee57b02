//! Turns good parts alone into a bundle: fitted to all of them, calibrated by cross-fitting.

use std::path::{Path, PathBuf};

use shared_format::{ImageScore, Recipe, Zones};

use crate::cross_fit::{CrossFit, CrossFitError};
use crate::dyn_method::DynMethod;
use crate::features::{Extractor, FeatureError, FeatureSet, Flip, find_outliers};
use crate::method::{ProgressCallback, View};
use crate::taught_defects::Examples;
use bundle::{Calibration, Calibrator};
use bundle::{Complete, Export, ExportError, LeftOut, ScoreKind, Suspect, ThresholdRule, export_calibrated};
use networks::teacher::Teacher;

/// Minimum number of parts.
pub const MIN_PARTS: usize = 5;

/// What to learn from, and how.
#[derive(Debug)]
pub struct TeachRequest<'a> {
    /// The backbone.
    pub teacher: &'a Teacher,
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// Areas with limits of their own, not yet fitted; `None` if the whole part has one limit.
    pub zones: Option<&'a Zones>,
    /// Which mirrored copies are also learned from.
    pub flip: Flip,
    /// Good parts: the frames of each.
    pub parts: &'a [Vec<PathBuf>],
    /// The method, with its options.
    pub method: &'a dyn DynMethod,
    /// Known defects, and the share of them that may be missed, if a target is given.
    pub defects: Option<(&'a Examples, Option<f64>)>,
    /// Share of good parts that may be rejected, 0..1 exclusive.
    pub target_fpr: f64,
    /// How scores become the threshold.
    pub rule: ThresholdRule,
    /// Photos that were left out of `parts` as suspects, see [`crate::screening`]; recorded in the bundle.
    pub left_out: &'a [Suspect],
    /// See [`Export::check_product`].
    pub check_product: bool,
    /// Seeds the folds and the method's choices.
    pub seed: u64,
    /// Threads of the engine.
    pub threads: usize,
}

/// The result of teaching.
#[derive(Debug)]
pub struct TeachResult {
    /// The thresholds.
    pub calibration: Calibration,
    /// The score that decides each part, by a model of the others; in the order of [`TeachRequest::parts`].
    pub scores: Vec<f32>,
    /// Frames of parts that look unlike the others.
    pub outliers: Vec<PathBuf>,
    /// Frames of the smaller group, if the parts form two groups that look like two products.
    pub second_group: Vec<PathBuf>,
    /// What to look at among the taught defects.
    pub warnings: Vec<String>,
}

/// Why nothing was taught; anything already at the bundle's path is untouched.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    /// Too few parts.
    #[error(
        "{0} good part(s); at least {MIN_PARTS} are needed, since each is scored by a model of the others"
    )]
    TooFew(usize),
    /// All parts look the same.
    #[error(
        "all {0} parts show the same image; show different parts, since how good parts differ is learned from them"
    )]
    Identical(usize),
    /// A frame has no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The method can't be fitted, or a frame can't be scored.
    #[error(transparent)]
    Fit(#[from] CrossFitError),
    /// The bundle can't be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A part's frames give no score for the part.
    #[error(
        "a part's frames don't match the line file's voting rule; record all parts with the same line file"
    )]
    Votes,
    /// Someone asked to stop.
    #[error("stopped; nothing was written")]
    Stopped,
}

/// Fits, calibrates and writes the bundle to `out` in one step. `decide` turns the scores of a part's frames (of each, the zones'
/// scores, or its only one) into the one that decides the part. `progress` is called after each step (see [`crate::cross_fit::steps`]) and says whether to go on.
///
/// # Errors
/// See [`TeachError`].
pub fn teach(
    request: &TeachRequest<'_>,
    decide: &dyn Fn(&[Vec<f32>]) -> Option<f32>,
    out: &Path,
    progress: ProgressCallback<'_>,
) -> Result<TeachResult, TeachError> {
    teach_and_complete(request, decide, out, progress, &mut |_| Ok(()))
}

/// Like [`teach`]. `complete` is called last, with the temporary folder that becomes the bundle, to add further files to it.
///
/// # Errors
/// See [`TeachError`]; an error of `complete` is [`ExportError::Complete`].
pub fn teach_and_complete(
    request: &TeachRequest<'_>,
    decide: &dyn Fn(&[Vec<f32>]) -> Option<f32>,
    out: &Path,
    progress: ProgressCallback<'_>,
    complete: Complete<'_>,
) -> Result<TeachResult, TeachError> {
    if request.parts.len() < MIN_PARTS {
        return Err(TeachError::TooFew(request.parts.len()));
    }
    let frames: Vec<PathBuf> = request.parts.iter().flatten().cloned().collect();
    let TeachRequest { teacher, recipe, flip, method, threads, .. } = *request;
    let extractor = Extractor::for_method(method, teacher, recipe, flip, threads)?;
    let all: Vec<usize> = (0..frames.len()).collect();
    let mut set = FeatureSet::new(extractor, frames);
    let found = find_outliers(&mut set, &all)?;
    if found.identical {
        return Err(TeachError::Identical(request.parts.len()));
    }
    let named = |indices: &[usize]| indices.iter().map(|&index| set.path(index).to_owned()).collect();
    let (outliers, second_group) = (named(&found.outliers), named(&found.second_group));
    let task = CrossFit {
        teacher: request.teacher,
        recipe: request.recipe,
        zones: request.zones,
        method: request.method,
        parts: request.parts,
        defects: request.defects.map(|(examples, _)| examples),
        seed: request.seed,
        threads: request.threads,
    };
    let fitted = task.run(&mut set, progress)?.ok_or(TeachError::Stopped)?;
    let mut calibrator = Calibrator::cross_fitted(fitted.pixel_threshold, fitted.quartiles);
    for (part, frames) in request.parts.iter().zip(&fitted.scores) {
        let name = part.first().map(|frame| frame.display().to_string());
        calibrator.add_score(name.unwrap_or_default(), decide(frames).ok_or(TeachError::Votes)?);
    }
    if let Some(taught) = &fitted.taught {
        calibrator = calibrator.with_likeness(taught.normals.concat(), taught.pairs());
    }
    let view = View::of(&recipe, method.judges_frames());
    let onnx = fitted.model.onnx(teacher, view, fitted.image_score.as_ref());
    let first_frames: Vec<PathBuf> = request.parts.iter().filter_map(|part| part.first().cloned()).collect();
    let export = Export {
        onnx: &onnx,
        recipe: request.recipe,
        method: request.method.name(),
        teacher: &request.teacher.name,
        score: ScoreKind::Model,
        calibration: &first_frames,
        target_fpr: request.target_fpr,
        rule: request.rule,
        require_claim: false,
        left_out: LeftOut { suspects: request.left_out, kept: request.parts.len() },
        check_product: request.check_product,
        defects: request
            .defects
            .zip(fitted.taught.as_ref())
            .map(|((examples, target), taught)| taught.to_export(examples.kinds.clone(), target)),
    };
    let image_score = fitted.zones.map_or(ImageScore::Model, ImageScore::Zones);
    let scores = calibrator.scores().to_vec();
    let taught = request.defects.zip(fitted.taught.as_ref());
    let warnings = taught.map_or(vec![], |((examples, _), taught)| taught.warnings(&scores, examples));
    let calibration = export_calibrated(&export, image_score, calibrator, out, complete)?;
    Ok(TeachResult { calibration, scores, outliers, second_group, warnings })
}
