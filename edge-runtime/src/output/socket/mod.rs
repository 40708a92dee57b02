//! The local socket as an output: sends a report on each part to the gateway through [`crate::link::socket`].

use std::path::Path;
use std::sync::Arc;

use super::{OpenError, Output, OutputKind};
use crate::line_file::LineFile;
use crate::link::Links;
use crate::link::socket::SocketLink;
use crate::report::PartReport;

/// The output side of `[socket]`.
#[derive(Debug, Clone, Copy)]
pub struct Socket;

impl OutputKind for Socket {
    fn is_enabled(&self, line: &LineFile) -> bool {
        line.socket.is_some()
    }

    /// None: the line makes the socket itself, and [`crate::link::socket::check`] says whether it can.
    fn devices<'l>(&self, _line: &'l LineFile) -> Vec<(&'static str, &'l Path)> {
        vec![]
    }

    fn open(&self, _line: &LineFile, links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError> {
        let Some(link) = links.socket() else { return Ok(None) };
        Ok(Some(Arc::new(SocketOutput { link: Arc::clone(link) })))
    }
}

struct SocketOutput {
    link: Arc<SocketLink>,
}

impl Output for SocketOutput {
    fn deliver(&self, report: &PartReport) {
        self.link.send(report.clone());
    }

    fn dropped(&self) -> u64 {
        self.link.counts().dropped
    }

    fn ended(&self) -> Option<&'static str> {
        let sentence = "the gateway's socket thread stopped unexpectedly; restart the line and report this";
        self.link.has_ended().then_some(sentence)
    }
}
