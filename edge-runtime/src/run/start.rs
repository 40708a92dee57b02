//! Opens everything that a line needs: outputs first, in their safe state, then the rest.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use judge::{Engine, Judge};
use shared_format::Size;
use signing::SignedBundle;

use super::error::StartError;
use super::gate_thread::{GateContext, GateThread};
use super::gateway::{GatewayContext, GatewayListener};
use super::inspector::Inspector;
use super::line_state::LineState;
use super::mailbox::{Blind, Mailbox, Message};
use super::part_observer::{Drift, part_observer};
use super::side_threads::SideThreads;
use super::snapshots::Snapshots;
use super::tasks::{self, TaskThread};
use crate::capture::{self, Capture};
use crate::clock::Moment;
use crate::files::bundles::{OpenBundleError, check_first_golden, warn_of_emulation, zone_levels};
use crate::health::{self, CounterFile, CounterFileError, Counters, Monitor};
use crate::input::{Event, EventKind};
use crate::line_file::{LineFile, Product};
use crate::link::Links;
use crate::output::Outputs;
use crate::part::VoteCount;
use crate::realtime;
use crate::record::{RecordSettings, Recorder};
use crate::trigger::frames::listener;
use crate::trust::{LineTrust, describe};

/// A line whose threads are running. It is held in its safe state until it is supervised, and returns to it when dropped.
pub struct RunningLine {
    pub(super) gate_thread: GateThread,
    pub(super) shared: Arc<LineState>,
    pub(super) capture: Arc<Capture>,
    pub(super) inspector: JoinHandle<()>,
    pub(super) monitor: Monitor,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) side_threads: SideThreads,
    /// Whether parts pass unseen while the camera delivers no frames.
    pub(super) camera_sees_parts: bool,
}

impl RunningLine {
    /// Opens outputs, inputs, bundles and camera, and starts the threads.
    ///
    /// # Errors
    /// [`StartError`]; the outputs are then left in their safe state.
    pub fn start(line: &LineFile) -> Result<Self, StartError> {
        let links = Links::of(line)?;
        // First: until the outputs are open, nothing rejects parts.
        let outputs = Outputs::open(line, &links)?;
        let outputs_handle = outputs.handle();
        let (counter_file, counters) = counters(line)?;
        let run = u32::try_from(counters.run).unwrap_or(u32::MAX);
        let shared = Arc::new(LineState::new(counters.gate, Moment::now()));
        let products: Vec<Arc<str>> =
            line.products.iter().map(|product| product.name.as_str().into()).collect();
        let (triggered_parts, parts) = sync_channel(usize::from(line.gate.queue));
        let context = GateContext { line, links: &links, shared: &shared, products: &products, run };
        let (gate_thread, peer) = GateThread::start(&context, outputs, counters.gate, triggered_parts)?;
        let mailbox = &gate_thread.mailbox;
        let (gateway, gateway_commands) = GatewayListener::new(line, &links, mailbox);
        let mut judges = judges(line)?;
        let votes = votes(line, &judges)?;
        let judged_with = tasks::restore(line, &mut judges, &shared);
        let drift = Drift::new(&products, &judges);
        let recorder = recorder(line, &counters)?;
        let camera_sees_parts = line.trigger.is_in_frames();
        if camera_sees_parts {
            mailbox.blind(Blind::Camera, true);
        }
        let capture = Arc::new(start_capture(line, &judges, mailbox, &shared)?);
        let snapshots = Arc::new(Snapshots {
            before: counters,
            products: products.clone(),
            shared: Arc::clone(&shared),
            capture: Arc::clone(&capture),
            recorder: recorder.clone(),
            drift: drift.clone(),
            mailbox: mailbox.clone(),
            outputs: outputs_handle.clone(),
            peer: peer.clone(),
            gateway: gateway.clone(),
        });
        let drift_of = drift.clone();
        let applied = Box::new(move |product, thresholds: &_| drift_of.replace(product, thresholds));
        let (tasks, photos, updates) = match tasks::start(line, judged_with, &shared, applied)
            .map_err(StartError::thread("the tasks thread"))?
        {
            Some(TaskThread { tasks, photos, updates }) => (Some(tasks), Some(photos), Some(updates)),
            None => (None, None, None),
        };
        let context = GatewayContext { line, mailbox, snapshots: &snapshots, run, tasks };
        gateway
            .listen(context, gateway_commands)
            .map_err(StartError::thread("the gateway's socket thread"))?;
        let latencies = Arc::clone(&shared.latencies);
        let monitor = Monitor::start(health::MonitorSettings::of(line), latencies, counter_file, move || {
            snapshots.take()
        })
        .map_err(StartError::thread("the health thread"))?;
        let observer = part_observer(recorder.clone(), drift, products, photos);
        let camera = Arc::clone(&capture);
        let inspector = Inspector {
            judges,
            votes,
            frames: Arc::clone(capture.ring()),
            camera_state: Box::new(move || camera.state()),
            exposure_delay: line.trigger.exposure_delay(),
            frame_timeout: Duration::try_from_secs_f64(line.health.silent_s)
                .unwrap_or(Duration::from_secs(1)),
            parts,
            mailbox: mailbox.clone(),
            shared: Arc::clone(&shared),
            observer,
            updates,
        };
        let inspector = std::thread::Builder::new()
            .name("inspector".to_owned())
            .spawn(move || inspector.inspect_all())
            .map_err(StartError::thread("the inspector thread"))?;
        tracing::info!("{}", realtime::lock_memory());
        if line.challenge.is_some_and(|challenge| challenge.at_start) {
            mailbox.send(Message::Event(Event { at: Moment::now(), kind: EventKind::Challenge }));
        }
        let side_threads = SideThreads::new(outputs_handle, peer, gateway);
        Ok(Self {
            gate_thread,
            shared,
            capture,
            inspector,
            monitor,
            recorder,
            side_threads,
            camera_sees_parts,
        })
    }
}

/// Returns the counters of earlier runs, and the file for this run's.
fn counters(line: &LineFile) -> Result<(Option<CounterFile>, Counters), CounterFileError> {
    match &line.health.state {
        Some(folder) => {
            let (file, counters) = CounterFile::open(folder)?;
            Ok((Some(file), counters))
        }
        None => Ok((None, Counters { run: 1, ..Counters::default() })),
    }
}

fn judges(line: &LineFile) -> Result<Vec<Judge>, StartError> {
    let trust = LineTrust::of(line)?;
    let judge = |product: &Product| -> Result<(Judge, Option<SignedBundle>), OpenBundleError> {
        let (mut judge, signed) = trust.open(Engine::default(), product, line.threads.into())?;
        warn_of_emulation(&mut judge);
        check_first_golden(&mut judge)?;
        Ok((judge, signed))
    };
    let named = |product: &Product| {
        judge(product).map_err(|e| StartError::Bundle { product: product.name.clone(), source: Box::new(e) })
    };
    let (judges, signed): (Vec<_>, Vec<_>) =
        line.products.iter().map(named).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    for (product, signed) in line.products.iter().zip(&signed) {
        if let Some(signed) = signed {
            tracing::info!("product {}: the bundle is {}", product.name, describe(signed));
        }
    }
    // Only now: a bundle that can't be run must not shut out the one before it.
    let opened: Vec<_> = line
        .products
        .iter()
        .zip(&signed)
        .map(|(product, signed)| (product.name.as_str(), signed.as_ref()))
        .collect();
    trust.remember(&opened)?;
    Ok(judges)
}

fn votes(line: &LineFile, judges: &[Judge]) -> Result<Vec<VoteCount>, StartError> {
    let of_product = |(product, judge): (&Product, &Judge)| {
        let count = line.vote_count(&zone_levels(judge));
        count.map_err(|source| StartError::Votes { product: product.name.clone(), source })
    };
    line.products.iter().zip(judges).map(of_product).collect()
}

fn recorder(line: &LineFile, counters: &Counters) -> Result<Option<Arc<Recorder>>, StartError> {
    let settings = RecordSettings::of(line);
    let recorder = settings.map(|settings| Recorder::start(settings, counters.run, counters.records));
    let recorder = recorder.transpose().map_err(StartError::thread("the records thread"))?;
    Ok(recorder.map(Arc::new))
}

fn start_capture(
    line: &LineFile,
    judges: &[Judge],
    mailbox: &Mailbox,
    shared: &Arc<LineState>,
) -> Result<Capture, StartError> {
    let settings = line.camera.clone();
    let largest = judges.iter().map(|judge| judge.bundle().thresholds.recipe.frames.max_admitted());
    // Large enough for a frame of any product.
    let most = largest.reduce(|a, b| Size { width: a.width.max(b.width), height: a.height.max(b.height) });
    let open = move || capture::open(&settings, most);
    // Each product has its own region of interest.
    let regions: Vec<_> = judges.iter().map(|judge| judge.bundle().thresholds.recipe.roi).collect();
    let (mailbox, shared) = (mailbox.clone(), Arc::clone(shared));
    let listener = listener(
        &line.trigger,
        &regions,
        move || shared.product().into(),
        move |event| mailbox.send(Message::Event(event)),
    );
    Capture::start(open, &line.health, listener).map_err(StartError::thread("the capture thread"))
}
