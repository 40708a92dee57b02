//! Takes the snapshots that the health monitor and the gateway get.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::gateway::GatewayListener;
use super::line_state::LineState;
use super::mailbox::Mailbox;
use super::part_observer::Drift;
use super::peer::PeerListener;
use super::side_threads::RECORDER;
use super::view::{View, ViewCounts};
use crate::capture::{CameraState, Capture};
use crate::health::{CameraCounts, Counters, Snapshot, ViewStatus};
use crate::output::OutputsHandle;
use crate::record::Recorder;

/// The sources of a snapshot.
pub(super) struct Snapshots {
    /// Counters of earlier runs.
    pub(super) before: Counters,
    pub(super) products: Vec<Arc<str>>,
    pub(super) shared: Arc<LineState>,
    /// That of `[camera]`, and those of further views.
    pub(super) cameras: Vec<SeenCamera>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) drift: Drift,
    pub(super) mailbox: Mailbox,
    pub(super) outputs: OutputsHandle,
    pub(super) peer: PeerListener,
    pub(super) gateway: GatewayListener,
}

impl Snapshots {
    /// Returns the state of the camera of `[camera]`.
    pub(super) fn camera_state(&self) -> CameraState {
        self.cameras.first().map_or(CameraState::Ended, |camera| camera.capture.state())
    }

    /// Takes a snapshot of the line now.
    pub(super) fn take(&self) -> Snapshot {
        let gate = self.shared.gate();
        let product = self.products.get(usize::from(self.shared.product()));
        let views: Vec<ViewStatus> = self.cameras.iter().map(SeenCamera::status).collect();
        let mut camera = self.before.camera;
        views.iter().for_each(|view| camera.add(&view.frames));
        let lost: u64 = views.iter().map(|view| view.frames.lost).sum();
        let recorder = self.recorder.as_ref();
        let counters = Counters {
            run: self.before.run,
            gate: gate.counts,
            camera,
            outputs_dropped: self.before.outputs_dropped + self.outputs.dropped(),
            records: recorder.map_or(self.before.records, |recorder| recorder.counts()),
        };
        let mut problems: Vec<String> = self.cameras.iter().flat_map(|camera| camera.warnings()).collect();
        problems.extend(self.cameras.iter().skip(1).filter_map(SeenCamera::problem));
        problems.extend(recorder.and_then(|recorder| recorder.problem()));
        problems.extend(self.outputs.problems());
        problems.extend(self.peer.problem());
        problems.extend(self.gateway.problems());
        problems.extend(self.shared.problems.sentences());
        let count = |counted: u64, text: &str| (counted > 0).then(|| format!("{counted} {text}"));
        problems.extend(count(lost, "frames dropped by the camera's driver"));
        problems.extend(count(self.mailbox.lost().all(), "messages to the gate lost"));
        if gate.alarms.output_failed {
            problems.push(
                "an output can't be driven and the line is held; check the chip and its supply".to_owned(),
            );
        }
        problems.extend(recorder.filter(|recorder| recorder.has_ended()).map(|_| RECORDER.to_owned()));
        Snapshot {
            product: product.map(ToString::to_string).unwrap_or_default(),
            camera: self.camera_state().to_string(),
            views: if views.len() > 1 { views } else { vec![] },
            alarms: gate.alarms,
            counters,
            drift: self.drift.sentences(),
            problems,
            moved_thresholds: self.shared.moved_thresholds(),
        }
    }
}

/// A camera and what its view said of parts.
pub(super) struct SeenCamera {
    name: Arc<str>,
    capture: Arc<Capture>,
    counts: Arc<ViewCounts>,
    is_only: bool,
}

impl SeenCamera {
    /// Returns the cameras with their views' counts.
    pub(super) fn of(cameras: &[(Arc<str>, Arc<Capture>)], views: &[View]) -> Vec<Self> {
        let is_only = cameras.len() == 1;
        let seen = cameras.iter().zip(views).map(|((name, capture), view)| Self {
            name: Arc::clone(name),
            capture: Arc::clone(capture),
            counts: Arc::clone(&view.counts),
            is_only,
        });
        seen.collect()
    }

    fn status(&self) -> ViewStatus {
        let stats = self.capture.stats();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ViewStatus {
            name: self.name.to_string(),
            camera: self.capture.state().to_string(),
            passed: count(&self.counts.passed),
            rejected: count(&self.counts.rejected),
            faults: count(&self.counts.faults),
            missing: count(&self.counts.missing),
            frames: CameraCounts {
                captured: stats.frames.captured,
                dropped: stats.frames.dropped,
                lost: stats.frames.lost,
                stale: stats.frames.stale,
                reopened: stats.reopened,
                ..CameraCounts::default()
            },
        }
    }

    fn warnings(&self) -> Vec<String> {
        let named =
            |warning: String| if self.is_only { warning } else { format!("view {}: {warning}", self.name) };
        self.capture.stats().warnings.into_iter().map(named).collect()
    }

    /// Says what is wrong with the camera of a further view.
    fn problem(&self) -> Option<String> {
        match self.capture.state() {
            CameraState::Live | CameraState::Starting => None,
            other => Some(format!("view {}: {other}", self.name)),
        }
    }
}
