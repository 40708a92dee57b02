//! `status`: shows all boards and what they run.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use fleet::{BoardReport, ProductReport, Progress};
use gateway::line::unix_ms;
use serde::Serialize;

use crate::table::{LastReport, Table};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The SQLite file of `collect`.
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// Show only boards of this group.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Show only what needs someone: boards that are silent, went back, failed, or have an alarm.
    #[arg(long)]
    problems: bool,
    /// Seconds without a report after which a board counts as silent.
    #[arg(long, default_value_t = 1800, value_name = "SECONDS")]
    silent_after: u64,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// How far the clock of the machine that collects may be ahead of this one's.
const CLOCKS_DIFFER_MS: u64 = 60_000;

/// A board, as JSON.
#[derive(Serialize)]
struct BoardJson<'a> {
    seen_s_ago: u64,
    silent: bool,
    /// Messages that never came.
    lost: u64,
    #[serde(flatten)]
    report: &'a BoardReport,
}

/// Prints one line for each product of each board.
pub fn run(args: &Args) -> Result<()> {
    let now = unix_ms();
    let mut boards = Table::look_into(&args.table)?.boards()?;
    // What was received in the future says that the clock was wrong, and not that the board is there.
    let silent = |board: &LastReport| {
        ago(board, now) > args.silent_after || board.received_unix_ms > now + CLOCKS_DIFFER_MS
    };
    boards.retain(|board| args.group.is_none() || board.report.group == args.group);
    boards.retain(|board| !args.problems || silent(board) || needs_someone(&board.report));
    let mut out = std::io::stdout().lock();
    if args.json {
        let json = |board| BoardJson {
            seen_s_ago: ago(board, now),
            silent: silent(board),
            lost: board.lost,
            report: &board.report,
        };
        serde_json::to_writer_pretty(&mut out, &boards.iter().map(json).collect::<Vec<_>>())?;
        writeln!(out)?;
        return Ok(());
    }
    let mut rows = vec![
        [
            "board",
            "group",
            "product",
            "bundle",
            "wanted",
            "state",
            "golden",
            "p99 ms",
            "rejects ‰",
            "lost",
            "seen",
        ]
        .map(str::to_owned),
    ];
    for board in &boards {
        let products = board.report.products.iter().map(Some);
        let products = if board.report.products.is_empty() { vec![None] } else { products.collect() };
        rows.extend(products.into_iter().map(|product| row(board, product, ago(board, now), silent(board))));
    }
    write_table(&rows, &mut out)?;
    for (board, product, reason) in reasons(&boards) {
        writeln!(out, "{board}{product}: {reason}")?;
    }
    Ok(())
}

fn ago(board: &LastReport, now_unix_ms: u64) -> u64 {
    now_unix_ms.saturating_sub(board.received_unix_ms) / 1000
}

fn needs_someone(report: &BoardReport) -> bool {
    let is_bad = |product: &ProductReport| matches!(product.progress, Progress::Failed | Progress::WentBack);
    report.problem.is_some() || !report.alarms.is_empty() || report.products.iter().any(is_bad)
}

fn row(board: &LastReport, product: Option<&ProductReport>, ago: u64, silent: bool) -> [String; 11] {
    let report = &board.report;
    let none = || "-".to_owned();
    let number = |number: Option<u64>| number.map_or_else(none, |number| number.to_string());
    let of = |get: fn(&ProductReport) -> String| product.map_or_else(none, get);
    // Another bundle than those of the index: its hash tells which.
    let bundle = product.map_or_else(none, |product| match product.serial {
        Some(serial) => serial.to_string(),
        None if product.identity.is_empty() => none(),
        None => product.identity.chars().take(8).collect(),
    });
    let share = (report.parts > 0).then(|| 1e3 * report.rejected as f64 / report.parts as f64);
    [
        report.board.clone(),
        report.group.clone().unwrap_or_else(none),
        of(|product| product.product.clone()),
        bundle,
        number(product.and_then(|product| product.wanted)),
        of(|product| product.progress.as_str().replace('_', " ")),
        of(|product| product.golden.map_or_else(|| "-".to_owned(), |golden| format!("±{golden:.1e}"))),
        report.p99_ms.map_or_else(none, |ms| format!("{ms:.1}")),
        share.map_or_else(none, |share| format!("{share:.1}")),
        board.lost.to_string(),
        format!("{}{}", age(ago), if silent { ", silent" } else { "" }),
    ]
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn reasons(boards: &[LastReport]) -> Vec<(String, String, String)> {
    let mut reasons = vec![];
    for LastReport { report, .. } in boards {
        for product in &report.products {
            if let Some(reason) = &product.reason {
                reasons.push((report.board.clone(), format!(", {}", product.product), reason.clone()));
            }
        }
        if let Some(problem) = &report.problem {
            reasons.push((report.board.clone(), String::new(), problem.clone()));
        }
        if !report.alarms.is_empty() {
            reasons.push((
                report.board.clone(),
                String::new(),
                format!("alarms: {}", report.alarms.join(", ")),
            ));
        }
    }
    reasons
}

/// Writes columns that are as wide as their widest entry.
fn write_table(rows: &[[String; 11]], out: &mut impl std::io::Write) -> std::io::Result<()> {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..11).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_one_line_for_each_product_and_names_what_is_wrong() {
        let product = ProductReport {
            product: "cap".to_owned(),
            identity: "ab".repeat(32),
            serial: None,
            wanted: Some(9),
            progress: Progress::WentBack,
            reason: Some("30 of 40 parts were rejected".to_owned()),
            golden: Some(2.5e-6),
        };
        let report = BoardReport {
            board: "line1".to_owned(),
            group: None,
            version: "0.1.0".to_owned(),
            line_version: "0.1.0".to_owned(),
            index: 3,
            products: vec![product.clone()],
            parts: 4000,
            rejected: 6,
            p99_ms: Some(31.25),
            alarms: vec![],
            problem: None,
            at_unix_ms: 1,
        };
        assert!(needs_someone(&report));
        let board = LastReport { report, received_unix_ms: 1000, lost: 0 };
        let row = row(&board, Some(&product), ago(&board, 301_000), false);
        let expected =
            ["line1", "-", "cap", "abababab", "9", "went back", "±2.5e-6", "31.2", "1.5", "0", "5 min ago"];
        assert_eq!(row, expected);
        assert_eq!(reasons(&[board])[0].2, "30 of 40 parts were rejected");
    }
}
