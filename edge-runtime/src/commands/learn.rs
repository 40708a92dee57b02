//! `learn`: makes a product's next bundle from the decisions on its records.
//!
//! False alarms are learned as good parts, and defects as taught defects, if the bundle's method and settings allow that. All of them show
//! whether the next bundle is as strict.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bundle::{
    Suspect, ThresholdRule, claim_with_threshold, frame_score, highest, left_out_of, miss_rate,
    outlier_warning,
};
use judge::{Bundle, Engine, Judge};
use methods::cross_fit::CrossFitError;
use methods::taught_defects::Examples;
use methods::teach::{TeachError, TeachRequest, TeachResult, teach};
use methods::{DynMethod, Flip};
use shared_format::{Arithmetic, Sample, ThresholdFile, Zones};

use super::{calibrate, review, teach as teach_command};
use crate::clock::WallTime;
use crate::commands::outcome::CommandOutcome;
use crate::files::bundles;
use crate::learning::{
    BundlePlace, Comparison, Decisions, LearnError, LearnReport, Learned, Lesson, Material, give_way,
    refusals, write_known_defects,
};
use crate::line_file::{LineFile, Product};
use crate::report::significant;
use crate::trust::{BoardSigner, LineTrust, describe};

/// Maximum number of parts that are named for one reason.
const MAX_LISTED: usize = 10;

/// Arguments of `learn`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file, with whose records and votes is learned.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// The product whose bundle is made; by default, the line's first.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Put the next bundle in the place of the one in use, unless defects that are rejected now would pass or it would claim
    /// less. Without this, only what would change is shown.
    #[arg(long, conflicts_with = "roll_back")]
    apply: bool,
    /// With --apply: put it in place even so.
    #[arg(long, requires = "apply")]
    force: bool,
    /// Put the bundle back that the one in use has replaced.
    #[arg(long)]
    roll_back: bool,
    /// Learn from the photos alone, as if the bundle were taught anew: not from records that were marked as false alarms.
    #[arg(long, requires = "photos")]
    anew: bool,
    /// The photos of good parts to learn from; by default, those that the bundle in use was taught with.
    #[arg(long, value_name = "FOLDER")]
    photos: Option<PathBuf>,
    /// The teacher: its name, or its .safetensors file; by default, that of the bundle in use.
    #[arg(long)]
    teacher: Option<String>,
    /// Share of good parts that may be rejected; by default, as for the bundle in use.
    #[arg(long)]
    target_fpr: Option<f64>,
    /// How to find the threshold: auto, claim or estimate; by default, as for the bundle in use.
    #[arg(long, value_name = "RULE")]
    threshold: Option<ThresholdRule>,
    /// Also write what comes of it to this file, as JSON for programs.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Give way to all other programs, use one thread, and end with the program that started this one.
    #[arg(long)]
    background: bool,
}

/// Makes the next bundle, judges all decided records with it and the one in use, and says what changes. With `--apply` it
/// is then put in place.
///
/// # Errors
/// If the line file, the records, the photos or the teacher can't be used, or nothing was decided. The bundle in use is
/// then unchanged. A refusal is no error, but the outcome is.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    if args.background {
        give_way();
    }
    let mut told = LearnReport::default();
    let outcome = learn(args, &mut told);
    if let Some(path) = &args.report {
        told.error = outcome.as_ref().err().map(|e| format!("{e:#}"));
        told.write(path)
            .with_context(|| format!("cannot write {}; check space and permissions", path.display()))?;
    }
    outcome
}

fn learn(args: &Args, told: &mut LearnReport) -> Result<CommandOutcome> {
    let line = LineFile::load(&args.line)?;
    let product = calibrate::product(&line, args.product.as_deref())?;
    let place = BundlePlace::lock(&product.bundle)?;
    if args.roll_back {
        let outcome = roll_back(&place, &line, product);
        told.applied = outcome.is_ok();
        return outcome;
    }
    let trust = LineTrust::of(&line)?;
    let signer = if args.apply { BoardSigner::trusted(&line, &trust)? } else { None };
    let started = Instant::now();
    let threads = if args.background { 1 } else { line.threads.into() };
    let (decisions, defects) = decisions(&line, product, args.anew)?;
    let (mut old, signed) = trust.open(Engine::Kernels, product, threads)?;
    if let Some(signed) = &signed {
        print_line(&format!("the bundle in use is {}", describe(signed)));
    }
    bundles::check_first_golden(&mut old)?;
    let replaces = place.identity()?;
    let task = Task::new(args, product, old.bundle())?;
    let suspects = left_out_of(old.bundle()).with_context(|| {
        format!("the record of photos that {} was not taught with can't be read", product.bundle.display())
    })?;
    let mut material = Material::gather(
        &task.lesson.photos(),
        line.votes.frames,
        if args.anew { &[] } else { &decisions.false_alarms },
        old.bundle().thresholds.recipe,
    )?;
    let suspects = if args.anew { vec![] } else { suspects };
    material.leave_out(&suspects);
    list("skipped", &material.skipped);
    let in_use = &old.bundle().thresholds;
    let result =
        task.teach((&line, threads), &material, (in_use, &suspects, defects.as_deref()), &place.next())?;
    let mut lesson = task.lesson.clone();
    let false_alarms = material.false_alarms.iter().map(|record| record.name.to_string()).collect();
    lesson.learned = Some(Learned { replaces: replaces.clone(), at: WallTime::now(), false_alarms });
    lesson.write(&place.next()).context("cannot write the lesson; check free space")?;
    let mut new = Judge::open(&place.next(), threads).map_err(LearnError::from)?;
    if !new.check_golden().map_err(LearnError::from)?.iter().all(|golden| golden.within) {
        return Err(LearnError::Golden.into());
    }
    let comparison = Comparison::new(&decisions, &material, &result.scores, &mut old, &mut new);
    list("not judged", &comparison.skipped);
    let before = &old.bundle().thresholds;
    report(&material, &result, &comparison, before, told)?;
    miss_rate::describe(&new.bundle().thresholds).iter().for_each(|line| print_line(line));
    let refusals = refusals(&comparison, before, &result.calibration, task.rule);
    told.refusals = refusals.iter().map(ToString::to_string).collect();
    for refusal in &refusals {
        print_line(&format!("refused: {refusal}"));
    }
    warn_of_losses(before, told);
    let seconds = started.elapsed().as_secs_f64();
    told.seconds = seconds;
    let mut out = std::io::stdout().lock();
    if !refusals.is_empty() && !args.force {
        writeln!(out, "{}: kept as it is; learned in {seconds:.0} s", product.bundle.display())?;
        return Ok(CommandOutcome::Error);
    }
    if !args.apply {
        writeln!(
            out,
            "{}: not changed yet; --apply puts the next bundle in place ({seconds:.0} s)",
            product.bundle.display()
        )?;
        return Ok(CommandOutcome::Success);
    }
    if let Some(signer) = &signer {
        let serial = signer.sign(&place.next(), &product.bundle, Some(&product.name), &trust)?;
        print_line(&format!("signed by {}, serial number {serial}", signer.public()));
    }
    place.switch(&replaces)?;
    told.applied = true;
    writeln!(
        out,
        "{}: replaced, in {seconds:.0} s; a running line uses it from its next start, and --roll-back puts the old one back",
        product.bundle.display()
    )?;
    Ok(CommandOutcome::Success)
}

/// Puts the earlier bundle back. Who can write the bundles may do so: its serial number is the highest from now on.
fn roll_back(place: &BundlePlace, line: &LineFile, product: &Product) -> Result<CommandOutcome> {
    place.check_earlier()?;
    let trust = LineTrust::of(line)?;
    // Without a product, its serial number may be lower than the one in use.
    let signed = trust.verify(&place.beside(), product.bundle.file_name(), None)?;
    // First, so that a power cut in between leaves a line that starts: the bundle in use only raises the number again.
    trust.remember(&[(&product.name, signed.as_ref())])?;
    place.roll_back()?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: the earlier bundle is back; a running line uses it from its next start",
        product.bundle.display()
    )?;
    Ok(CommandOutcome::Success)
}

/// Returns the decisions on a product's records, and the folder with the photos of its defects, if there are any.
fn decisions(line: &LineFile, product: &Product, anew: bool) -> Result<(Decisions, Option<PathBuf>)> {
    let review = review::of_line(line)?;
    let decisions = Decisions::of(&review, &product.name, |view| !product.views.contains_key(view))?;
    list("skipped", &decisions.skipped);
    let count =
        |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    print_line(&format!(
        "{}: {}, {}, {} unsure",
        product.name,
        count(decisions.false_alarms.len(), "false alarm", "false alarms"),
        count(decisions.defects.len(), "defect", "defects"),
        decisions.unsure.len()
    ));
    let defects = write_known_defects(review.folder(), &product.name, &decisions.defects)?;
    if let Some(folder) = &defects {
        print_line(&format!("the photos of the defects are in {}, one folder per kind", folder.display()));
    }
    if decisions.false_alarms.is_empty() && !anew {
        bail!(
            "no record of {} is marked as a false alarm, and only from those are good parts learned; mark some with \
             `edge-runtime review mark false-alarm`",
            product.name
        );
    }
    Ok((decisions, defects))
}

/// What is taught, and how.
struct Task {
    /// As the bundle in use was taught, with the changes of the command line.
    lesson: Lesson,
    method: Box<dyn DynMethod>,
    teacher: networks::teacher::Teacher,
    rule: ThresholdRule,
    target_fpr: f64,
}

impl Task {
    fn new(args: &Args, product: &Product, bundle: &Bundle) -> Result<Self> {
        let old = &bundle.thresholds;
        let name = old.method.as_str();
        let entry = methods::by_name(name).ok_or_else(|| LearnError::Method(name.to_owned()))?;
        let recorded = Lesson::of(bundle)?;
        if recorded.is_none() && args.photos.is_none() {
            return Err(LearnError::NoLesson { bundle: product.bundle.clone() }.into());
        }
        let method = match &recorded {
            Some(lesson) => entry.recorded(lesson.options.clone()).map_err(LearnError::Options)?,
            None => {
                print_line(&format!(
                    "warning: the bundle doesn't record how it was taught; the default options of {name} are used"
                ));
                entry.defaults()
            }
        };
        let teacher = args.teacher.clone();
        let teacher = teacher.or_else(|| recorded.as_ref().map(|lesson| lesson.teacher.clone()));
        let teacher_name = teacher.unwrap_or_else(|| old.teacher.as_str().to_owned());
        let flip = recorded.as_ref().map_or(Flip::None, |lesson| lesson.flip);
        let rule = args.threshold.or_else(|| recorded.as_ref().map(Lesson::rule)).unwrap_or_default();
        let photos =
            args.photos.clone().or_else(|| recorded.as_ref().map(Lesson::photos)).unwrap_or_default();
        let lesson = Lesson::new(method.as_ref(), flip, rule, &teacher_name, &photos)?;
        let teacher = teach_command::teacher(&teacher_name)?;
        // The file holds 32-bit floats, whose shortest decimal is what was once given.
        let stored = old.evidence.target_fpr.to_string().parse();
        let target_fpr = args.target_fpr.or_else(|| stored.ok()).unwrap_or(0.01);
        Ok(Self { lesson, method, teacher, rule, target_fpr })
    }

    /// Makes the bundle, with the zones and the check for another product that the one in use has, and again without the photos
    /// that were left out of it. Defects in a folder are taught, if that is possible with these settings.
    fn teach(
        &self,
        (line, threads): (&LineFile, usize),
        material: &Material,
        (old, suspects, defects): (&ThresholdFile, &[Suspect], Option<&Path>),
        out: &Path,
    ) -> Result<TeachResult> {
        let zones = old.image_score.zones();
        let levels: Vec<u8> = zones.into_iter().flat_map(Zones::levels).collect();
        let count = line.vote_count(&levels)?;
        let frames = material.parts.concat();
        let examples =
            defects.map(|folder| Examples::find(folder, &frames, material.recipe.roi)).transpose()?;
        let target_fnr = old.defects.as_ref().and_then(|defects| defects.target_fnr).map(f64::from);
        let request = TeachRequest {
            teacher: &self.teacher,
            recipe: material.recipe,
            zones,
            defects: examples.as_ref().map(|examples| (examples, target_fnr)),
            flip: self.lesson.flip,
            parts: &material.parts,
            method: self.method.as_ref(),
            target_fpr: self.target_fpr,
            rule: self.rule,
            check_product: old.product_limit.is_some(),
            left_out: suspects,
            seed: 0,
            threads,
        };
        // A record keeps one frame of its part, the one with the highest score; it stands for the part.
        let decide = |frames: &[Vec<f32>]| match frames {
            [zones] => Some(frame_score(zones)),
            frames => count.deciding_score(frames),
        };
        match teach(&request, &decide, out, &mut || true) {
            Err(TeachError::Fit(CrossFitError::Defects(reason))) => {
                print_line(&format!("warning: the defects are not learned from: {reason}"));
                let request = TeachRequest { defects: None, ..request };
                Ok(teach(&request, &decide, out, &mut || true)?)
            }
            taught => Ok(taught?),
        }
    }
}

fn report(
    material: &Material,
    result: &TeachResult,
    comparison: &Comparison,
    before: &ThresholdFile,
    told: &mut LearnReport,
) -> Result<()> {
    let outliers: Vec<String> =
        result.outliers.iter().map(|path| material.name_of(&path.display().to_string())).collect();
    list("looks unlike the other parts, check that it is a good one:", &outliers);
    let mut calibration = result.calibration.clone();
    for (name, _) in &mut calibration.highest {
        *name = material.name_of(name);
    }
    let calibration = &calibration;
    if let Some(warning) = outlier_warning(calibration, "learn again") {
        print_line(&format!("warning: {warning}"));
        told.warnings.push(warning);
    }
    let unlike = outliers
        .into_iter()
        .chain(calibration.suspects.iter().map(|suspect| material.name_of(&suspect.name)));
    let file_name = |name: String| {
        Path::new(&name).file_name().map_or(name.clone(), |name| name.to_string_lossy().into())
    };
    let unlike: BTreeSet<String> = unlike.map(file_name).collect();
    told.suspects = unlike.into_iter().collect();
    told.parts = material.parts.len();
    told.learned_false_alarms = material.false_alarms.len();
    told.threshold = Some(calibration.image_threshold);
    told.threshold_before = Some(before.image_threshold);
    told.claim = claim_with_threshold(calibration);
    told.compare(comparison);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} parts: {} from photos, {} false alarms",
        material.parts.len(),
        material.photos(),
        material.false_alarms.len()
    )?;
    writeln!(out, "{}", claim_with_threshold(calibration))?;
    writeln!(out, "{}", highest(calibration))?;
    writeln!(
        out,
        "threshold {}, before {}",
        significant(calibration.image_threshold),
        significant(before.image_threshold)
    )?;
    writeln!(out, "{}", comparison.sentence())?;
    let mut remaining = 0;
    let mut lowest = f32::INFINITY;
    for escape in comparison.remaining_escapes() {
        remaining += 1;
        lowest = lowest.min(escape.after.score);
    }
    if remaining > 0 {
        let rejected = result.scores.iter().filter(|score| **score >= lowest).count();
        writeln!(
            out,
            "{remaining} of the defects that pass now would still pass, and a threshold low enough to reject them would reject \
             {rejected} of {} good parts",
            result.scores.len()
        )?;
    }
    Ok(())
}

/// Warns of what the bundle in use has and the next one lacks.
fn warn_of_losses(before: &ThresholdFile, told: &mut LearnReport) {
    let mut warn = |text: &str| {
        print_line(&format!("warning: {text}"));
        told.warnings.push(text.to_owned());
    };
    if before.evidence.sample == Sample::HeldOut {
        warn(
            "the claim of the bundle in use is a bound, from parts it wasn't made from; that of the next one is an \
             estimate until `edge-runtime calibrate` has judged new good parts with it",
        );
    }
    if before.arithmetic == Arithmetic::Half {
        warn(
            "the bundle in use computes with 16-bit floats, the next one with 32-bit floats; to change that, run \
             `edge-runtime calibrate --arithmetic auto` once it is in place",
        );
    }
}

fn list(what: &str, items: &[String]) {
    for item in items.iter().take(MAX_LISTED) {
        print_line(&format!("{what} {item}"));
    }
    if let Some(more) = items.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        print_line(&format!("{what} {more} more"));
    }
}

/// Prints to standard error; it doesn't matter if that is closed.
fn print_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
