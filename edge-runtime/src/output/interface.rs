//! What an output is: opened from the line file, driven and told by the gate's thread, asked by others, closed by dropping
//! it.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::gate::Signal;
use crate::line_file::LineFile;
use crate::link::Links;
use crate::report::PartReport;

/// Something that takes dispositions: as levels, as reports, or both. Only the gate's thread, through
/// [`super::Outputs`], drives and tells it. It must never wait there; whoever writes to a slow device has a thread and a
/// bounded queue for that, as [`crate::report::ReportQueue`].
///
/// An output with levels begins in the safe state and goes back there when it is dropped. One with a thread ends it when
/// it is dropped, after a short time for what still waits.
pub trait Output: Send + Sync {
    /// Drives a signal; an output that does not have it leaves it out.
    ///
    /// # Errors
    /// What the system says: the signal may have any level.
    fn set(&self, _signal: Signal, _on: bool) -> io::Result<()> {
        Ok(())
    }

    /// Drives the heartbeat, which changes level while the gate is served.
    ///
    /// # Errors
    /// What the system says: the output may have any level.
    fn heartbeat(&self, _on: bool) -> io::Result<()> {
        Ok(())
    }

    /// Drives every signal as [`Signal::safe_level`] says, all at once.
    ///
    /// # Errors
    /// What the system says: the signals may have any level.
    fn safe_state(&self) -> io::Result<()> {
        Ok(())
    }

    /// Takes the report of a part that has passed the gate. One that finds no room is counted as dropped.
    fn deliver(&self, _report: &PartReport) {}

    /// Reports that nobody got.
    fn dropped(&self) -> u64 {
        0
    }

    /// What is wrong with it now, one sentence each.
    fn problems(&self) -> Vec<String> {
        vec![]
    }

    /// The sentence that says that its thread has ended by itself, if it has.
    fn ended(&self) -> Option<&'static str> {
        None
    }
}

/// A kind of output, which a line file may name.
pub trait Kind: Sync {
    /// Whether the line file names it.
    fn is_named(&self, line: &LineFile) -> bool;

    /// The devices that the line file gives it, each with its key.
    fn devices<'l>(&self, _line: &'l LineFile) -> Vec<(&'static str, &'l Path)> {
        vec![]
    }

    /// Opens it if the line file names it.
    ///
    /// # Errors
    /// [`OpenError`]
    fn open(&self, line: &LineFile, links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError>;
}

/// Why an output can't be opened: the sentence of its own error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpenError(Box<dyn Error + Send + Sync>);

impl OpenError {
    /// With the output's own error.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}
