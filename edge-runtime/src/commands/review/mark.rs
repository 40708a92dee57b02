//! `review mark`: takes decisions on records.

use std::io::{self, Read as _, Write};

use anyhow::{Context, Result};

use super::Source;
use crate::commands::outcome::CommandOutcome;
use crate::review::{Decision, Entry, Kind, Marked, Marking, ReviewError, record_name};

/// A list far longer than any folder of records is refused.
const MAX_LIST_BYTES: u64 = 64 << 20;

/// Arguments of `review mark`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The decision.
    #[arg(value_enum)]
    decision: Decision,
    /// The records: names, or paths of their files. `-` reads one per line from standard input, such as the output of `review
    /// list`.
    #[arg(value_name = "RECORD", required = true)]
    names: Vec<String>,
    /// The kind of defect, such as scratch: records of a kind share a folder.
    #[arg(long)]
    kind: Option<Kind>,
    /// A remark.
    #[arg(long)]
    note: Option<String>,
    /// Who decides; by default the user who runs this.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Decide even if someone has decided otherwise. Both decisions are remembered.
    #[arg(long)]
    replace: bool,
}

/// Marks each record, prints a line for each, and summarizes on standard error. A record that can't be marked doesn't keep
/// the others from being marked.
///
/// # Errors
/// If the records can't be read, or someone else is marking them.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let by = args.by.clone().unwrap_or_else(user);
    let entry = Entry::new(args.decision, args.kind.clone(), args.note.clone(), by)?;
    let names = names(&args.names)?;
    let review = args.source.open()?;
    let mut marking = review.lock()?;
    let mut out = io::stdout().lock();
    let (mut marked, mut failed) = (0, 0);
    for text in &names {
        match mark(&mut marking, text, entry.clone(), args.replace) {
            Ok(outcome) => {
                marked += 1;
                if let Some(damage) = &outcome.damage {
                    let _ = writeln!(io::stderr(), "warning: {text}: {damage}; earlier decisions are lost");
                }
                writeln!(out, "{text}: {}", describe(&entry, &outcome))?;
            }
            Err(e) => {
                failed += 1;
                let _ = writeln!(io::stderr(), "not marked: {e}");
            }
        }
    }
    out.flush()?;
    let _ = writeln!(io::stderr(), "{marked} marked, {failed} not");
    Ok(if failed == 0 { CommandOutcome::Success } else { CommandOutcome::Error })
}

fn mark(marking: &mut Marking<'_>, text: &str, entry: Entry, replace: bool) -> Result<Marked, ReviewError> {
    marking.mark(record_name(text)?, entry, replace)
}

fn describe(entry: &Entry, marked: &Marked) -> String {
    match &marked.before {
        Some(before) if marked.is_unchanged => format!("already {before}"),
        None if marked.is_unchanged => "already undecided".to_owned(),
        Some(before) => format!("{entry}; before: {before}"),
        None => entry.to_string(),
    }
}

/// Returns the records to mark. A line of standard input counts up to its first space.
fn names(given: &[String]) -> Result<Vec<String>> {
    let mut records = vec![];
    for text in given {
        if text != "-" {
            records.push(text.clone());
            continue;
        }
        let mut list = String::new();
        let read = io::stdin().lock().take(MAX_LIST_BYTES).read_to_string(&mut list);
        read.context("cannot read the list of records from standard input; write one name per line")?;
        records.extend(list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned));
    }
    Ok(records)
}

/// Returns the name of the user who runs this, also through sudo.
fn user() -> String {
    let variable = |name| std::env::var(name).ok().filter(|user| !user.trim().is_empty());
    variable("SUDO_USER").or_else(|| variable("USER")).unwrap_or_else(|| "someone".to_owned())
}
