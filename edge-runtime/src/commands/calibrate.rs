//! `calibrate`: recalibrates a product's threshold from good parts.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundle::recalibrate::replace_thresholds;
use bundle::{Calibration, ThresholdRule, claim_with_threshold, highest, outlier_warning, suspects_warning};
use judge::{Engine, Judge};
use shared_format::{Arithmetic, ThresholdFile};
use signing::unverified;

use crate::calibration::{
    ArithmeticChange, ArithmeticComparison, CameraParts, FolderParts, Options, PartSource, arithmetic_name,
    calibrate,
};
use crate::commands::outcome::CommandOutcome;
use crate::files::bundles;
use crate::line_file::{LineFile, Product};
use crate::report::significant;
use crate::trust::{BoardSigner, LineTrust, describe};

/// Arguments of `calibrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file; its votes decide how the frames of a part are combined.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// The product whose bundle gets the new threshold; by default, the line's first.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Good parts that were not used in training: one image per part or, if several frames of a part vote, one folder per part
    /// or files named as `collect` names them. Without it, parts are taken with the line's camera and trigger.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Maximum number of parts to judge.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    parts: u32,
    /// Share of good parts that may be rejected.
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// How to find the threshold. `claim` takes the score that as many good parts exceed as the target allows or, with too few
    /// parts, the largest score. `estimate` uses all large scores, so that no single odd photo decides, but the share of rejected
    /// good parts is not bounded. `auto` is `claim` if there are enough parts for it not to
    /// hang on a few of them, else `estimate`.
    #[arg(long, value_name = "RULE", default_value_t = ThresholdRule::Auto)]
    threshold: ThresholdRule,
    /// The arithmetic the network uses from now on; unchanged by default. Thresholds are valid for one arithmetic only.
    #[arg(long, value_enum, value_name = "FLOATS")]
    arithmetic: Option<ArithmeticChoice>,
}

/// The arithmetic of a bundle's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ArithmeticChoice {
    /// 32-bit floats, as in every new bundle.
    F32,
    /// 16-bit floats in EfficientNet-Lite's inverted bottlenecks, 32-bit floats in everything else; for processors with 16-bit
    /// arithmetic (Raspberry Pi 5, Jetson Orin).
    F16,
    /// The faster of the two on this machine, as measured.
    Auto,
}

/// Judges good parts with the product's bundle and writes the new thresholds into it, keeping the old threshold file.
///
/// # Errors
/// If the line file, the bundle or the folder can't be used, no usable part is left, or the thresholds can't be written. The
/// bundle is then unchanged.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let stored = args.target_fpr as f32;
    if !(stored > 0.0 && stored < 1.0) {
        bail!(
            "--target-fpr {} is not between 0 and 1; 0.01 means that one good part in a hundred may be rejected",
            args.target_fpr
        );
    }
    let line = LineFile::load(&args.line)?;
    let product = product(&line, args.product.as_deref())?;
    let trust = LineTrust::of(&line)?;
    let signer = BoardSigner::trusted(&line, &trust)?;
    if signer.is_some() {
        // What can't be signed is better known before anyone shows three hundred parts.
        signing::folder::list(&product.bundle)?;
    }
    let (mut judge, signed) = trust.open(Engine::Kernels, product, line.threads.into())?;
    if let Some(signed) = &signed {
        let _ = writeln!(std::io::stderr(), "the bundle is {}", describe(signed));
    }
    bundles::check_first_golden(&mut judge)?;
    let folder = args.from.as_deref().map(FolderParts::open).transpose()?;
    if let (Some(folder), Some(parts)) = (&args.from, &folder)
        && let Some(line) = parts.unused().line(folder)
    {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    let (mut judge, change) = with_arithmetic(judge, args.arithmetic, line.threads.into())?;
    bundles::warn_of_emulation(&mut judge);
    let mut source: Box<dyn PartSource> = match folder {
        Some(folder) => Box::new(folder),
        None => Box::new(CameraParts::open(&line, judge.bundle().thresholds.recipe.roi)?),
    };
    let mut skipped = 0;
    let options = Options {
        frames: line.votes.frames,
        votes: line.vote_count(&bundles::zone_levels(&judge))?,
        parts: args.parts,
        target_fpr: args.target_fpr,
        rule: args.threshold,
    };
    let calibration = calibrate(source.as_mut(), &mut judge, &options, |name, reason| {
        skipped += 1;
        let _ = writeln!(std::io::stderr(), "skipped {name}: {reason}");
    })?;
    for warning in source.warnings() {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    let old = &judge.bundle().thresholds;
    let thresholds = new_threshold_file(old, &calibration, change)?;
    let kept = match &signer {
        Some(signer) => {
            let change = |copy: &Path| Ok(replace_thresholds(copy, &thresholds)?);
            let (kept, serial) = signer.replace(&product.bundle, &product.name, &trust, change)?;
            let _ = writeln!(std::io::stderr(), "signed by {}, serial number {serial}", signer.public());
            product.bundle.join(kept.file_name().unwrap_or_default())
        }
        None => {
            let kept = replace_thresholds(&product.bundle, &thresholds)?;
            if unverified(&product.bundle).is_some() {
                let _ = writeln!(
                    std::io::stderr(),
                    "warning: the bundle's signature no longer holds; sign it again with `trainer sign`, or give signing.board_key in \
                     the line file"
                );
            }
            kept
        }
    };
    let mut out = std::io::stdout().lock();
    let normals = calibration.evidence.normals;
    writeln!(out, "{}: {normals} judged, {skipped} skipped", product.name)?;
    write_change(&calibration, old, &mut out)?;
    writeln!(
        out,
        "the old file is kept as {}; a running line uses the new one from its next start",
        kept.display()
    )?;
    Ok(CommandOutcome::Success)
}

/// Returns the product with this name, or the line's first.
///
/// # Errors
/// If the line has no such product.
pub(super) fn product<'l>(line: &'l LineFile, name: Option<&str>) -> Result<&'l Product> {
    let index = match name {
        Some(name) => line.product_named(name),
        None => Some(0),
    };
    index.and_then(|index| line.products.get(index)).with_context(|| {
        let known: Vec<&str> = line.products.iter().map(|product| product.name.as_str()).collect();
        format!("the line has no such product; give one of {}", known.join(", "))
    })
}

/// Returns the judge with the wanted arithmetic, and the change if the arithmetic is a new one.
fn with_arithmetic(
    old: Judge,
    wanted: Option<ArithmeticChoice>,
    threads: usize,
) -> Result<(Judge, Option<ArithmeticChange>)> {
    let before = old.bundle().thresholds.arithmetic;
    let same = match wanted {
        None => true,
        Some(ArithmeticChoice::F32) => before == Arithmetic::Single,
        Some(ArithmeticChoice::F16) => before == Arithmetic::Half,
        Some(ArithmeticChoice::Auto) => false,
    };
    if same {
        return Ok((old, None));
    }
    let is_auto = wanted == Some(ArithmeticChoice::Auto);
    if is_auto && judge::check_arithmetic(Arithmetic::Half).is_err() {
        return Ok((old, None));
    }
    let mut both = ArithmeticComparison::new(old, threads)?;
    if is_auto && (!both.differ() || both.is_new_emulated()) {
        return Ok((both.into_old(), None));
    }
    if wanted == Some(ArithmeticChoice::F16) && !both.differ() {
        bail!(
            "nothing in this model is computed with 16-bit floats, which only EfficientNet-Lite's inverted bottlenecks use; \
             calibrate without --arithmetic f16"
        );
    }
    let mut err = std::io::stderr();
    match both.compare() {
        Ok(change) => {
            let takes = !is_auto || change.is_faster();
            let taken = if takes { change.arithmetic } else { before };
            let _ = writeln!(err, "{}: {} from now on", change.describe(), arithmetic_name(taken));
            Ok(if takes { (both.into_new(), Some(change)) } else { (both.into_old(), None) })
        }
        Err(reason) if is_auto => {
            let _ = writeln!(err, "{:#}: keeping {}", anyhow::Error::from(reason), arithmetic_name(before));
            Ok((both.into_old(), None))
        }
        Err(reason) => Err(reason.into()),
    }
}

/// Makes the new threshold file. It keeps the golden frames and their tolerance; with another arithmetic they are rescored.
fn new_threshold_file(
    old: &ThresholdFile,
    calibration: &Calibration,
    change: Option<ArithmeticChange>,
) -> Result<ThresholdFile> {
    let (arithmetic, golden) = match change {
        Some(change) => (change.arithmetic, change.golden.into_iter().collect()),
        None => (old.arithmetic, old.golden.clone()),
    };
    let producer = concat!("nominal ", env!("CARGO_PKG_VERSION"));
    Ok(ThresholdFile {
        producer: producer
            .try_into()
            .ok()
            .context("this program's version is too long for a threshold file")?,
        image_threshold: calibration.image_threshold,
        pixel_threshold: calibration.pixel_threshold,
        evidence: calibration.evidence,
        arithmetic,
        golden,
        product_limit: old.product_limit.and(calibration.product_limit),
        ..old.clone()
    })
}

fn write_change(new: &Calibration, old: &ThresholdFile, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", claim_with_threshold(new))?;
    let scores = &new.evidence.scores;
    for (name, before, now) in [
        ("threshold", old.image_threshold, new.image_threshold),
        ("pixel threshold", old.pixel_threshold, new.pixel_threshold),
        ("median of good parts", old.evidence.scores.q50, scores.q50),
        ("largest of good parts", old.evidence.scores.max, scores.max),
    ] {
        writeln!(out, "{name:<21}  {:>10}, before {:>10}", significant(now), significant(before))?;
    }
    writeln!(out, "{}", highest(new))?;
    let advice = "remove those that aren't good parts and calibrate again";
    if let Some(warning) = suspects_warning(&new.suspects, new.evidence.normals as usize, advice) {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    if let Some(warning) = outlier_warning(new, "calibrate again") {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    Ok(())
}
