//! `bench`: measures how long each stage takes on this machine.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use judge::{Judge, Network, OperationTime, StageTimes, read_file};
use serde::Serialize;

use super::engine::EngineChoice;
use crate::commands::outcome::CommandOutcome;
use crate::files::bundles;
use crate::health::machine::peak_rss_mib;
use crate::health::percentiles::StagePercentiles;
use crate::report::in_ms;

/// Frames judged before measuring, so that caches, clocks and buffers settle.
const WARM_UP: usize = 5;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle folder that the trainer wrote.
    #[arg(long, value_name = "FOLDER")]
    bundle: PathBuf,
    /// Judge this image instead of the bundle's golden frames.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Threads for the network.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// The engine that runs the network.
    #[arg(long, value_enum, default_value_t)]
    engine: EngineChoice,
    /// List what the kernels replace, and the time of each operation on one thread: for one tile, then for all of them together.
    #[arg(long)]
    explain: bool,
    /// Number of frames to measure, after the warm-up.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct BenchReport {
    threads: u16,
    frames: u32,
    load_ms: f64,
    /// `None` if the system doesn't report it.
    peak_rss_mib: Option<f64>,
    ms: StagePercentiles,
    /// The network's operations in execution order; `None` without `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<Operation>>,
}

/// An operation of the network.
#[derive(Debug, Serialize)]
struct Operation {
    /// Name of its output in the model.
    name: String,
    /// The kernel or tract operator that computes it.
    operation: String,
    /// Number of the model's nodes that the project's kernel replaces; 0 if tract computes it.
    replaces: usize,
    /// Median time on one thread.
    ms: f64,
}

/// Number of runs for each operation's median time.
const PROFILE_RUNS: usize = 20;

/// Measures and reports.
///
/// # Errors
/// If the bundle can't be used or a frame can't be judged: the time of a fault is meaningless.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let start = Instant::now();
    let mut judge = bundles::open_with(args.engine.into(), &args.bundle, args.threads.into())?;
    bundles::warn_of_emulation(&mut judge);
    let load_ms = in_ms(start.elapsed());
    let images = images(args, &judge)?;
    let mut times = Vec::new();
    for (path, bytes) in images.iter().cycle().take(WARM_UP + args.frames as usize) {
        times.push(judge_one(&mut judge, path, bytes)?);
    }
    let ms = StagePercentiles::of(times.get(WARM_UP..).unwrap_or_default());
    let peak_rss_mib = peak_rss_mib();
    let operations = args.explain.then(|| explain(&mut judge)).transpose()?;
    let report =
        BenchReport { threads: args.threads, frames: args.frames, load_ms, peak_rss_mib, ms, operations };
    print(&report, args.json)?;
    Ok(CommandOutcome::Success)
}

fn explain(judge: &mut Judge) -> Result<Vec<Operation>> {
    let tile = explain_network(judge.network())?;
    let frame = judge.frame_network().map(explain_network).transpose()?;
    Ok(tile.into_iter().chain(frame.into_iter().flatten()).collect())
}

/// Measures the operations of one network.
fn explain_network(network: &mut Network) -> Result<Vec<Operation>> {
    let image = vec![0.5; network.input_len()];
    let times = network.profile(&image, PROFILE_RUNS).context("cannot profile the network")?;
    let replaces = |name: &str| network.replacements().iter().find(|r| r.name == name).map_or(0, |r| r.nodes);
    let operation = |time: OperationTime| Operation {
        replaces: replaces(&time.name),
        ms: in_ms(time.time),
        name: time.name,
        operation: time.operation,
    };
    Ok(times.into_iter().map(operation).collect())
}

/// Reads the images to judge beforehand, so that the disk's speed isn't measured.
fn images(args: &Args, judge: &Judge) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let bundle = judge.bundle();
    let paths: Vec<PathBuf> = match &args.image {
        Some(image) => vec![image.clone()],
        None => bundle.thresholds.golden.iter().map(|g| bundle.golden_path(&g.file)).collect(),
    };
    if paths.is_empty() {
        bail!("the bundle has no golden frames; give an image to measure with --image");
    }
    let read = |path: PathBuf| {
        let bytes = read_file(&path)?;
        Ok((path, bytes))
    };
    paths.into_iter().map(read).collect()
}

fn judge_one(judge: &mut Judge, path: &std::path::Path, bytes: &[u8]) -> Result<StageTimes> {
    let judgement = judge.judge_bytes(bytes);
    match judgement.fault {
        None => Ok(judgement.times),
        Some(fault) => Err(fault).with_context(|| format!("{} cannot be judged", path.display())),
    }
}

fn print(report: &BenchReport, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, report).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "{:<8}  {:>9}  {:>9}  {:>9}  {:>9}", "ms", "p50", "p95", "p99", "max")?;
    for (name, p) in report.ms.named() {
        writeln!(out, "{name:<8}  {:>9.3}  {:>9.3}  {:>9.3}  {:>9.3}", p.p50, p.p95, p.p99, p.max)?;
    }
    let plural = if report.threads == 1 { "" } else { "s" };
    writeln!(
        out,
        "{} frames, {} thread{plural}, loaded in {:.0} ms",
        report.frames, report.threads, report.load_ms
    )?;
    if let Some(mib) = report.peak_rss_mib {
        writeln!(out, "peak memory {mib:.0} MiB")?;
    }
    if let Some(operations) = &report.operations {
        print_operations(&mut out, operations)?;
    }
    Ok(())
}

fn print_operations(out: &mut impl Write, operations: &[Operation]) -> Result<()> {
    let replaced: usize = operations.iter().map(|o| o.replaces).sum();
    let kernels = operations.iter().filter(|o| o.replaces > 0).count();
    writeln!(
        out,
        "\n{kernels} kernels replace {replaced} of the model's nodes; median times on one thread:"
    )?;
    writeln!(out, "{:>9}  {:>5}  {:<44}  result", "ms", "nodes", "operation")?;
    for Operation { name, operation, replaces, ms } in operations {
        let nodes = if *replaces > 0 { replaces.to_string() } else { "tract".to_owned() };
        writeln!(out, "{ms:>9.3}  {nodes:>5}  {operation:<44}  {name}")?;
    }
    let total: f64 = operations.iter().map(|o| o.ms).sum();
    writeln!(out, "{total:>9.3}         total")?;
    Ok(())
}
