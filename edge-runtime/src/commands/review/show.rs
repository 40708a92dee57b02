//! `review show`: shows one record.

use std::io::{self, Write};

use anyhow::Result;

use super::Source;
use super::list::RecordReport;
use crate::commands::outcome::CommandOutcome;
use crate::report::significant;
use crate::review::{ReviewedRecord, record_name};

/// Arguments of `review show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The record's name, or the path of one of its files.
    #[arg(value_name = "RECORD")]
    record: String,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints the record.
///
/// # Errors
/// If it was dropped or is damaged.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let record = args.source.open()?.find(record_name(&args.record)?)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &RecordReport::new(&record)).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write_text(&record, &mut out)?;
    }
    Ok(CommandOutcome::Success)
}

fn write_text(record: &ReviewedRecord, out: &mut impl Write) -> io::Result<()> {
    let description = &record.description;
    let number = |value: Option<f32>| value.map_or_else(|| "-".to_owned(), significant);
    writeln!(out, "record     {}", record.name)?;
    writeln!(out, "captured   {}", record.name.captured)?;
    writeln!(out, "product    {}", description.product)?;
    if let Some(view) = &description.view {
        writeln!(out, "view       {view}")?;
    }
    writeln!(out, "model      {}", description.model_sha256)?;
    writeln!(
        out,
        "verdict    {}: score {}, threshold {}",
        description.of_part(),
        number(description.score),
        number(description.threshold)
    )?;
    if let Some(r) = &description.region {
        writeln!(out, "region     {}×{} at {},{}", r.width, r.height, r.x, r.y)?;
    }
    if let Some(fault) = &description.fault {
        writeln!(out, "fault      {fault}")?;
    }
    for file in record.files() {
        writeln!(out, "file       {}", file.display())?;
    }
    for entry in record.history.entries() {
        let note = entry.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        writeln!(out, "decision   {} {entry}{note}", entry.at)?;
    }
    Ok(())
}
