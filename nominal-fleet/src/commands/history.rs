//! `history`: shows what a board has reported over time.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::table::Table;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The SQLite file of `collect`.
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// The board.
    #[arg(value_name = "BOARD")]
    board: String,
    /// The number of reports, the newest first.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Prints one JSON object a line, the newest report first.
pub fn run(args: &Args) -> Result<()> {
    let reports = Table::look_into(&args.table)?.history(&args.board, args.limit)?;
    ensure!(
        !reports.is_empty(),
        "nothing is known of {}; `nominal-fleet status` lists the boards",
        args.board
    );
    let mut out = std::io::stdout().lock();
    for report in reports {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    }
    Ok(())
}
