//! `check`: verifies a gateway file, the line's socket and each neighbour.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use super::runtime;
use crate::config::{Config, ConfigError};
use crate::{fleet, line, metrics, modbus, mqtt, page, webhook};

/// Prints one line for each neighbour. Returns whether all checks passed.
pub(super) fn run(file: &Path, file_only: bool) -> Result<bool> {
    let config = Config::load(file)?;
    let mut out = std::io::stdout().lock();
    let mut passed = true;
    if !file_only {
        for (neighbour, result) in runtime()?.block_on(neighbours(&config)) {
            passed &= result.is_ok();
            match result {
                Ok(text) => writeln!(out, "{neighbour:<9} {text}")?,
                Err(problem) => writeln!(out, "{neighbour:<9} problem: {problem:#}")?,
            }
        }
    }
    if !config.has_neighbours() {
        passed = false;
        writeln!(out, "problem   {}", ConfigError::NoNeighbours)?;
    }
    writeln!(out, "{}", if passed { "all checks passed" } else { "some checks failed, see above" })?;
    Ok(passed)
}

/// Tries each neighbour that the file names.
async fn neighbours(config: &Config) -> Vec<(&'static str, Result<String>)> {
    let mut results = vec![("line", line::check(&config.line).await)];
    if let Some(modbus) = &config.modbus {
        results.push(("modbus", modbus::check(modbus).await));
    }
    if let Some(mqtt) = &config.mqtt {
        results.push(("mqtt", mqtt::check(mqtt).await));
    }
    if let Some(metrics) = &config.metrics {
        results.push(("metrics", metrics::check(metrics).await));
    }
    if let Some(webhook) = &config.webhook {
        results.push(("webhook", webhook::check(webhook).await));
    }
    if let Some(page) = &config.page {
        results.push(("page", page::check(page).await));
    }
    if let Some(fleet) = &config.fleet {
        results.push(("fleet", fleet::check(fleet).await));
    }
    results
}
