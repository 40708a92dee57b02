//! `inspect`: judges image files.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use judge::decode_file_within;
use shared_format::Arithmetic;

use super::engine::EngineChoice;
use super::trusted;
use crate::commands::outcome::{CommandOutcome, VerdictTally};
use crate::files::overlays::Overlays;
use crate::files::{bundles, images};
use crate::report::FrameReport;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle folder that the trainer wrote.
    #[arg(long, value_name = "FOLDER")]
    bundle: PathBuf,
    /// A line file: the bundle must be one that this line would run.
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
    /// Image files, folders (searched recursively) or patterns such as 'shots/*.png'.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object per line instead of aligned text.
    #[arg(long)]
    json: bool,
    /// Write an overlay of the evidence for each frame into this folder.
    #[arg(long, value_name = "FOLDER")]
    overlay: Option<PathBuf>,
    /// Threads for the network.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// The engine that runs the network.
    #[arg(long, value_enum, default_value_t)]
    engine: EngineChoice,
}

/// Judges the frames in turn, prints one line each, and summarizes the verdicts on standard error.
///
/// # Errors
/// Before the first frame, if the bundle, the paths or the overlay folder can't be used; later, if a line or an overlay can't
/// be written. A frame that can't be judged is a fault, not an error.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let images::ImageListing { paths: images, unused } = images::collect(&args.paths)?;
    let mut overlays = args.overlay.as_deref().map(Overlays::open).transpose()?;
    let (mut judge, signature) =
        trusted::open(args.engine.into(), &args.bundle, args.line.as_deref(), args.threads.into())?;
    if let Some(signature) = signature {
        let _ = writeln!(std::io::stderr(), "signature: {signature}");
    }
    bundles::warn_of_emulation(&mut judge);
    if args.engine == EngineChoice::Plain && judge.bundle().thresholds.arithmetic == Arithmetic::Half {
        bail!(
            "the bundle's thresholds are for 16-bit floats, but tract alone computes with 32-bit floats; omit --engine plain"
        );
    }
    bundles::check_first_golden(&mut judge)?;
    let mut out = std::io::stdout().lock();
    let mut tally = VerdictTally::default();
    let max_size = judge.bundle().thresholds.recipe.frames.max_admitted();
    for path in &images {
        let (frame, judgement) = judge.judge_from(|| decode_file_within(path, max_size));
        tally.count(judgement.verdict);
        let report = FrameReport::new(path, &judgement);
        if args.json {
            report.write_json(&mut out)?;
        } else {
            report.write_text(&mut out)?;
        }
        if let (Some(overlays), Some(frame)) = (&mut overlays, &frame) {
            overlays.write(path, frame, &judgement, &judge.bundle().thresholds)?;
        }
    }
    out.flush()?;
    let mut err = std::io::stderr();
    if !unused.is_empty() {
        let _ = writeln!(err, "not used: {unused}");
    }
    let _ = writeln!(err, "{tally}");
    Ok(tally.outcome())
}
