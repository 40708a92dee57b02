//! `trainer quality`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bundle::atomic::write_file;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::quality::job::Set;
use crate::quality::table::table;
use crate::quality::{Job, Origin, QualityRow, Store, measure};
use crate::{progress, registry};

/// Measure how well methods find defects: train, export and evaluate each on each set, and print a table.
///
/// A set is a folder with images to learn from and test images with known answers (see docs/data.md). Figures come with 95 %
/// intervals. With --json, rows are kept: a row with the same method, options, images, teacher, seed and version of this
/// program is not measured again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sets
    #[arg(required = true)]
    sets: Vec<PathBuf>,
    /// The methods; by default all but those that learn from known defects
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(methods()))]
    methods: Vec<String>,
    /// Whose settings
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ours")]
    recipes: Vec<Origin>,
    /// Number of seeds to repeat everything with; each gives another split of the images
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// The imported teacher to learn from
    #[arg(long, default_value = super::train::DEFAULT_TEACHER)]
    teacher: String,
    /// Keep rows in this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure again rows that --json already has
    #[arg(long, requires = "json")]
    again: bool,
    /// Write the table to this file, too
    #[arg(long)]
    markdown: Option<PathBuf>,
}

pub(super) fn methods() -> Vec<PossibleValue> {
    registry::all().iter().map(|method| PossibleValue::new(method.name())).collect()
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let sets = args.sets.iter().map(|folder| {
        Set::open(folder).with_context(|| format!("can't read the set {}; check the path", folder.display()))
    });
    let sets = sets.collect::<anyhow::Result<Vec<Set>>>()?;
    for set in &sets {
        set.describe().iter().for_each(|line| eprintln!("{}: {line}", set.name));
    }
    let mut store = Store::open(args.json.as_deref())?;
    let jobs = jobs(args, &sets);
    let mut rows = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let name = format!("{}/{}: {} on {}", number + 1, jobs.len(), job.method, job.set.name);
        if let Some(known) = store.known(&job.key()).filter(|_| !args.again) {
            eprintln!("{name}: known");
            rows.push(known.clone());
            continue;
        }
        if progress::stop_requested() {
            bail!("stopped; the rows measured so far are kept if --json is given");
        }
        eprintln!("{name}, recipe {}, seed {}", job.recipe.name(), job.seed);
        let scratch = tempfile::tempdir()
            .context("can't create a temporary folder; set TMPDIR to a folder with free space")?;
        let result = measure(job, scratch.path()).map_err(|error| format!("{error:#}"));
        if progress::stop_requested() {
            bail!("stopped; the rows measured so far are kept if --json is given");
        }
        if let Err(reason) = &result {
            eprintln!("{name}: {reason}");
        }
        let row = QualityRow::of(job, result);
        store.keep(row.clone())?;
        rows.push(row);
    }
    let table = table(&rows);
    print!("{table}");
    if let Some(path) = &args.markdown {
        write_file(path, table.as_bytes())
            .with_context(|| format!("can't write {}; check --markdown", path.display()))?;
    }
    Ok(if rows.iter().any(|row| row.failed.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lists the jobs set by set, so that an interrupted run has complete sets.
fn jobs<'a>(args: &Args, sets: &'a [Set]) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for set in sets {
        for method in registry::all() {
            // A set has no defects to learn from.
            let all = args.methods.is_empty() && !method.needs_defects();
            let wanted = all || args.methods.iter().any(|name| name == method.name());
            for &recipe in args.recipes.iter().filter(|_| wanted) {
                let options = match recipe {
                    Origin::Ours => Some(&[][..]),
                    // Omitted if it can't be followed here: a shortened recipe must not use its name.
                    Origin::Published => method.published(),
                };
                let Some(options) = options else { continue };
                jobs.extend((0..args.seeds).map(|seed| Job {
                    set,
                    method: method.name(),
                    recipe,
                    options,
                    seed,
                    teacher: args.teacher.clone(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                }));
            }
        }
    }
    jobs
}
