//! `review list`: lists records that match a filter.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use shared_format::Verdict;

use super::Source;
use crate::clock::WallTime;
use crate::commands::outcome::CommandOutcome;
use crate::report::significant;
use crate::review::{Decision, Description, Entry, Place, ReviewedRecord};

/// Arguments of `review list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Only this product.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Only parts with this verdict.
    #[arg(long, value_enum)]
    verdict: Option<VerdictChoice>,
    /// Only records with this decision; `undecided` for those without any.
    #[arg(long, value_enum)]
    decision: Option<Decision>,
    /// Only frames captured at this time (UTC) or later: 2026-11-25 or 2026-11-25T14:30.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<WallTime>,
    /// Only frames captured before this time (UTC).
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<WallTime>,
    /// Print one JSON object per line instead of aligned text.
    #[arg(long)]
    json: bool,
}

/// A verdict on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VerdictChoice {
    Pass,
    Reject,
    Fault,
}

impl From<VerdictChoice> for Verdict {
    fn from(choice: VerdictChoice) -> Self {
        match choice {
            VerdictChoice::Pass => Self::Pass,
            VerdictChoice::Reject => Self::Reject,
            VerdictChoice::Fault => Self::Fault,
        }
    }
}

fn time(text: &str) -> Result<WallTime, String> {
    WallTime::read(text).ok_or_else(|| "write 2026-11-25 or 2026-11-25T14:30, in UTC".to_owned())
}

impl Args {
    fn admits(&self, record: &ReviewedRecord) -> bool {
        let decision = record.decision().map_or(Decision::Undecided, |entry| entry.decision);
        let captured = record.name.captured;
        self.product.as_ref().is_none_or(|product| *product == record.description.product)
            && self.verdict.is_none_or(|verdict| Verdict::from(verdict) == record.description.of_part())
            && self.decision.is_none_or(|wanted| wanted == decision)
            && self.since.is_none_or(|since| captured >= since)
            && self.before.is_none_or(|before| captured < before)
    }
}

/// A record as JSON.
#[derive(Debug, Serialize)]
pub(super) struct RecordReport<'a> {
    name: String,
    place: Place,
    captured_at: WallTime,
    #[serde(flatten)]
    description: &'a Description,
    /// The decision that holds.
    decision: Option<&'a Entry>,
    files: Vec<String>,
}

impl<'a> RecordReport<'a> {
    pub(super) fn new(record: &'a ReviewedRecord) -> Self {
        Self {
            name: record.name.to_string(),
            place: record.place,
            captured_at: record.name.captured,
            description: &record.description,
            decision: record.decision(),
            files: record.files().iter().map(|path| path.display().to_string()).collect(),
        }
    }
}

/// Prints a line for each record. Damaged ones are named on standard error.
///
/// # Errors
/// If the records can't be read, or a line can't be written.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let listing = args.source.open()?.list()?;
    for damaged in &listing.damaged {
        let _ = writeln!(io::stderr(), "skipped {}", damaged.reason);
    }
    let mut out = io::stdout().lock();
    for record in listing.records.iter().filter(|record| args.admits(record)) {
        if args.json {
            serde_json::to_writer(&mut out, &RecordReport::new(record)).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(record))?;
        }
    }
    out.flush()?;
    Ok(CommandOutcome::Success)
}

/// Returns a line of text: name, verdict, score, threshold, product and view, decision or fault.
fn line(record: &ReviewedRecord) -> String {
    let description = &record.description;
    let number = |value: Option<f32>| value.map_or_else(|| "-".to_owned(), significant);
    let decided = record.decision().map_or_else(|| "undecided".to_owned(), ToString::to_string);
    let fault = description.fault.as_ref().map(|fault| format!("  {fault}")).unwrap_or_default();
    let view = description.view.as_ref().map(|view| format!(", view {view}")).unwrap_or_default();
    format!(
        "{}  {:<6}  score {:>10}  threshold {:>10}  {}{view}  {decided}{fault}",
        record.name,
        description.of_part(),
        number(description.score),
        number(description.threshold),
        description.product
    )
}
