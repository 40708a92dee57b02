//! `trainer export`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use fit::bundle::{Export, export};
use fit::calibrate::claim;

use crate::run::Run;
use crate::{method, progress};

/// Write a bundle for the device: ONNX model, thresholds, golden frames.
///
/// The calibration images are judged by the very code that runs on the line. The threshold is the score that at most
/// the target share of good parts exceeds, as far as the number of calibration images allows such a claim.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A finished training run
    run: PathBuf,
    /// Folder for the bundle; an older bundle there is replaced in one step
    #[arg(long)]
    out: PathBuf,
    /// Share of good parts that may be rejected
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// Fail where there are too few calibration images to claim the target
    #[arg(long)]
    require_claim: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let run = Run::open(&args.run)?;
    let settings = &run.settings;
    let method = method::by_name(&settings.method)
        .with_context(|| format!("this trainer doesn't know the method {}; update it", settings.method))?;
    let onnx = method.onnx(&run)?;
    let calibration = settings.paths(&settings.calibration);
    let bar = progress::bar(calibration.len() as u64, "Judging normals");
    let request = Export {
        onnx: &onnx,
        recipe: settings.recipe,
        method: &settings.method,
        teacher: &settings.teacher,
        calibration: &calibration,
        target_fpr: args.target_fpr,
        require_claim: args.require_claim,
    };
    let calibrated = export(&request, &args.out, || bar.inc(1))?;
    bar.finish_and_clear();
    let largest = if calibrated.reaches_target { "" } else { ": the threshold is its largest score" };
    println!("{}{largest}", claim(&calibrated));
    println!(
        "threshold {:.4} (normals: median {:.4}, largest {:.4}); model {:.1} MB",
        calibrated.image_threshold,
        calibrated.evidence.scores.q50,
        calibrated.evidence.scores.max,
        onnx.len() as f64 / 1e6
    );
    println!("next: edge-runtime inspect --bundle {} IMAGES…", args.out.display());
    Ok(ExitCode::SUCCESS)
}
