//! Opens everything that a line needs: outputs first, in their safe state, then the rest.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use super::bundles::LineBundles;
use super::error::StartError;
use super::gate_thread::{GateContext, GateThread};
use super::gateway::{GatewayContext, GatewayListener};
use super::inspector::{Inspector, Judges};
use super::line_state::LineState;
use super::mailbox::{Blind, Mailbox, Message};
use super::part_observer::{Drift, ObservedLine, part_observer};
use super::side_threads::SideThreads;
use super::snapshots::{SeenCamera, Snapshots};
use super::tasks::{self, TaskThread};
use super::view::View;
use crate::capture::{self, Arrivals, Capture};
use crate::clock::Moment;
use crate::health::{self, CounterFile, CounterFileError, Counters, Monitor};
use crate::input::{Event, EventKind};
use crate::line_file::LineFile;
use crate::link::Links;
use crate::output::Outputs;
use crate::part::ViewCount;
use crate::realtime;
use crate::record::{RecordSettings, Recorder};
use crate::trigger::frames::{FrameListener, listener};

/// A line whose threads are running. It is held in its safe state until it is supervised, and returns to it when dropped.
pub struct RunningLine {
    pub(super) gate_thread: GateThread,
    pub(super) shared: Arc<LineState>,
    /// Those of the further views come after that of `[camera]`.
    pub(super) cameras: Vec<Arc<Capture>>,
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
        let names = line.cameras().map(|(name, _)| Arc::from(name));
        let view_names: Vec<Arc<str>> = if line.views.is_empty() { vec![] } else { names.collect() };
        let context = GateContext {
            line,
            links: &links,
            shared: &shared,
            products: &products,
            views: &view_names,
            run,
        };
        let (gate_thread, peer) = GateThread::start(&context, outputs, counters.gate, triggered_parts)?;
        let mailbox = &gate_thread.mailbox;
        let (gateway, gateway_commands) = GatewayListener::new(line, &links, mailbox);
        let mut bundles = LineBundles::open(line)?;
        let judged_with = tasks::restore(line, &mut bundles, &shared);
        let drift = Drift::new(&bundles.names, &bundles.judges);
        let recorder = recorder(line, &counters)?;
        let camera_sees_parts = line.trigger.is_in_frames();
        if camera_sees_parts {
            mailbox.blind(Blind::Camera, true);
        }
        let cameras = Cameras::start(line, &bundles, mailbox, &shared)?;
        let views = cameras.views(line, &bundles);
        let snapshots = Arc::new(Snapshots {
            before: counters,
            products: products.clone(),
            shared: Arc::clone(&shared),
            cameras: SeenCamera::of(&cameras.all, &views),
            recorder: recorder.clone(),
            drift: drift.clone(),
            mailbox: mailbox.clone(),
            outputs: outputs_handle.clone(),
            peer: peer.clone(),
            gateway: gateway.clone(),
        });
        let drift_of = drift.clone();
        let applied = Box::new(move |judge, thresholds: &_| drift_of.replace(judge, thresholds));
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
        let observed = ObservedLine {
            products,
            views: cameras.all.iter().map(|(name, _)| Arc::clone(name)).collect(),
            judge_of: bundles.judge_of.clone(),
            own: bundles.own.clone(),
        };
        let observer = part_observer(recorder.clone(), drift, observed, photos);
        let inspector = Inspector {
            judges: Judges(bundles.judges),
            votes: bundles.votes,
            views,
            view_votes: ViewCount::new(&line.votes),
            arrivals: Arc::clone(&cameras.arrivals),
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
            cameras: cameras.all.into_iter().map(|(_, capture)| capture).collect(),
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

fn recorder(line: &LineFile, counters: &Counters) -> Result<Option<Arc<Recorder>>, StartError> {
    let settings = RecordSettings::of(line);
    let recorder = settings.map(|settings| Recorder::start(settings, counters.run, counters.records));
    let recorder = recorder.transpose().map_err(StartError::thread("the records thread"))?;
    Ok(recorder.map(Arc::new))
}

/// The line's cameras.
pub(super) struct Cameras {
    /// What their frames are reported to.
    pub(super) arrivals: Arc<Arrivals>,
    /// Of each view, its name and camera, that of `[camera]` first.
    pub(super) all: Vec<(Arc<str>, Arc<Capture>)>,
}

impl Cameras {
    /// Starts all of them. Triggers that are in frames are in those of the first.
    fn start(
        line: &LineFile,
        bundles: &LineBundles,
        mailbox: &Mailbox,
        shared: &Arc<LineState>,
    ) -> Result<Self, StartError> {
        let arrivals = Arc::new(Arrivals::default());
        let mut all = vec![];
        for (index, (name, camera)) in line.cameras().enumerate() {
            let (settings, most) = (camera.clone(), bundles.largest_frame(index));
            let open = move || capture::open(&settings, most);
            let listener: FrameListener = if index == 0 {
                // Each product has its own region of interest.
                let regions: Vec<_> =
                    bundles.of_view(index).map(|judge| judge.bundle().thresholds.recipe.roi).collect();
                let (mailbox, shared) = (mailbox.clone(), Arc::clone(shared));
                listener(
                    &line.trigger,
                    &regions,
                    move || shared.product().into(),
                    move |event| mailbox.send(Message::Event(event)),
                )
            } else {
                Box::new(|_, _| {})
            };
            let capture = Capture::start(open, &line.health, listener)
                .map_err(StartError::thread("the capture thread"))?;
            capture.ring().report_to(Arc::clone(&arrivals));
            all.push((name.into(), Arc::new(capture)));
        }
        Ok(Self { arrivals, all })
    }

    /// Returns the inspector's views, and their counts.
    fn views(&self, line: &LineFile, bundles: &LineBundles) -> Vec<View> {
        let timings = std::iter::once((line.main_timing(), false))
            .chain(line.views.iter().map(|view| (view.timing(line), view.optional)));
        let views = self.all.iter().zip(timings).zip(&bundles.judge_of);
        let is_only = self.all.len() == 1;
        views
            .map(|(((name, capture), (timing, optional)), judges)| {
                let camera = Arc::clone(capture);
                View {
                    label: if is_only { String::new() } else { format!("view {name}: ") },
                    frames: Arc::clone(capture.ring()),
                    camera_state: Box::new(move || camera.state()),
                    timing,
                    optional,
                    judges: judges.clone(),
                    counts: Arc::default(),
                }
            })
            .collect()
    }
}
