//! `trainer try`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use bundle::dataset::listing::list_below;
use clap::Parser as _;
use judge::{Judge, decode_file_within};
use shared_format::Verdict;

use super::Cli;
use super::setup;

/// From photos to verdicts in one step: fetch the teacher, learn, write a bundle, judge.
///
/// Does what `setup`, `train` and `export` do with their defaults, then judges new photos with the bundle as the line would. Those
/// commands have many options; this one shows what the defaults make of your parts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with photos of good parts
    photos: PathBuf,
    /// Photos to judge, or folders of them
    new: Vec<PathBuf>,
    /// Folder for the results: OUT/run and OUT/bundle
    #[arg(long, default_value = "nominal-try")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.photos.is_dir(),
        "{} is not a folder; give a folder with photos of good parts",
        args.photos.display()
    );
    let new = images(&args.new)?;
    setup::fetch(&setup::usual_index())?;
    let (run, bundle) = (args.out.join("run"), args.out.join("bundle"));
    // An old run is of other photos.
    if run.join("run.json").is_file() {
        std::fs::remove_dir_all(&run).with_context(|| {
            format!("cannot remove the earlier run {}; remove it yourself", run.display())
        })?;
    }
    step(&["train".as_ref(), "--data".as_ref(), &args.photos, "--out".as_ref(), &run])?;
    step(&["export".as_ref(), &run, "--out".as_ref(), &bundle])?;
    if new.is_empty() {
        println!("no photos to judge were given");
        return Ok(ExitCode::SUCCESS);
    }
    let mut judge = Judge::open(&bundle, 1)?;
    let max_size = judge.bundle().thresholds.recipe.frames.max_admitted();
    let mut counts = [0; 3];
    for path in &new {
        let (_, judgement) = judge.judge_from(|| decode_file_within(path, max_size));
        let (at, word) = match judgement.verdict {
            Verdict::Pass => (0, "pass"),
            Verdict::Reject => (1, "reject"),
            Verdict::Fault => (2, "fault"),
        };
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
        let score = judgement.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
        let fault = judgement.fault.map_or_else(String::new, |fault| format!("  {fault}"));
        println!("{word:<6}  score {score:>9}  {}{fault}", path.display());
    }
    let [pass, reject, fault] = counts;
    println!("{} photos: {pass} pass, {reject} reject, {fault} fault", new.len());
    println!("the bundle for the line: {}", bundle.display());
    Ok(ExitCode::SUCCESS)
}

/// Runs a command of this program, and shows it as one would type it.
fn step(words: &[&Path]) -> Result<()> {
    let line: Vec<String> = words.iter().map(|word| word.display().to_string()).collect();
    println!("$ trainer {}", line.join(" "));
    let program = [Path::new("trainer")];
    let code = Cli::try_parse_from(program.iter().chain(words).map(|word| word.as_os_str()))?.run()?;
    ensure!(code == ExitCode::SUCCESS, "`trainer {}` did not finish", line.join(" "));
    Ok(())
}

/// Returns the files, and the images in the folders.
fn images(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut images = vec![];
    for path in paths {
        if path.is_dir() {
            let listed = list_below(path)
                .with_context(|| format!("cannot read the folder {}; check the path", path.display()))?;
            images.extend(listed.images);
        } else {
            ensure!(
                path.exists(),
                "{} does not exist; give photos to judge, or folders of them",
                path.display()
            );
            images.push(path.clone());
        }
    }
    Ok(images)
}
