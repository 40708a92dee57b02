//! The serial port as an output: sends a report on each part to the peer through [`crate::link::serial`].

use std::path::Path;
use std::sync::Arc;

use super::{OpenError, Output, OutputKind};
use crate::line_file::LineFile;
use crate::link::Links;
use crate::link::serial::SerialLink;
use crate::report::PartReport;

/// The output side of `[serial]`.
#[derive(Debug, Clone, Copy)]
pub struct Serial;

impl OutputKind for Serial {
    fn is_enabled(&self, line: &LineFile) -> bool {
        line.serial.is_some()
    }

    fn devices<'l>(&self, line: &'l LineFile) -> Vec<(&'static str, &'l Path)> {
        line.serial.iter().map(|serial| ("serial.device", serial.device.as_path())).collect()
    }

    fn open(&self, line: &LineFile, links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError> {
        let Some(link) = links.serial() else { return Ok(None) };
        Ok(Some(Arc::new(SerialOutput { link: Arc::clone(link), is_needed: line.needs_serial() })))
    }
}

struct SerialOutput {
    link: Arc<SerialLink>,
    /// Whether the line needs the port for triggers or encoder counts.
    is_needed: bool,
}

impl Output for SerialOutput {
    fn deliver(&self, report: &PartReport) {
        self.link.send(report.clone());
    }

    fn dropped(&self) -> u64 {
        self.link.counts().dropped
    }

    fn problems(&self) -> Vec<String> {
        if self.link.counts().connected {
            return vec![];
        }
        let held = if self.is_needed { ", and the line is held" } else { "" };
        vec![format!("the serial port is not available{held}; connect it")]
    }

    fn ended(&self) -> Option<&'static str> {
        let sentence = "the serial port thread stopped unexpectedly; restart the line and report this";
        self.link.has_ended().then_some(sentence)
    }
}
