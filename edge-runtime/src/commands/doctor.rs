//! `doctor`: checks this machine, and that a bundle scores the same here as where it was made.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use judge::Engine;
use serde::Serialize;
use shared_format::{
    Arithmetic, Colour, Evidence, Motion, Recipe, ReferencePatch, Sample, ThresholdFile, Zones,
};

use super::trusted;
use crate::commands::outcome::CommandOutcome;
use crate::files::bundles::OpenBundleError;
use crate::health::machine::System;
use crate::line_file::LineFile;
use crate::link::socket;
use crate::report::significant;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also check this bundle folder.
    #[arg(long, value_name = "FOLDER")]
    bundle: Option<PathBuf>,
    /// A line file: its end of the gateway's socket is checked, and a bundle must be one that this line would run.
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct DoctorReport {
    ok: bool,
    version: &'static str,
    system: System,
    bundle: Option<BundleReport>,
    /// The state of the gateway's socket; `None` without a line file, or without `[socket]` in it.
    gateway: Option<String>,
    /// One sentence per failed check, with what to do about it.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct BundleReport {
    folder: String,
    /// Who signed it, or who claims to have; `None` if nobody.
    signature: Option<String>,
    producer: String,
    method: String,
    teacher: String,
    model_sha256: String,
    recipe: String,
    arithmetic: &'static str,
    image_threshold: f32,
    pixel_threshold: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<ZoneReport>,
    product_limit: Option<f32>,
    normals: u32,
    rank: u32,
    claimed_fpr: f64,
    claim: String,
    /// What is known of misses of taught defects; empty if none were taught.
    misses: Vec<String>,
    score_tolerance: f32,
    golden: Vec<GoldenReport>,
}

/// An area with a limit of its own.
#[derive(Debug, Serialize)]
struct ZoneReport {
    level: u8,
    factor: f32,
}

#[derive(Debug, Serialize)]
struct GoldenReport {
    file: String,
    expected: f32,
    score: f32,
    within: bool,
}

/// Checks and reports.
///
/// # Errors
/// Only if the report can't be written; failed checks are part of the report.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let mut problems = Vec::new();
    let bundle = args.bundle.as_deref().and_then(|folder| {
        let checked = check_bundle(folder, args.line.as_deref(), &mut problems);
        checked.map_err(|e| problems.push(cause(&e))).ok()
    });
    let gateway = args.line.as_deref().and_then(|line| match check_socket(line) {
        Ok(said) => said,
        Err(problem) => {
            problems.push(problem);
            None
        }
    });
    let ok = problems.is_empty();
    let (version, system) = (env!("CARGO_PKG_VERSION"), System::probe());
    let report = DoctorReport { ok, version, system, bundle, gateway, problems };
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write_text(&report, &mut out)?;
    }
    Ok(if ok { CommandOutcome::Success } else { CommandOutcome::Error })
}

/// Checks this line's end of the gateway's socket. The neighbours behind the gateway are for `gateway check`: this program has no network.
fn check_socket(line: &Path) -> Result<Option<String>, String> {
    let line = LineFile::load(line).map_err(|e| e.to_string())?;
    line.socket.map(|config| socket::check(&config.path)).transpose()
}

/// Returns why a bundle is refused. That it is the bundle which is refused, the report says anyway.
fn cause(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(OpenBundleError::Refused { source, .. }) => source.to_string(),
        _ => error.to_string(),
    }
}

fn check_bundle(folder: &Path, line: Option<&Path>, problems: &mut Vec<String>) -> Result<BundleReport> {
    let (mut judge, signature) = trusted::open(Engine::default(), folder, line, 1)?;
    let is_emulated = judge.network().is_emulated();
    let mut report = describe_bundle(folder, &judge.bundle().thresholds, is_emulated);
    report.signature = signature;
    match judge.check_golden() {
        Ok(results) if results.is_empty() => problems.push(
            "the bundle has no golden frames to compare this machine with the one that made it; export \
             the bundle again"
                .to_owned(),
        ),
        Ok(results) => {
            for golden in results {
                if !golden.within {
                    problems.push(format!(
                        "golden frame {} scores {} here but {} where the bundle was made, a difference of more than {}; copy \
                         the bundle again, and if that doesn't help, export it again for this machine",
                        golden.file,
                        significant(golden.score),
                        significant(golden.expected),
                        significant(report.score_tolerance)
                    ));
                }
                report.golden.push(GoldenReport {
                    file: golden.file,
                    expected: golden.expected,
                    score: golden.score,
                    within: golden.within,
                });
            }
        }
        Err(e) => problems.push(e.to_string()),
    }
    Ok(report)
}

fn describe_bundle(folder: &Path, thresholds: &ThresholdFile, is_emulated: bool) -> BundleReport {
    let evidence = &thresholds.evidence;
    BundleReport {
        folder: folder.to_string_lossy().into_owned(),
        signature: None,
        producer: thresholds.producer.as_str().to_owned(),
        method: thresholds.method.as_str().to_owned(),
        teacher: thresholds.teacher.as_str().to_owned(),
        model_sha256: thresholds.model_sha256.iter().map(|b| format!("{b:02x}")).collect(),
        recipe: describe_recipe(&thresholds.recipe),
        arithmetic: describe_arithmetic(thresholds.arithmetic, is_emulated),
        image_threshold: thresholds.image_threshold,
        pixel_threshold: thresholds.pixel_threshold,
        zones: thresholds.image_score.zones().map_or(vec![], describe_zones),
        product_limit: thresholds.product_limit,
        normals: evidence.normals,
        rank: evidence.rank,
        claimed_fpr: evidence.claimed_fpr(),
        claim: describe_claim(evidence),
        misses: bundle::miss_rate::describe(thresholds),
        score_tolerance: thresholds.score_tolerance,
        golden: Vec::new(),
    }
}

fn describe_recipe(recipe: &Recipe) -> String {
    let region = recipe.roi.map_or_else(
        || "the whole frame".to_owned(),
        |r| format!("{}×{} pixels at {},{}", r.width, r.height, r.x, r.y),
    );
    let tiles = match (recipe.tiles.columns, recipe.tiles.rows) {
        (1, 1) => "one piece".to_owned(),
        (columns, rows) if recipe.tiles.overlap == 0 => format!("{columns}×{rows} tiles"),
        (columns, rows) => {
            format!("{columns}×{rows} tiles that overlap by {} pixels,", recipe.tiles.overlap)
        }
    };
    let colour = match recipe.colour {
        Colour::Rgb => "in colour",
        Colour::Grey => "in grey",
    };
    let aligned = match recipe.alignment.map(|alignment| alignment.motion) {
        None => "not aligned",
        Some(Motion::Shift) => "shifted to align with the good parts",
        Some(Motion::Rigid) => "shifted and turned to align with the good parts",
    };
    let ignored =
        recipe.ignore.map_or(String::new(), |mask| format!(", {:.0} % of it ignored", 100.0 * mask.share()));
    let light = recipe.reference_patch.map_or(String::new(), |ReferencePatch { area, .. }| {
        format!(
            ", light corrected by the patch of {}×{} pixels at {},{}",
            area.width, area.height, area.x, area.y
        )
    });
    let (input, frames) = (recipe.input, recipe.frames);
    format!(
        "{region} as {tiles} of {}×{} {colour}, {aligned}{ignored}{light}; training frames had {}×{} to {}×{} pixels",
        input.width, input.height, frames.min.width, frames.min.height, frames.max.width, frames.max.height
    )
}

fn describe_zones(zones: &Zones) -> Vec<ZoneReport> {
    zones.zones.iter().map(|zone| ZoneReport { level: zone.level, factor: zone.factor }).collect()
}

const fn describe_arithmetic(arithmetic: Arithmetic, is_emulated: bool) -> &'static str {
    match arithmetic {
        Arithmetic::Single => "32-bit floats",
        Arithmetic::Half if is_emulated => {
            "16-bit floats in bottlenecks, emulated on this processor: it judges slowly"
        }
        Arithmetic::Half => "16-bit floats in bottlenecks, 32-bit floats in everything else",
    }
}

fn describe_claim(evidence: &Evidence) -> String {
    let Evidence { normals, rank, target_fpr, sample, .. } = evidence;
    let position = if *rank == 1 { "the largest".to_owned() } else { format!("number {rank} from the top") };
    let bound = match sample {
        Sample::HeldOut => "on average at most",
        Sample::CrossFitted => "an estimate by cross-fitting:",
    };
    format!(
        "the threshold is not below {position} of {normals} normal scores: {bound} {:.2} % of normal parts are rejected (target: \
         {:.2} %)",
        100.0 * evidence.claimed_fpr(),
        100.0 * target_fpr
    )
}

fn write_text(report: &DoctorReport, out: &mut impl Write) -> io::Result<()> {
    let system = &report.system;
    writeln!(out, "edge-runtime  {}", report.version)?;
    writeln!(out, "system        {} on {}, {} cores", system.os, system.arch, system.cores)?;
    let features =
        if system.cpu_features.is_empty() { "none known".to_owned() } else { system.cpu_features.join(" ") };
    writeln!(out, "cpu features  {features}")?;
    if let (Some(all), Some(free)) = (system.memory_mib, system.available_mib) {
        writeln!(out, "memory        {all} MiB, {free} MiB free")?;
    }
    if let Some(bundle) = &report.bundle {
        write_bundle(bundle, out)?;
    }
    if let Some(gateway) = &report.gateway {
        writeln!(out, "gateway       {gateway}")?;
    }
    for problem in &report.problems {
        writeln!(out, "problem       {problem}")?;
    }
    let end = if report.ok { "all checks passed" } else { "some checks failed, see above" };
    writeln!(out, "{end}")
}

fn write_bundle(bundle: &BundleReport, out: &mut impl Write) -> io::Result<()> {
    let teacher =
        if bundle.teacher.is_empty() { String::new() } else { format!(", teacher {}", bundle.teacher) };
    writeln!(out, "bundle        {}", bundle.folder)?;
    writeln!(out, "signature     {}", bundle.signature.as_deref().unwrap_or("none"))?;
    writeln!(out, "made by       {}, method {}{teacher}", bundle.producer, bundle.method)?;
    writeln!(out, "model         SHA-256 {}", bundle.model_sha256)?;
    writeln!(out, "recipe        {}", bundle.recipe)?;
    writeln!(out, "arithmetic    {}", bundle.arithmetic)?;
    writeln!(
        out,
        "thresholds    image {}, pixel {}",
        significant(bundle.image_threshold),
        significant(bundle.pixel_threshold)
    )?;
    if !bundle.zones.is_empty() {
        let zones = bundle.zones.iter().map(|zone| format!("level {} × {}", zone.level, zone.factor));
        writeln!(out, "zones         {}: tolerances by factor", zones.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(limit) = bundle.product_limit {
        writeln!(
            out,
            "product       a fault if the lower quartile of the map is above {}",
            significant(limit)
        )?;
    }
    writeln!(out, "claim         {}", bundle.claim)?;
    for line in &bundle.misses {
        writeln!(out, "taught        {line}")?;
    }
    for golden in &bundle.golden {
        let state = if golden.within { "holds" } else { "DIFFERS" };
        writeln!(
            out,
            "golden        {} {state}: score {}, expected {} ± {}",
            golden.file,
            significant(golden.score),
            significant(golden.expected),
            significant(bundle.score_tolerance)
        )?;
    }
    Ok(())
}
