//! Takes the snapshots that the health monitor and the gateway get.

use std::sync::Arc;

use super::gateway::GatewayListener;
use super::line_state::LineState;
use super::mailbox::Mailbox;
use super::part_observer::Drift;
use super::peer::PeerListener;
use super::side_threads::RECORDER;
use crate::capture::Capture;
use crate::health::{CameraCounts, Counters, Snapshot};
use crate::output::OutputsHandle;
use crate::record::Recorder;

/// The sources of a snapshot.
pub(super) struct Snapshots {
    /// Counters of earlier runs.
    pub(super) before: Counters,
    pub(super) products: Vec<Arc<str>>,
    pub(super) shared: Arc<LineState>,
    pub(super) capture: Arc<Capture>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) drift: Drift,
    pub(super) mailbox: Mailbox,
    pub(super) outputs: OutputsHandle,
    pub(super) peer: PeerListener,
    pub(super) gateway: GatewayListener,
}

impl Snapshots {
    /// Takes a snapshot of the line now.
    pub(super) fn take(&self) -> Snapshot {
        let gate = self.shared.gate();
        let product = self.products.get(usize::from(self.shared.product()));
        let stats = self.capture.stats();
        let before = &self.before.camera;
        let camera = CameraCounts {
            captured: before.captured + stats.frames.captured,
            dropped: before.dropped + stats.frames.dropped,
            stale: before.stale + stats.frames.stale,
            lost: before.lost + stats.frames.lost,
            reopened: before.reopened + stats.reopened,
            ..*before
        };
        let recorder = self.recorder.as_ref();
        let counters = Counters {
            run: self.before.run,
            gate: gate.counts,
            camera,
            outputs_dropped: self.before.outputs_dropped + self.outputs.dropped(),
            records: recorder.map_or(self.before.records, |recorder| recorder.counts()),
        };
        let mut problems = stats.warnings;
        problems.extend(recorder.and_then(|recorder| recorder.problem()));
        problems.extend(self.outputs.problems());
        problems.extend(self.peer.problem());
        problems.extend(self.gateway.problems());
        problems.extend(self.shared.problems.sentences());
        let count = |counted: u64, text: &str| (counted > 0).then(|| format!("{counted} {text}"));
        problems.extend(count(stats.frames.lost, "frames dropped by the camera's driver"));
        problems.extend(count(self.mailbox.lost().all(), "messages to the gate lost"));
        if gate.alarms.output_failed {
            problems.push(
                "an output can't be driven and the line is held; check the chip and its supply".to_owned(),
            );
        }
        problems.extend(recorder.filter(|recorder| recorder.has_ended()).map(|_| RECORDER.to_owned()));
        Snapshot {
            product: product.map(ToString::to_string).unwrap_or_default(),
            camera: self.capture.state().to_string(),
            alarms: gate.alarms,
            counters,
            drift: self.drift.sentences(),
            problems,
            moved_thresholds: self.shared.moved_thresholds(),
        }
    }
}
