//! `trainer export`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bundle::{Export, LeftOut, ScoreKind, ThresholdRule, export, export_calibrated};

use super::thresholds;
use crate::run::{Run, RunSettings};
use crate::{progress, registry};

/// Write a bundle for the device: ONNX model, thresholds, golden frames.
///
/// The calibration images are judged by the same code that runs on the line. The threshold is the score that at most
/// the target share of good parts exceeds, as far as the number of calibration images supports such a claim.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A finished training run
    run: PathBuf,
    /// Folder for the bundle; an existing bundle there is replaced in one step
    #[arg(long)]
    out: PathBuf,
    /// Share of good parts that may be rejected
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// Share of defects that may be missed, for a run with taught defects: says whether they show it, and how many would
    #[arg(long)]
    target_fnr: Option<f64>,
    /// How the threshold is set: claim, the score that only as many good parts exceed as the target allows, or the largest score;
    /// estimate, from all large scores: one odd photo doesn't decide it, but the share of rejected good parts is not bounded; or auto,
    /// claim if there are enough good parts for it not to hang on a few of them, else estimate
    #[arg(long, value_name = "RULE", default_value_t = ThresholdRule::Auto)]
    threshold: ThresholdRule,
    /// How a frame's score is computed
    #[arg(long, value_enum, default_value = "model")]
    image_score: ScoreChoice,
    /// Fail if there are too few calibration images to claim the target
    #[arg(long)]
    require_claim: bool,
    /// A frame that is unlike good parts nearly everywhere is a fault (another product?) and not a reject
    #[arg(long)]
    check_product: bool,
}

/// How a frame's score is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ScoreChoice {
    /// The method's own score
    Model,
    /// How far the map's quantiles are from those of normals (the selection images, or half of the calibration images if the method
    /// learns from the former): for small and diffuse defects
    Descriptor,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let run = Run::open(&args.run)?;
    let settings = &run.settings;
    let method = registry::by_name(&settings.method)
        .with_context(|| format!("this trainer doesn't know the method {}; update it", settings.method))?;
    let onnx = method.onnx(&run)?;
    let calibrator = method.calibrator(&run)?;
    let zones = settings.zones.as_ref();
    if zones.is_some() && args.image_score == ScoreChoice::Descriptor {
        bail!(
            "the run has zones, which have scores of their own; omit --image-score, or train with a mask of black and white only"
        );
    }
    let mut defects = method.defects(&run)?;
    match &mut defects {
        Some(defects) => defects.target_fnr = args.target_fnr,
        None if args.target_fnr.is_some() => bail!(
            "misses can only be counted on known defects, and {} was taught none; give them to `trainer teach-defects`, or omit \
             --target-fnr",
            args.run.display()
        ),
        None => {}
    }
    let (described, calibration) = match args.image_score {
        ScoreChoice::Model if calibrator.is_some() => (vec![], settings.paths(&settings.fit)),
        // The zones of a student are fitted to all images but those for calibration, like the image score in its model.
        ScoreChoice::Model if zones.is_some() => {
            let seen = [&settings.fit[..], &settings.selection[..]].concat();
            (settings.paths(&seen), settings.paths(&settings.calibration))
        }
        ScoreChoice::Model => (vec![], settings.paths(&settings.calibration)),
        ScoreChoice::Descriptor if calibrator.is_some() => bail!(
            "{} has learned from all images, and a descriptor needs unseen ones; omit --image-score: the method's own \
             score also looks for small and diffuse defects",
            settings.method
        ),
        ScoreChoice::Descriptor => split_for_descriptor(settings, method.is_fitted()),
    };
    let score = match (args.image_score, zones) {
        (ScoreChoice::Model, None) => ScoreKind::Model,
        (ScoreChoice::Model, Some(zones)) => ScoreKind::Zones { zones, normals: &described },
        (ScoreChoice::Descriptor, _) => ScoreKind::Descriptor(&described),
    };
    let suspects = settings.left_out();
    let kept = settings.fit.len() + settings.selection.len() + settings.calibration.len();
    let judged = described.len() + calibration.len();
    let bar = progress::bar(judged as u64, "Judging normals");
    let request = Export {
        onnx: &onnx,
        recipe: settings.recipe,
        method: &settings.method,
        teacher: &settings.teacher,
        score,
        calibration: &calibration,
        target_fpr: args.target_fpr,
        rule: args.threshold,
        require_claim: args.require_claim,
        left_out: LeftOut { suspects: &suspects, kept },
        check_product: args.check_product,
        defects,
    };
    let calibrated = match calibrator {
        Some((calibrator, image_score)) => {
            export_calibrated(&request, image_score, calibrator, &args.out, &mut |_| Ok(()))?
        }
        None => export(&request, &args.out, || bar.inc(1))?,
    };
    bar.finish_and_clear();
    thresholds::print(&calibrated, onnx.len(), "train and export again");
    thresholds::print_misses(&args.out)?;
    println!("next: edge-runtime inspect --bundle {} IMAGES…", args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// Returns the images that the descriptor is fitted to, and those for calibration; the method must have learned from neither.
fn split_for_descriptor(settings: &RunSettings, fitted: bool) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let calibration = settings.paths(&settings.calibration);
    if !fitted {
        return (settings.paths(&settings.selection), calibration);
    }
    // A fitted method has learned from the selection images. They are taken alternately, because images are sorted by name,
    // often in the order in which they were taken.
    let half = |odd: usize| calibration.iter().skip(odd).step_by(2).cloned().collect();
    (half(1), half(0))
}
