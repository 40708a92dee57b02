//! Standard output as an output: JSON lines.

mod lines;

use std::sync::Arc;

use super::{OpenError, Output, OutputKind};
use crate::line_file::LineFile;
use crate::link::Links;
use crate::report::PartReport;

pub use lines::JsonLines;

/// The line file's `stdout` key.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

impl OutputKind for Stdout {
    fn is_enabled(&self, line: &LineFile) -> bool {
        line.stdout
    }

    fn open(&self, line: &LineFile, _links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError> {
        if !line.stdout {
            return Ok(None);
        }
        let lines = JsonLines::stdout().map_err(|source| OpenError::new(NoThread(source)))?;
        Ok(Some(Arc::new(lines)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot start the thread for standard output; raise the thread limit")]
struct NoThread(#[source] std::io::Error);

impl Output for JsonLines {
    fn deliver(&self, report: &PartReport) {
        self.report(report.clone());
    }

    fn dropped(&self) -> u64 {
        self.dropped()
    }

    fn ended(&self) -> Option<&'static str> {
        let sentence = "the standard output thread stopped unexpectedly; restart the line and report this";
        self.has_ended().then_some(sentence)
    }
}
