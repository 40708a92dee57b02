//! State shared by the thread and the link.

use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::report::ReportQueue;

#[derive(Debug, Default)]
pub(super) struct PortState {
    pub(super) queue: ReportQueue,
    pub(super) ending: AtomicBool,
    pub(super) connected: AtomicBool,
    /// How often the device was opened.
    pub(super) opened: AtomicU64,
}
