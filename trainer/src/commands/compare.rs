//! `trainer compare`

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bundle::{Align, PIXELS, parse};
use clap::builder::PossibleValuesParser;

use super::train::DEFAULT_TEACHER;
use crate::compare::measure::Task;
use crate::compare::table::Outcome;
use crate::compare::{Candidates, Choice, MIN_GAIN, Measured, choose, known_defects, measure, table};
use crate::teachers::user_library;
use crate::{progress, registry};

/// Choose method, teacher, input size and alignment by known defects of the part.
///
/// Trains each combination on the good images and judges the known defects, at least eight. A combination other than the first,
/// the default, is chosen only if that gains more than 0.02 AUROC on defects that took no part in choosing: each in turn is left
/// out. The defects are not learned from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of good images, or with train/good below it (MVTec AD layout)
    #[arg(long)]
    data: PathBuf,
    /// Folder of images of known defects, a subfolder for each kind
    #[arg(long)]
    defects: PathBuf,
    /// The methods; by default those that are fitted in one pass
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(super::quality::methods()))]
    methods: Vec<String>,
    /// The imported teachers; all backbones by default, efficientnet-lite0 first
    #[arg(long, value_delimiter = ',')]
    teachers: Vec<String>,
    /// Numbers of pixels of the network's input
    #[arg(long, value_delimiter = ',', default_values_t = [PIXELS, 2 * PIXELS], value_parser = parse::pixels)]
    pixels: Vec<u32>,
    /// Kinds of alignment: off, shift, rigid, auto
    #[arg(long, value_delimiter = ',', default_values_t = [Align::Auto])]
    align: Vec<Align>,
    /// Maximum billions of multiply-adds per frame
    #[arg(long, value_name = "GMAC", value_parser = positive)]
    max_gmac: Option<f64>,
    /// Maximum milliseconds to judge a frame on one thread of this machine
    #[arg(long, value_name = "MS", value_parser = positive)]
    max_ms: Option<f64>,
    /// Share of good parts that the threshold may reject
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// After `--`: further options of `trainer train`, used for all, such as --roi or --ignore
    #[arg(last = true, value_name = "TRAIN OPTIONS")]
    options: Vec<OsString>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let defects = known_defects(&args.defects)?;
    defects.unused.line(&args.defects).iter().for_each(|line| eprintln!("{line}"));
    let kinds = defects.kinds().iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>();
    eprintln!("known defects: {}", kinds.join(", "));

    let (methods, teachers) = (methods(args), teachers(args)?);
    let aligns: Vec<String> = args.align.iter().map(ToString::to_string).collect();
    let values = Candidates { methods: &methods, teachers: &teachers, pixels: &args.pixels, aligns: &aligns };
    let task =
        Task { data: &args.data, defects: &defects, target_fpr: args.target_fpr, options: &args.options };
    let candidates = values.all();
    let count = candidates.len();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (index, candidate) in candidates.into_iter().enumerate() {
        eprintln!("{}/{count}: {candidate}", index + 1);
        let scratch = tempfile::tempdir()
            .context("can't create a temporary folder; set TMPDIR to a folder with free space")?;
        let outcome = measure(&candidate, task, scratch.path()).map_err(|error| format!("{error:#}"));
        if progress::stop_requested() {
            bail!("stopped; nothing was chosen");
        }
        if let Err(reason) = &outcome {
            eprintln!("{candidate}: {reason}");
        }
        outcomes.push((candidate, outcome));
    }

    let within = |measured: &Measured| {
        args.max_gmac.is_none_or(|max| measured.gmac <= max)
            && args.max_ms.is_none_or(|max| measured.frame_ms <= max)
    };
    // Their indices, and how they rank the defects.
    let (eligible, ranks): (Vec<usize>, Vec<Vec<f64>>) = outcomes
        .iter()
        .enumerate()
        .filter_map(|(index, (_, outcome))| {
            let measured = outcome.as_ref().ok().filter(|measured| within(measured))?;
            Some((index, measured.ranks.clone()))
        })
        .unzip();
    let Some(choice) = choose(&ranks, 0) else {
        print!("{}", table(&outcomes, &defects, &within, None));
        bail!(
            "none of these settings can be used; see the table, and raise --max-gmac or --max-ms if they are over the budget"
        );
    };
    let Choice { best, gain, chosen } = choice;
    print!("{}", table(&outcomes, &defects, &within, Some(eligible[chosen])));
    let (first, best) = (&outcomes[eligible[0]].0, &outcomes[eligible[best]].0);
    println!();
    if chosen != 0 {
        println!("chosen: {best}: gains {gain:.3} AUROC on defects that took no part in choosing");
    } else if best == first {
        println!("chosen: {first}: none of the others finds these defects better");
    } else {
        println!(
            "chosen: {first}: {best} looks best, but choosing gains {gain:.3} AUROC on defects that took no part in it, not more \
             than {MIN_GAIN}"
        );
    }
    let common = args.options.iter().map(|option| option.to_string_lossy().into_owned());
    let options: Vec<String> = outcomes[eligible[chosen]].0.options().into_iter().chain(common).collect();
    println!("next: trainer train {} --data {} --out RUN", options.join(" "), args.data.display());
    Ok(ExitCode::SUCCESS)
}

/// Returns the methods: those given, or the fitted ones.
fn methods(args: &Args) -> Vec<String> {
    if !args.methods.is_empty() {
        return args.methods.clone();
    }
    let fitted = registry::all().into_iter().filter(|method| method.is_fitted());
    fitted.map(|method| method.name().to_owned()).collect()
}

/// Returns the teachers: those given, or all imported backbones with the default first.
fn teachers(args: &Args) -> anyhow::Result<Vec<String>> {
    if !args.teachers.is_empty() {
        return Ok(args.teachers.clone());
    }
    let library = user_library();
    let imported = library.names()?.into_iter().filter(|name| !library.is_shipped(name));
    let mut names: Vec<String> = imported.collect();
    names.sort_by_key(|name| name != DEFAULT_TEACHER);
    if names.is_empty() {
        bail!(
            "no teacher is imported; run `trainer setup`, or import one with: trainer teacher import FILE --name {DEFAULT_TEACHER}"
        );
    }
    Ok(names)
}

fn positive(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| format!("invalid number `{text}`: expected a number above 0"))
}
