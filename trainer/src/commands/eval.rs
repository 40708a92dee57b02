//! `trainer eval`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bundle::atomic::write_file;
use bundle::dataset::{TestImage, test_images, tests_on_training_images};
use bundle::evaluate::{evaluate, figures};
use judge::Judge;

use crate::report::Evaluated;
use crate::{progress, report};

/// Measure a bundle on images with known answers, with the line's own judge.
///
/// DIR has test/good and test/<defect> (MVTec AD layout; masks in ground_truth/<defect>/<name>_mask.png), or good and
/// <defect> directly in it. The folder of good parts may also be called ok, normal or defect_free. The command first reports
/// how each folder was classified and which files are not used. AUROC: 1 is perfect, 0.5 is guessing.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The bundle
    bundle: PathBuf,
    /// Folder of images
    #[arg(long)]
    data: PathBuf,
    /// Another bundle to measure on the same images, shown beside the first; may be given more than once
    #[arg(long, value_name = "BUNDLE")]
    beside: Vec<PathBuf>,
    /// Write the figures of the first bundle as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a page with histogram, ROC curve and overlays
    #[arg(long)]
    html: Option<PathBuf>,
    /// Number of threads of the engine
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let set = test_images(&args.data)?;
    set.describe().iter().chain(&set.unused.line(&args.data)).for_each(|line| eprintln!("{line}"));
    let images = set.images;
    if tests_on_training_images(&args.data) {
        eprintln!(
            "warning: `trainer train` learns from the good parts of {}; if it did, these figures are too good: put unseen ones \
             into test/good",
            args.data.display()
        );
    }
    let mut evaluated = evaluated(&args.bundle, &images, args.threads)?;
    let mut beside = vec![];
    for bundle in &args.beside {
        println!();
        beside.push(self::evaluated(bundle, &images, args.threads)?);
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&evaluated.figures)?;
        write_file(path, &json).with_context(|| format!("can't write {}; check --json", path.display()))?;
    }
    if let Some(path) = &args.html {
        let page = report::page(&mut evaluated, &mut beside);
        write_file(path, page.as_bytes())
            .with_context(|| format!("can't write {}; check --html", path.display()))?;
        println!("page: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Judges the images and prints the table.
fn evaluated(bundle: &Path, images: &[TestImage], threads: u16) -> anyhow::Result<Evaluated> {
    let mut judge = Judge::open(bundle, threads.into())?;
    let bar = progress::bar(images.len() as u64, "Judging");
    let outcomes = evaluate(&mut judge, images, &mut || {
        bar.inc(1);
        true
    });
    bar.finish_and_clear();
    let outcomes = outcomes.unwrap_or_default();
    for outcome in &outcomes {
        if let Some(problem) = &outcome.problem {
            eprintln!("{}: {problem}", outcome.path.display());
        }
    }
    let thresholds = &judge.bundle().thresholds;
    let figures = figures(&outcomes, thresholds.image_threshold);
    println!("{}, teacher {}", thresholds.method, thresholds.teacher);
    print!("{}", report::table(&figures));
    report::zone_lines(thresholds, &outcomes).iter().for_each(|line| println!("{line}"));
    Ok(Evaluated { judge, outcomes, figures })
}
