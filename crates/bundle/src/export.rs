//! Turns an ONNX model and held-out normals into a bundle.

use std::io;
use std::path::{Path, PathBuf};

use judge::image_score::features;
use judge::{
    DecodeError, EncodeError, EngineError, Fault, Frame, FrameScore, Options, Scorer, decode_file,
    encode_png, file_sha256,
};
use judge::{GOLDEN_FOLDER, MODEL_FILE, THRESHOLD_FILE};
use shared_format::{
    Arithmetic, DefectKind, FormatError, Golden, ImageScore, Recipe, Size, TaughtDefects, ThresholdFile,
    Zones, threshold_file::MAX_LEN,
};

use crate::atomic::{sync_folder, write_folder, write_synced};
use crate::calibrate::{Calibration, Calibrator};
use crate::claim::claim;
use crate::descriptor::{self, DescriptorError};
use crate::left_out::{LEFT_OUT_FILE, LeftOut, encode};
use crate::rule::ThresholdRule;
use crate::zones::{ZoneError, cross_fit_zones, fit_zones, frame_score};

/// Golden frames of a bundle: the calibration normals with the lowest, the median and the highest score.
const GOLDEN_FRAMES: usize = 3;

/// With at least this many parts, equal scores mean that something is wrong.
const SPREAD_FROM: u32 = 10;

/// A request to export a bundle.
#[derive(Debug)]
pub struct Export<'a> {
    /// The model: input `image`, outputs `anomaly_map` and `score`.
    pub onnx: &'a [u8],
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// The method's name.
    pub method: &'a str,
    /// The teacher's name; empty without one.
    pub teacher: &'a str,
    /// How a frame is scored.
    pub score: ScoreKind<'a>,
    /// Normals used neither to train the model nor to choose its checkpoint.
    pub calibration: &'a [PathBuf],
    /// The target false-positive rate, 0..1 exclusive.
    pub target_fpr: f64,
    /// How the scores of normals become the threshold.
    pub rule: ThresholdRule,
    /// Whether to refuse a sample that is too small to claim the target.
    pub require_claim: bool,
    /// Photos that were left out as suspects of showing bad parts.
    pub left_out: LeftOut<'a>,
    /// Whether a frame that is unlike good parts nearly everywhere is a fault: it may show another product.
    pub check_product: bool,
    /// The defects that the model was taught; the calibrator then knows the normals' likeness to them.
    pub defects: Option<ExportDefects>,
}

/// Taught defects, and how each is scored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExportDefects {
    /// The kinds' names, in the order of the model's output `defect_kinds`.
    pub kinds: Vec<String>,
    /// Each taught defect: the index of its kind, its score, and its likeness to the others.
    pub examples: Vec<(usize, f32, f32)>,
    /// The share of defects that may be missed, 0..1 exclusive.
    pub target_fnr: Option<f64>,
}

/// How a frame is scored.
#[derive(Debug, Clone, Copy)]
pub enum ScoreKind<'a> {
    /// The model's own score.
    Model,
    /// A descriptor of the anomaly map, fitted to these normals, which must be used neither for training nor for
    /// calibration.
    Descriptor(&'a [PathBuf]),
    /// The largest of the zones' scores.
    Zones {
        /// The zones, not yet fitted.
        zones: &'a Zones,
        /// The normals that the zones are fitted to. If there are none, they are fitted to the calibration normals, and the scores
        /// of these are cross-fitted.
        normals: &'a [PathBuf],
    },
}

/// Why no bundle was written. Anything already at its path is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The target isn't between 0 and 1.
    #[error(
        "a target of {0} false alarms is not between 0 and 1; 0.01 means that one good part in a hundred may be rejected"
    )]
    Target(f64),
    /// The target of misses isn't between 0 and 1.
    #[error(
        "a target of {0} misses is not between 0 and 1; 0.001 means that one defective part in a thousand may pass"
    )]
    MissTarget(f64),
    /// The claim is required, but the sample can't support it.
    #[error("{0}; collect more good images, or export without requiring the claim")]
    Claim(String),
    /// The descriptor can't be fitted.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The zones can't be fitted.
    #[error(transparent)]
    Zones(#[from] ZoneError),
    /// The model doesn't run.
    #[error("the exported model does not run: {0}; train again, and report the run if that fails too")]
    Engine(#[from] EngineError),
    /// A calibration image is missing or damaged.
    #[error("the calibration image {path} can no longer be read: {source}; put it back, or train again", path = path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A calibration image can't be scored.
    #[error("the calibration image {path} can't be judged: {source}; put the original back, or train again", path = path.display())]
    Judge {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: Fault,
    },
    /// No calibration images.
    #[error("there are no calibration images; train again")]
    NoCalibration,
    /// The scores are clipped, or the model is blind.
    #[error(
        "nearly all of the {0} good parts get the same score, so no threshold can be derived; if the model clips its \
         scores, export it without clipping"
    )]
    Constant(u32),
    /// The maps don't tell where a part is unlike good ones.
    #[error(
        "the model has no map that differs from place to place, so another product can't be told from a defect; use another method, or \
         omit --check-product"
    )]
    NoMap,
    /// The quartiles of the normals' maps aren't known.
    #[error(
        "the run doesn't hold what --check-product needs, because an older trainer wrote it; train again, or omit --check-product"
    )]
    NoProductLimit,
    /// A golden frame can't be written as PNG.
    #[error("a golden frame can't be encoded: {0}; train with smaller images")]
    Encode(#[from] EncodeError),
    /// A value doesn't fit the threshold file.
    #[error("the threshold file can't be written: {0}; train again, and report the run if that fails too")]
    Format(#[from] FormatError),
    /// A name is longer than its field in the threshold file.
    #[error("the name `{0}` is too long for the threshold file; choose a shorter one")]
    NameTooLong(String),
    /// The output folder exists and isn't a bundle.
    #[error("{0} exists and is not a bundle; choose another folder, or remove it")]
    Occupied(PathBuf),
    /// The bundle can't be written.
    #[error("can't write the bundle: {0}; check free space and permissions of the output folder")]
    Write(#[from] io::Error),
    /// What the caller adds to the bundle can't be added.
    #[error(transparent)]
    Complete(Box<dyn std::error::Error + Send + Sync>),
}

/// Adds further files to a bundle, such as a signature, in the temporary folder that it is given: the bundle appears with them or not at all.
pub type Complete<'a> = &'a mut dyn FnMut(&Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Judges the calibration normals and writes the bundle to `out` in one step. `progress` is called after each normal.
///
/// # Errors
/// See [`ExportError`]; nothing is left half-written.
pub fn export(
    request: &Export<'_>,
    out: &Path,
    mut progress: impl FnMut(),
) -> Result<Calibration, ExportError> {
    let (scorer, mut image_score) = with_score(request, start(request, out)?, &mut progress)?;
    let mut scorer = scorer.with_image_score(image_score.clone());
    let Size { width, height } = request.recipe.picture();
    let positions = width as usize * height as usize;
    let mut calibrator = Calibrator::new(request.calibration.len(), positions);
    let mut zone_features = vec![];
    for path in request.calibration {
        let (_, scored) = score_file(&mut scorer, path)?;
        calibrator.add(path.display().to_string(), scored.score, &scored.map.judged());
        zone_features.push(vec![scored.zones.map(|zones| zones.features).unwrap_or_default()]);
        progress();
    }
    if let ScoreKind::Zones { zones, normals: [] } = request.score {
        let (fitted, scores) = cross_fit_zones(zones, &zone_features)?;
        image_score = ImageScore::Zones(fitted);
        calibrator = calibrator.rescored(scores.iter().flatten().map(|zones| frame_score(zones)).collect());
    }
    finish(request, scorer, image_score, calibrator, out, &mut |_| Ok(()))
}

/// Returns the requested score, fitted to the normals that are named for it.
fn with_score(
    request: &Export<'_>,
    mut scorer: Scorer,
    progress: &mut impl FnMut(),
) -> Result<(Scorer, ImageScore), ExportError> {
    let image_score = match request.score {
        ScoreKind::Model => ImageScore::Model,
        ScoreKind::Descriptor(normals) => {
            let mut described = Vec::new();
            for path in normals {
                let (_, scored) = score_file(&mut scorer, path)?;
                described.push(features(&scored.map, scored.score));
                progress();
            }
            ImageScore::Descriptor(descriptor::fit(&described)?)
        }
        ScoreKind::Zones { zones, normals } => {
            scorer = scorer.with_image_score(ImageScore::Zones(zones.clone()));
            let mut zone_features = vec![];
            for path in normals {
                let (_, scored) = score_file(&mut scorer, path)?;
                zone_features.push(vec![scored.zones.map(|zones| zones.features).unwrap_or_default()]);
                progress();
            }
            ImageScore::Zones(fit_zones(zones, &zone_features)?)
        }
    };
    Ok((scorer, image_score))
}

/// Writes the bundle of a model whose calibration normals were cross-fitted, see [`Calibrator::cross_fitted`]; `image_score` is how
/// they were scored, whatever `request.score` says. `request.calibration` names one frame of each normal, in the calibrator's order.
/// `complete` is called last, before the bundle appears.
///
/// # Errors
/// See [`ExportError`]; nothing is left half-written.
pub fn export_calibrated(
    request: &Export<'_>,
    image_score: ImageScore,
    calibrator: Calibrator,
    out: &Path,
    complete: Complete<'_>,
) -> Result<Calibration, ExportError> {
    finish(request, start(request, out)?, image_score, calibrator, out, complete)
}

/// Checks everything that can be checked before any frame is judged.
fn start(request: &Export<'_>, out: &Path) -> Result<Scorer, ExportError> {
    check_target(request)?;
    refuse_occupied(out)?;
    Ok(Scorer::new(request.onnx, request.recipe, 1)?)
}

fn check_target(request: &Export<'_>) -> Result<(), ExportError> {
    let stored = request.target_fpr as f32;
    if !(stored > 0.0 && stored < 1.0) {
        return Err(ExportError::Target(request.target_fpr));
    }
    match request.defects.as_ref().and_then(|defects| defects.target_fnr) {
        Some(target) if !(target as f32 > 0.0 && (target as f32) < 1.0) => {
            Err(ExportError::MissTarget(target))
        }
        _ => Ok(()),
    }
}

/// Decodes and scores a file.
///
/// # Errors
/// [`ExportError::Decode`] or [`ExportError::Judge`].
pub fn score_file(scorer: &mut Scorer, path: &Path) -> Result<(Frame, FrameScore), ExportError> {
    let frame = decode_file(path).map_err(|source| ExportError::Decode { path: path.to_owned(), source })?;
    let scored = scorer.score(&frame);
    let scored = scored.map_err(|source| ExportError::Judge { path: path.to_owned(), source })?;
    Ok((frame, scored))
}

fn finish(
    request: &Export<'_>,
    scorer: Scorer,
    image_score: ImageScore,
    calibrator: Calibrator,
    out: &Path,
    complete: Complete<'_>,
) -> Result<Calibration, ExportError> {
    let mut scorer = scorer.with_image_score(image_score.clone());
    let indices = golden_indices(calibrator.scores());
    let rule = match request.rule {
        ThresholdRule::Auto if request.require_claim => ThresholdRule::Claim,
        rule => rule,
    };
    let mut calibration = calibrator.finish(request.target_fpr, rule).ok_or(ExportError::NoCalibration)?;
    let normals = calibration.evidence.normals;
    calibration.count_left_out(request.left_out.among(normals));
    if request.require_claim && !calibration.reaches_target {
        return Err(ExportError::Claim(claim(&calibration)));
    }
    let scores = &calibration.evidence.scores;
    if normals >= SPREAD_FROM && scores.q05 >= scores.q95 {
        return Err(ExportError::Constant(normals));
    }
    let defects = taught_defects(request, &calibration)?;
    let golden = match &defects {
        // The joint score exists only now.
        Some(defects) => {
            let (defects, options) = (Some(defects.clone()), Options { threads: 1, ..Options::default() });
            let mut joint = Scorer::taught(request.onnx, request.recipe, defects, options)?;
            golden_frames(request, &mut joint, &indices)?
        }
        None => golden_frames(request, &mut scorer, &indices)?,
    };
    let product_limit = if request.check_product {
        if golden.iter().all(|golden| golden.is_uniform) {
            return Err(ExportError::NoMap);
        }
        Some(calibration.product_limit.ok_or(ExportError::NoProductLimit)?)
    } else {
        None
    };
    let thresholds = threshold_file(request, image_score, &calibration, product_limit, &golden, defects)?;
    write(out, request, &thresholds, &golden, complete)?;
    Ok(calibration)
}

/// A golden frame.
struct GoldenFrame {
    file: String,
    png: Vec<u8>,
    score: f32,
    /// Whether its anomaly map has the same value everywhere.
    is_uniform: bool,
}

/// Returns the indices of the lowest, the median and the highest score.
fn golden_indices(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let last = order.len().saturating_sub(1);
    let mut indices: Vec<usize> = (0..GOLDEN_FRAMES).map(|i| i * last / (GOLDEN_FRAMES - 1)).collect();
    indices.dedup();
    indices.into_iter().filter_map(|index| order.get(index).copied()).collect()
}

/// Decodes each golden frame once for both its score and its PNG, so that they match. The choice is known only after all
/// frames were judged, and keeping them all until then would take gigabytes.
fn golden_frames(
    request: &Export<'_>,
    scorer: &mut Scorer,
    indices: &[usize],
) -> Result<Vec<GoldenFrame>, ExportError> {
    let mut frames = Vec::new();
    for path in indices.iter().filter_map(|&index| request.calibration.get(index)) {
        let (frame, scored) = score_file(scorer, path)?;
        let map = scored.map.judged();
        frames.push(GoldenFrame {
            file: format!("normal-{}.png", frames.len() + 1),
            png: encode_png(&frame)?,
            score: scored.score,
            is_uniform: map.iter().all(|value| Some(value) == map.first()),
        });
    }
    Ok(frames)
}

fn threshold_file(
    request: &Export<'_>,
    image_score: ImageScore,
    calibration: &Calibration,
    product_limit: Option<f32>,
    golden: &[GoldenFrame],
    defects: Option<TaughtDefects>,
) -> Result<ThresholdFile, ExportError> {
    Ok(ThresholdFile {
        producer: field(concat!("nominal ", env!("CARGO_PKG_VERSION")))?,
        method: field(request.method)?,
        teacher: field(request.teacher)?,
        model_sha256: file_sha256(request.onnx),
        recipe: request.recipe,
        arithmetic: Arithmetic::default(),
        image_score,
        image_threshold: calibration.image_threshold,
        pixel_threshold: calibration.pixel_threshold,
        score_tolerance: calibration.score_tolerance,
        evidence: calibration.evidence,
        golden: golden
            .iter()
            .map(|golden| Ok(Golden { file: field(&golden.file)?, score: golden.score }))
            .collect::<Result<_, ExportError>>()?,
        product_limit,
        defects,
    })
}

/// Returns what the threshold file says of taught defects, with the misses at these thresholds.
fn taught_defects(
    request: &Export<'_>,
    calibration: &Calibration,
) -> Result<Option<TaughtDefects>, ExportError> {
    let (Some(defects), Some(joint)) = (&request.defects, calibration.joint) else { return Ok(None) };
    let kind = |(index, name): (usize, &String)| -> Result<DefectKind, ExportError> {
        let of_kind = || defects.examples.iter().filter(|(kind, ..)| *kind == index);
        let passes = |(_, score, likeness): &&(usize, f32, f32)| {
            joint.joint(*score, *likeness) <= calibration.image_threshold
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(DefectKind {
            name: field(name)?,
            taught: count(of_kind().count()),
            missed: count(of_kind().filter(passes).count()),
        })
    };
    Ok(Some(TaughtDefects {
        scale: joint.scale,
        offset: joint.offset,
        target_fnr: defects.target_fnr.map(|target| target as f32),
        kinds: defects.kinds.iter().enumerate().map(kind).collect::<Result<_, _>>()?,
    }))
}

fn field<const N: usize>(text: &str) -> Result<heapless::String<N>, ExportError> {
    text.try_into().map_err(|_| ExportError::NameTooLong(text.to_owned()))
}

fn write(
    out: &Path,
    request: &Export<'_>,
    thresholds: &ThresholdFile,
    golden: &[GoldenFrame],
    complete: Complete<'_>,
) -> Result<(), ExportError> {
    let mut buffer = [0; MAX_LEN];
    let encoded = thresholds.encode(&mut buffer)?;
    write_folder(out, |folder| {
        write_synced(&folder.join(MODEL_FILE), request.onnx)?;
        write_synced(&folder.join(THRESHOLD_FILE), encoded)?;
        if !request.left_out.suspects.is_empty() {
            write_synced(&folder.join(LEFT_OUT_FILE), &encode(request.left_out.suspects)?)?;
        }
        std::fs::create_dir(folder.join(GOLDEN_FOLDER))?;
        for GoldenFrame { file, png, .. } in golden {
            write_synced(&folder.join(GOLDEN_FOLDER).join(file), png)?;
        }
        sync_folder(&folder.join(GOLDEN_FOLDER))?;
        complete(folder).map_err(ExportError::Complete)
    })
}

/// Refuses to replace anything but a bundle or an empty folder: a mistyped `--out` must not cost someone's photos.
fn refuse_occupied(out: &Path) -> Result<(), ExportError> {
    let replaceable = out.file_name().is_some()
        && match std::fs::read_dir(out) {
            Ok(mut entries) => out.join(THRESHOLD_FILE).is_file() || entries.next().is_none(),
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
    if replaceable { Ok(()) } else { Err(ExportError::Occupied(out.to_owned())) }
}
