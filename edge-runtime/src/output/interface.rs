//! The traits of an output: opened from the line file, driven by the gate's thread, queried by other threads, and closed by
//! dropping it.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::gate::Signal;
use crate::line_file::LineFile;
use crate::link::Links;
use crate::report::PartReport;

/// A consumer of dispositions: as levels, as reports, or both. Only the gate's thread drives it and delivers reports, through
/// [`super::Outputs`]. These calls must never block; an output that writes to a slow device uses its own thread and a bounded
/// queue such as [`crate::report::ReportQueue`].
///
/// An output with levels starts in the safe state and returns to it when dropped. An output with a thread ends it when
/// dropped, after a short time for pending reports.
pub trait Output: Send + Sync {
    /// Drives a signal; an output without this signal ignores it.
    ///
    /// # Errors
    /// The system's error; the signal may then have any level.
    fn set(&self, _signal: Signal, _on: bool) -> io::Result<()> {
        Ok(())
    }

    /// Drives the heartbeat, which toggles while the gate is served.
    ///
    /// # Errors
    /// The system's error; the output may then have any level.
    fn heartbeat(&self, _on: bool) -> io::Result<()> {
        Ok(())
    }

    /// Drives all signals to their [`Signal::safe_level`] at once.
    ///
    /// # Errors
    /// The system's error; the signals may then have any level.
    fn safe_state(&self) -> io::Result<()> {
        Ok(())
    }

    /// Takes the report on a part that has passed the gate. A report that finds no room is counted as dropped.
    fn deliver(&self, _report: &PartReport) {}

    /// Returns the number of reports that were lost.
    fn dropped(&self) -> u64 {
        0
    }

    /// Returns the output's current problems, one sentence each.
    fn problems(&self) -> Vec<String> {
        vec![]
    }

    /// Returns a sentence if the output's thread has ended unexpectedly.
    fn ended(&self) -> Option<&'static str> {
        None
    }
}

/// A kind of output that a line file can enable.
pub trait OutputKind: Sync {
    /// Whether the line file enables it.
    fn is_enabled(&self, line: &LineFile) -> bool;

    /// Returns the devices that the line file gives it, each with its key.
    fn devices<'l>(&self, _line: &'l LineFile) -> Vec<(&'static str, &'l Path)> {
        vec![]
    }

    /// Opens it if the line file enables it.
    ///
    /// # Errors
    /// [`OpenError`], if it can't be opened.
    fn open(&self, line: &LineFile, links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError>;
}

/// Why an output can't be opened. Displays as the output's own error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpenError(Box<dyn Error + Send + Sync>);

impl OpenError {
    /// Wraps the output's own error.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}
