//! `trainer teach-defects`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::train::defects_folder;
use crate::compute::{ComputeRequest, DeviceChoice};
use crate::method::TrainOutcome;
use crate::run::Run;
use crate::{progress, registry};

/// Teach known defects to a finished run.
///
/// Likeness to them becomes a second limit beside the score learned from good parts, under the same budget of false alarms; kinds
/// that weren't taught are found as before. Ten images of a kind are a good start. The run is fitted again to its photos of good
/// parts, which must still be there, and then exported with `trainer export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A finished run of a fitted method, such as the default one
    run: PathBuf,
    /// Folder of known defects, with a subfolder for each kind; with masks of the defects in ground_truth/KIND, boxes in text files
    /// beside the images (as YOLO writes them), or neither
    #[arg(long, value_name = "FOLDER")]
    defects: PathBuf,
    /// Number of threads; all cores by default
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1024))]
    threads: Option<i32>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let mut run = Run::open(&args.run)?;
    let method = registry::by_name(&run.settings.method).with_context(|| {
        format!("this trainer doesn't know the method {}; update it", run.settings.method)
    })?;
    if !method.is_fitted() {
        bail!("{} can't be taught defects; train a run with the default method", method.name());
    }
    let request = ComputeRequest {
        device: DeviceChoice::Auto,
        precision: run.settings.precision,
        threads: args.threads,
    };
    let compute = method.resolve(request)?;
    run.settings.defects = Some(defects_folder(&args.defects)?);
    let out = args.run.display();
    match method.train(&run, &compute)? {
        TrainOutcome::Interrupted { .. } => bail!("stopped; {out} is unchanged"),
        TrainOutcome::Finished { .. } | TrainOutcome::Fitted { .. } => run.save_settings()?,
    }
    println!("next: trainer export {out} --out BUNDLE");
    Ok(ExitCode::SUCCESS)
}
