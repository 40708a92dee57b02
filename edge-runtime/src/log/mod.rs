//! Log lines on standard error, without colours: they go to the journal more often than to a terminal.
//!
//! Logging never waits for the reader: lines that are not read in time are lost and counted.
//!
//! | file | what it holds |
//! |---|---|
//! | `lossy_writer` | a non-blocking stream |
//! | `rate_limiter` | rate limiting of repeated lines |
//! | `panics` | panic messages, which go to the log, too |

mod lossy_writer;
pub mod panics;
mod rate_limiter;

use std::io::{self, Write as _};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use self::lossy_writer::LossyWriter;

pub use rate_limiter::RateLimiter;
pub(crate) use rate_limiter::limited;

/// How long the program waits at its end for the last lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The environment variable that sets the level.
pub const LEVEL_VARIABLE: &str = "NOMINAL_LOG";

/// An error when setting up the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The variable doesn't hold a valid level.
    #[error("{LEVEL_VARIABLE}={0:?} is not a log level; set it to off, error, warn, info, debug or trace")]
    Level(String),
    /// The system can't start its thread.
    #[error("cannot set up the log: {0}; check the limits on threads and memory")]
    Thread(#[from] io::Error),
    /// The process already has a log.
    #[error("the log is set up twice; set it up once, at the start")]
    Twice,
}

/// A guard to keep until the end of the program: on drop, it waits up to a second for the last lines to be written.
#[must_use]
pub struct Log(LossyWriter);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush_within(FLUSH_TIMEOUT);
    }
}

/// Sets up the log for the whole process: at the level given by [`LEVEL_VARIABLE`], otherwise at `debug` if `verbose` and at
/// `info` if not.
///
/// # Errors
/// [`LogError`]
pub fn set_up(verbose: bool) -> Result<Log, LogError> {
    let given = std::env::var_os(LEVEL_VARIABLE).map(|value| value.to_string_lossy().into_owned());
    let level = level(given.as_deref(), verbose)?;
    let lines = LossyWriter::start(io::stderr())?;
    let log = Log(lines.clone());
    tracing_subscriber::fmt()
        .with_writer(move || lines.clone())
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level)
        // Its messages would go to standard error directly.
        .log_internal_errors(false)
        .try_init()
        .map_err(|_| LogError::Twice)?;
    Ok(log)
}

/// Writes a last line to standard error, waiting at most a second for its reader.
pub fn print_last_line(text: &str) {
    let Ok(mut lines) = LossyWriter::start(io::stderr()) else { return };
    let _ = lines.write_all(format!("{text}\n").as_bytes());
    lines.flush_within(FLUSH_TIMEOUT);
}

fn level(given: Option<&str>, verbose: bool) -> Result<LevelFilter, LogError> {
    match given {
        Some(text) if !text.is_empty() => text.parse().map_err(|_| LogError::Level(text.to_owned())),
        _ if verbose => Ok(LevelFilter::DEBUG),
        _ => Ok(LevelFilter::INFO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_and_nonsense_is_refused() {
        for (given, verbose, expected) in [
            (None, false, LevelFilter::INFO),
            (None, true, LevelFilter::DEBUG),
            (Some(""), false, LevelFilter::INFO),
            (Some("warn"), true, LevelFilter::WARN),
            (Some("off"), true, LevelFilter::OFF),
        ] {
            assert_eq!(level(given, verbose).unwrap(), expected, "{given:?} {verbose}");
        }
        let error = level(Some("loud"), false).unwrap_err().to_string();
        assert!(error.contains("NOMINAL_LOG=\"loud\"") && error.contains("set it to off, error"), "{error}");
    }
}
