//! What health is told about a line, once a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::listeners::Listeners;
use super::mailbox::Mailbox;
use super::shared::Shared;
use super::witness::Drift;
use crate::capture::Capture;
use crate::health::{CameraCounts, Counters, Snapshot};
use crate::record::Recorder;

/// Where snapshots come from.
pub(super) struct Snapshots {
    /// Counters of earlier runs.
    pub(super) before: Counters,
    pub(super) products: Vec<Arc<str>>,
    pub(super) shared: Arc<Shared>,
    pub(super) capture: Arc<Capture>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) drift: Drift,
    pub(super) mailbox: Mailbox,
    pub(super) listeners: Listeners,
}

impl Snapshots {
    /// The line as it is now.
    pub(super) fn take(&self) -> Snapshot {
        let gate = self.shared.gate();
        let product = self.products.get(usize::from(self.shared.product()));
        let stats = self.capture.stats();
        let before = &self.before.camera;
        let camera = CameraCounts {
            captured: before.captured + stats.frames.captured,
            dropped: before.dropped + stats.frames.dropped,
            stale: before.stale + stats.frames.stale,
            reopened: before.reopened + stats.reopened,
            ..*before
        };
        let recorder = self.recorder.as_ref();
        let counters = Counters {
            run: self.before.run,
            gate: gate.counts,
            camera,
            outputs_dropped: self.before.outputs_dropped + self.listeners.dropped(),
            records: recorder.map_or(self.before.records, |recorder| recorder.counts()),
        };
        let mut problems = stats.warnings;
        problems.extend(recorder.and_then(|recorder| recorder.problem()));
        problems.extend(self.listeners.problems());
        let count = |counted: u64, text: &str| (counted > 0).then(|| format!("{counted} {text}"));
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        problems.extend(count(load(&self.shared.output_errors), "times an output could not be driven"));
        problems.extend(count(load(&self.shared.skipped), "parts not looked at, the inspector is too slow"));
        problems.extend(count(self.mailbox.lost(), "messages to the gate lost"));
        Snapshot {
            product: product.map(ToString::to_string).unwrap_or_default(),
            camera: self.capture.state().to_string(),
            alarms: gate.alarms,
            counters,
            drift: self.drift.sentences(),
            problems,
        }
    }
}
