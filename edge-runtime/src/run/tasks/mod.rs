//! Thresholds and bundles that people ask for through the gateway, carried out by a thread of their own.
//!
//! The thread waits for disks and opens bundles; the inspector takes up what is ready between two parts. Learning and teaching are the
//! work of another process, which gives way to this one.

mod learning;
mod photos;
mod thresholds;
mod worker;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use judge::{Fault, Judge};
use shared_format::gateway::{Answer, CommandKind, Outcome, TaskRequest};
use shared_format::{Roi, ThresholdFile};

use self::thresholds::moved_thresholds;
pub(super) use self::thresholds::restore;
use super::inspector::{InspectedFrame, JudgeUpdate, UpdateObserver, Updates};
use super::line_state::LineState;
use crate::capture::CapturedFrame;
use crate::clock::Moment;
use crate::line_file::LineFile;
use crate::tasks::{Board, Bounds, Learner, Moved, MovedThresholds, Photos};

/// The largest number of requests and photos that wait for the thread.
const MAX_WAITING: usize = 64;
/// The largest number of photos among them: each holds a frame.
const MAX_WAITING_PHOTOS: usize = 4;
/// How long the thread may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const STOP_POLL: Duration = Duration::from_millis(5);
/// Not a product.
const NONE: u16 = u16::MAX;

/// What the thread is told.
enum Message {
    /// A request, and the connection that it came over.
    Request(u64, TaskRequest),
    /// A frame of a part of this product.
    Photo(u16, Arc<CapturedFrame>),
}

/// What the thread and those who talk to it share.
#[derive(Debug)]
struct Common {
    /// The product whose photos are taken.
    product: AtomicU16,
    /// Photos that wait for the thread.
    waiting: AtomicUsize,
    /// Whether the line is ending.
    ending: AtomicBool,
}

/// The way to the thread. It ends when this is dropped, and so does a process that it has started.
pub(super) struct Tasks {
    messages: SyncSender<Message>,
    answers: Receiver<(u64, Answer)>,
    common: Arc<Common>,
    thread: JoinHandle<()>,
}

/// Passes frames on to the thread while photos are taken. Never waits.
pub(super) struct PhotoTap {
    messages: SyncSender<Message>,
    common: Arc<Common>,
}

/// The thread, and what the inspector needs of it.
pub(super) struct TaskThread {
    pub(super) tasks: Tasks,
    pub(super) photos: PhotoTap,
    pub(super) updates: Updates,
}

/// What a product is judged with.
#[derive(Debug, Clone)]
pub(super) struct JudgedWith {
    /// The index of its judge.
    judge: usize,
    /// Identifies the bundle.
    bundle: String,
    /// The bundle's own threshold, with its evidence.
    own: f32,
    bounds: Bounds,
    roi: Option<Roi>,
    moved: Option<Moved>,
}

impl JudgedWith {
    fn new(line: &LineFile, judge: usize, thresholds: &ThresholdFile, bundle: String) -> Self {
        let bounds = Bounds::of(thresholds, line.threshold);
        let (own, roi) = (thresholds.image_threshold, thresholds.recipe.roi);
        Self { judge, bundle, own, bounds, roi, moved: None }
    }

    fn used(&self) -> f32 {
        self.moved.as_ref().map_or(self.own, |moved| moved.value)
    }
}

/// A process that learns or teaches.
struct Running {
    learner: Learner,
    product: usize,
    /// Whether it may put another bundle in place.
    applies: bool,
    /// The photos that were kept for the next bundle's lesson.
    kept: Option<PathBuf>,
}

struct Worker {
    line: LineFile,
    shared: Arc<LineState>,
    records: PathBuf,
    board: Board,
    moved: Option<MovedThresholds>,
    judged_with: Vec<JudgedWith>,
    /// The photos of the product that is being taught, by its index.
    photos: Option<(u16, Photos)>,
    common: Arc<Common>,
    learner: Option<Running>,
    updates: SyncSender<JudgeUpdate>,
    unused: Receiver<Box<Judge>>,
    answered: Sender<(u64, Answer)>,
    /// Whether the board says something else than its file.
    is_changed: bool,
}

/// Starts the thread, if the line file accepts a task and keeps records.
///
/// # Errors
/// The system's error if it has no more threads.
pub(super) fn start(
    line: &LineFile,
    judged_with: Vec<JudgedWith>,
    shared: &Arc<LineState>,
    applied: UpdateObserver,
) -> io::Result<Option<TaskThread>> {
    let kinds = [CommandKind::Threshold, CommandKind::Learn, CommandKind::Teach, CommandKind::Install];
    let Some(records) = line.records.folder.clone() else { return Ok(None) };
    if !kinds.into_iter().any(|kind| line.accepts(kind)) {
        return Ok(None);
    }
    let (messages, incoming) = sync_channel(MAX_WAITING);
    let (answered, answers) = channel();
    let (updates, updated) = sync_channel(MAX_WAITING);
    let (retired, unused) = channel();
    let common = Arc::new(Common {
        product: AtomicU16::new(NONE),
        waiting: AtomicUsize::new(0),
        ending: AtomicBool::new(false),
    });
    let photos = PhotoTap { messages: messages.clone(), common: Arc::clone(&common) };
    let worker = Worker {
        line: line.clone(),
        shared: Arc::clone(shared),
        board: Board::new(&records),
        records,
        moved: moved_thresholds(line),
        judged_with,
        photos: None,
        common: Arc::clone(&common),
        learner: None,
        updates,
        unused,
        answered,
        is_changed: true,
    };
    // Not a side thread: opening a bundle takes more stack than those have.
    let thread = std::thread::Builder::new().name("tasks".to_owned()).spawn(move || worker.run(&incoming))?;
    let tasks = Tasks { messages, answers, common, thread };
    Ok(Some(TaskThread { tasks, photos, updates: Updates { incoming: updated, retired, applied } }))
}

impl Tasks {
    /// Passes a request on to the thread. Never blocks. Returns the outcome if it is known already.
    pub(super) fn submit(&self, connection: u64, request: TaskRequest) -> Option<Outcome> {
        self.messages.try_send(Message::Request(connection, request)).err().map(|_| Outcome::Busy)
    }

    /// Returns the answers since the last call.
    pub(super) fn answers(&self) -> Vec<(u64, Answer)> {
        self.answers.try_iter().collect()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.common.ending.store(true, Ordering::Relaxed);
        let end = Moment::now() + STOP_TIMEOUT;
        while !self.thread.is_finished() && Moment::now() < end {
            std::thread::sleep(STOP_POLL);
        }
    }
}

impl PhotoTap {
    /// Passes a frame on, if photos of its product are taken and it could be judged.
    pub(super) fn offer(&self, product: u16, frame: &InspectedFrame) {
        let is_wanted = self.common.product.load(Ordering::Relaxed) == product;
        let is_usable = frame.refused.is_none()
            && matches!(frame.judgement.fault, None | Some(Fault::OtherProduct { .. }));
        if !is_wanted || !is_usable || self.common.waiting.load(Ordering::Relaxed) >= MAX_WAITING_PHOTOS {
            return;
        }
        self.common.waiting.fetch_add(1, Ordering::Relaxed);
        if self.messages.try_send(Message::Photo(product, Arc::clone(&frame.captured))).is_err() {
            self.common.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
