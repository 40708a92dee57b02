//! Opens everything that a line needs: outputs first, in their safe state, and the rest behind them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use judge::Judge;
use shared_format::Size;

use super::gatekeeper::{Gatekeeper, PartStart};
use super::inspector::Inspector;
use super::mailbox::{Blind, Mailbox, Message};
use super::peer::Peer;
use super::shared::Shared;
use super::side_threads::SideThreads;
use super::snapshots::Snapshots;
use super::witness::{Drift, witness};
use crate::capture::{self, Capture};
use crate::clock::Moment;
use crate::files::bundle::{check_first_golden, open};
use crate::gate::{Counts, Gate, Settings};
use crate::health::{self, CounterFile, Counters, Monitor};
use crate::input::encoder_watch::EncoderWatch;
use crate::input::{self, Event, Happening};
use crate::line_file::{LineFile, Product};
use crate::link::Links;
use crate::output::Outputs;
use crate::realtime::{self, Waiter};
use crate::record::{self, Recorder};
use crate::trigger::frames::listener;

/// A line whose threads run. It is held in its safe state until it is supervised, and left in it when dropped.
pub struct Line {
    pub(super) served: Served,
    pub(super) shared: Arc<Shared>,
    pub(super) capture: Arc<Capture>,
    pub(super) inspector: JoinHandle<()>,
    pub(super) monitor: Monitor,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) side_threads: SideThreads,
    /// Whether parts pass unseen while the camera gives no frames.
    pub(super) camera_sees_parts: bool,
}

impl Line {
    /// Opens outputs, inputs, bundles and camera, and starts the threads.
    ///
    /// # Errors
    /// A sentence that says what can't be opened; the outputs are left in their safe state then.
    pub fn start(line: &LineFile) -> Result<Self> {
        let links = Links::of(line)?;
        // First of all: until this is done, nobody rejects.
        let outputs = Outputs::open(line, &links)?;
        let watch = outputs.watch();
        let (counter_file, counters) = counters(line)?;
        let run = u32::try_from(counters.run).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared::new(counters.gate, Moment::now()));
        let products: Vec<Arc<str>> =
            line.products.iter().map(|product| product.name.as_str().into()).collect();
        let (starts, parts) = sync_channel(usize::from(line.gate.queue));
        let keep = Keep { line, links: &links, shared: &shared, products: &products, run };
        let (served, peer) = Served::start(&keep, outputs, counters.gate, starts)?;
        let mailbox = &served.mailbox;
        let judges = judges(line)?;
        let drift = Drift::new(&products, &judges);
        let recorder = recorder(line, &counters)?;
        let camera_sees_parts = line.trigger.is_in_frames();
        if camera_sees_parts {
            mailbox.blind(Blind::Camera, true);
        }
        let capture = Arc::new(start_capture(line, &judges, mailbox, &shared)?);
        let snapshots = Snapshots {
            before: counters,
            products: products.clone(),
            shared: Arc::clone(&shared),
            capture: Arc::clone(&capture),
            recorder: recorder.clone(),
            drift: drift.clone(),
            mailbox: mailbox.clone(),
            outputs: watch.clone(),
            peer: peer.clone(),
        };
        let latencies = Arc::clone(&shared.latencies);
        let monitor =
            Monitor::start(health::Settings::of(line), latencies, counter_file, move || snapshots.take())
                .context("cannot start the thread that watches over the line; raise the limit of threads")?;
        let witness = witness(recorder.clone(), drift, products, &judges);
        let inspector = start_inspector(line, judges, &capture, parts, mailbox, &shared, witness)?;
        tracing::info!("{}", realtime::lock_memory());
        if line.challenge.is_some_and(|challenge| challenge.at_start) {
            mailbox.send(Message::Event(Event { at: Moment::now(), what: Happening::Challenge }));
        }
        let side_threads = SideThreads::new(watch, peer);
        Ok(Self { served, shared, capture, inspector, monitor, recorder, side_threads, camera_sees_parts })
    }
}

/// The gatekeeper's thread. Dropping it ends the thread, which leaves the outputs in their safe state.
pub(super) struct Served {
    pub(super) mailbox: Mailbox,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

/// What the gatekeeper is made from, beside what it owns.
struct Keep<'l> {
    line: &'l LineFile,
    links: &'l Links,
    shared: &'l Arc<Shared>,
    products: &'l [Arc<str>],
    run: u32,
}

impl Served {
    fn start(
        keep: &Keep<'_>,
        outputs: Outputs,
        counts: Counts,
        starts: SyncSender<PartStart>,
    ) -> Result<(Self, Peer)> {
        let Keep { line, links, shared, products, run } = *keep;
        let waiter = Waiter::new().context("cannot wait for events; raise the limit of open files")?;
        let mailbox = Mailbox::new(waiter.waker());
        let mut first_events = vec![];
        let inputs = input::open(line, &mut first_events)?;
        let peer = Peer::listen(line, links, &mailbox, shared)
            .context("cannot start the serial port's thread; raise the limits of threads and open files")?;
        let keeper = Gatekeeper {
            gate: Gate::new(Settings::of(line), counts, Moment::now()),
            outputs,
            inputs,
            encoder: EncoderWatch::new(line.encoder_silent(), has_belt_input(line)),
            waiter,
            mailbox: mailbox.clone(),
            starts,
            shared: Arc::clone(shared),
            every: line.trigger.every(),
            products: products.to_vec(),
            selected_by: selections(line),
            run,
            challenge: line.challenge.map_or(0, |challenge| challenge.parts),
        };
        let (grants, granted) = sync_channel(1);
        let serve = move || {
            let _ = grants.send(realtime::claim());
            keeper.serve(first_events)
        };
        let thread = std::thread::Builder::new()
            .name("gate".to_owned())
            .spawn(serve)
            .context("cannot start the gate's thread; raise the limit of threads")?;
        // The gate's thread itself must not wait for whoever reads the log.
        for grant in granted.recv().into_iter().flatten() {
            if grant.is_granted() { tracing::info!("{grant}") } else { tracing::warn!("{grant}") }
        }
        Ok((Self { mailbox, thread: Some(thread) }, peer))
    }

    /// Whether the thread has ended, though nobody asked it to.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread, which leaves the outputs in their safe state.
    ///
    /// # Errors
    /// Where it ended by itself or the outputs can't be driven.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.mailbox.stop();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        match thread.join() {
            Ok(served) => served.context("the gate could not be served to the end; check its outputs"),
            Err(_) => anyhow::bail!("the gate's thread failed; the outputs are in their safe state"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Only on the way out of an error, which says more.
        let _ = self.stop();
    }
}

/// The counters of earlier runs, and where this run's are kept.
fn counters(line: &LineFile) -> Result<(Option<CounterFile>, Counters)> {
    match &line.health.state {
        Some(folder) => {
            let (file, counters) = CounterFile::open(folder)?;
            Ok((Some(file), counters))
        }
        None => Ok((None, Counters { run: 1, ..Counters::default() })),
    }
}

fn has_belt_input(line: &LineFile) -> bool {
    line.gpio.as_ref().is_some_and(|gpio| gpio.belt.is_some())
}

/// Place of the product for each number on the product inputs.
fn selections(line: &LineFile) -> Vec<(u8, u16)> {
    (0u16..).zip(&line.products).filter_map(|(place, product)| Some((product.select?, place))).collect()
}

fn judges(line: &LineFile) -> Result<Vec<Judge>> {
    let judge = |product: &Product| -> Result<Judge> {
        let mut judge = open(&product.bundle, line.threads.into())?;
        check_first_golden(&mut judge)?;
        Ok(judge)
    };
    line.products
        .iter()
        .map(|product| judge(product).with_context(|| format!("product {}", product.name)))
        .collect()
}

fn recorder(line: &LineFile, counters: &Counters) -> Result<Option<Arc<Recorder>>> {
    let settings = record::Settings::of(line);
    let recorder = settings.map(|settings| Recorder::start(settings, counters.run, counters.records));
    let recorder = recorder.transpose();
    Ok(recorder
        .context("cannot start the thread that keeps records; raise the limit of threads")?
        .map(Arc::new))
}

fn start_capture(
    line: &LineFile,
    judges: &[Judge],
    mailbox: &Mailbox,
    shared: &Arc<Shared>,
) -> Result<Capture> {
    let settings = line.camera.clone();
    let largest = judges.iter().map(|judge| judge.bundle().thresholds.recipe.frames.most());
    // What one of the products can be.
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
    let capture = Capture::start(open, &line.health, listener);
    capture.context("cannot start the thread that captures frames; raise the limit of threads")
}

fn start_inspector(
    line: &LineFile,
    judges: Vec<Judge>,
    capture: &Arc<Capture>,
    starts: Receiver<PartStart>,
    mailbox: &Mailbox,
    shared: &Arc<Shared>,
    witness: super::inspector::Witness,
) -> Result<JoinHandle<()>> {
    let camera = Arc::clone(capture);
    let inspector = Inspector {
        judges,
        votes: line.votes,
        frames: Arc::clone(capture.ring()),
        camera: Box::new(move || camera.state()),
        exposure_delay: line.trigger.exposure_delay(),
        patience: Duration::try_from_secs_f64(line.health.silent_s).unwrap_or(Duration::from_secs(1)),
        starts,
        mailbox: mailbox.clone(),
        shared: Arc::clone(shared),
        witness,
    };
    let thread = std::thread::Builder::new().name("inspector".to_owned());
    thread
        .spawn(move || inspector.inspect_all())
        .context("cannot start the inspector's thread; raise the limit of threads")
}
