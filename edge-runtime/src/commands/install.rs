//! `install`: puts a bundle that came from elsewhere in the place of a product's, once it has passed the checks of this machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use judge::{Engine, read_regular_file};

use super::calibrate;
use crate::commands::outcome::CommandOutcome;
use crate::files::bundles::{check_golden, zone_levels};
use crate::learning::{BundlePlace, LearnReport, give_way, identity};
use crate::line_file::{LineFile, Product};
use crate::report::significant;
use crate::trust::{LineTrust, describe};

/// A larger bundle is not copied: the line's disk is its own.
const MAX_BYTES: u64 = 4 << 30;

/// Arguments of `install`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file, whose product gets the bundle.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// The product; by default, the line's first.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// The bundle; by default, the folder of the same name as the product's in the line file's `socket.inbox`.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Also write what comes of it to this file, as JSON for programs.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Give way to all other programs, and end with the program that started this one.
    #[arg(long)]
    background: bool,
}

/// Copies the bundle beside the one in use, verifies whose it is, scores its golden frames, and exchanges the two.
/// `learn --roll-back` undoes that.
///
/// # Errors
/// If the line would refuse the bundle, or it scores its golden frames differently on this machine. The bundle in use is then
/// unchanged.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    if args.background {
        give_way();
    }
    let mut told = LearnReport::default();
    let outcome = install(args, &mut told);
    if let Some(path) = &args.report {
        told.error = outcome.as_ref().err().map(|e| format!("{e:#}"));
        told.write(path)
            .with_context(|| format!("cannot write {}; check space and permissions", path.display()))?;
    }
    outcome
}

fn install(args: &Args, told: &mut LearnReport) -> Result<CommandOutcome> {
    let line = LineFile::load(&args.line)?;
    let product = calibrate::product(&line, args.product.as_deref())?;
    let from = from(args, &line, product)?;
    let place = BundlePlace::lock(&product.bundle)?;
    copy(&from, &place.next())?;
    let trust = LineTrust::of(&line)?;
    let name = product.bundle.file_name();
    let threads = if args.background { 1 } else { line.threads.into() };
    let (mut judge, signed) =
        trust.open_as(Engine::default(), &place.next(), name, Some(&product.name), threads)?;
    line.vote_count(&zone_levels(&judge))?;
    let replaces = place.identity()?;
    let mut out = std::io::stdout().lock();
    if identity(&place.next())? == replaces {
        told.applied = true;
        writeln!(out, "{}: this bundle is in use already", product.bundle.display())?;
        return Ok(CommandOutcome::Success);
    }
    // It is replaced even if it can no longer be read.
    if let Ok((before, _)) = trust.read(&product.bundle, None) {
        let (before, after) = (&before.thresholds, &judge.bundle().thresholds);
        ensure!(
            before.recipe.roi == after.recipe.roi,
            "the bundle judges another region of the frames than the one in use, which needs a restart of the line; deploy it with \
             `cargo xtask deploy`"
        );
        (told.threshold, told.threshold_before) = (Some(after.image_threshold), Some(before.image_threshold));
    }
    let golden = check_golden(&mut judge)?;
    told.golden = golden.iter().map(|golden| (golden.score - golden.expected).abs()).fold(Some(0.0), f32_max);
    if let Some(signed) = &signed {
        told.claim = describe(signed);
        writeln!(out, "{}", told.claim)?;
    }
    drop(judge);
    place.install(&replaces)?;
    told.applied = true;
    writeln!(
        out,
        "{}: replaced, {} golden frames hold to {}; a running line uses it from its next start, and `learn --roll-back` puts the \
         old one back",
        product.bundle.display(),
        golden.len(),
        significant(told.golden.unwrap_or(0.0))
    )?;
    Ok(CommandOutcome::Success)
}

fn f32_max(most: Option<f32>, next: f32) -> Option<f32> {
    most.map(|most| most.max(next))
}

fn from(args: &Args, line: &LineFile, product: &Product) -> Result<PathBuf> {
    if let Some(folder) = &args.from {
        return Ok(folder.clone());
    }
    let inbox = line.socket.as_ref().and_then(|socket| socket.inbox.as_ref());
    let inbox = inbox.context("the line file has no socket.inbox; add it, or give the bundle with --from")?;
    Ok(inbox.join(product.bundle.file_name().unwrap_or_default()))
}

/// Copies a bundle. Whoever filled the inbox may be hostile: no link is followed, no pipe is opened, and nothing is read without end.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut files = signing::folder::list(from)?;
    for name in [signing::MANIFEST_FILE, signing::SIGNATURE_FILE] {
        let path = from.join(name);
        if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            files.insert(name.to_owned(), path);
        }
    }
    let mut left = MAX_BYTES;
    for (name, path) in files {
        let bytes = read_regular_file(&path, left)
            .with_context(|| format!("cannot copy {}; have the bundle sent again", path.display()))?;
        left -= bytes.len() as u64;
        let target = to.join(name);
        let written = target.parent().map_or(Ok(()), std::fs::create_dir_all);
        written
            .and_then(|()| std::fs::write(&target, &bytes))
            .with_context(|| format!("cannot write {}; check free space", target.display()))?;
    }
    Ok(())
}
