//! Thresholds and bundles that people ask for through the gateway, carried out by a thread of their own.
//!
//! The thread waits for disks and opens bundles; the inspector takes up what is ready between two parts. Learning and teaching are the
//! work of another process, which gives way to this one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use judge::{Engine, Fault, Judge};
use shared_format::conformal::marginal_bound;
use shared_format::gateway::{Answer, CommandKind, Outcome, Task, TaskRequest};
use shared_format::{Recipe, Roi, ThresholdFile};

use super::bundles::LineBundles;
use super::inspector::{InspectedFrame, JudgeUpdate, UpdateObserver, Updates};
use super::line_state::LineState;
use crate::capture::CapturedFrame;
use crate::clock::{Moment, WallTime};
use crate::files::bundles::{check_first_golden, warn_of_emulation, zone_levels};
use crate::learning::{self, LearnReport, beside_of, has_earlier, identity};
use crate::line_file::LineFile;
use crate::log::limited;
use crate::report::significant;
use crate::tasks::{
    Board, Bounds, Learner, LearnerEnd, Lesson, Moved, MovedThresholds, PhotoState, Photos, TaskState,
    TaskStatus, ThresholdState,
};
use crate::trust::LineTrust;

/// The largest number of requests and photos that wait for the thread.
const MAX_WAITING: usize = 64;
/// The largest number of photos among them: each holds a frame.
const MAX_WAITING_PHOTOS: usize = 4;
/// The most photos that can be asked for.
const MAX_WANTED: u16 = 1000;
/// How often the thread looks after a process, and writes the board while photos come.
const BUSY_INTERVAL: Duration = Duration::from_millis(200);
const IDLE_INTERVAL: Duration = Duration::from_millis(500);
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

/// Sets the thresholds that people have moved, as far as the line file still allows them. Returns what each product is judged with.
pub(super) fn restore(line: &LineFile, bundles: &mut LineBundles, shared: &LineState) -> Vec<JudgedWith> {
    let kept = moved_thresholds(line);
    let LineBundles { judges, own, .. } = bundles;
    let products = line.products.iter().zip(own);
    let judged_with: Vec<_> = products
        .filter_map(|(product, &mut index)| {
            let judge = judges.get_mut(index)?;
            let bundle = identity(&product.bundle).unwrap_or_default();
            let mut with = JudgedWith::new(line, index, &judge.bundle().thresholds, bundle);
            let moved = kept.as_ref().and_then(|kept| kept.of(&product.name, &with.bundle, with.bounds));
            with.moved = moved.filter(|moved| judge.set_image_threshold(moved.value).is_ok()).cloned();
            Some(with)
        })
        .collect();
    shared.set_moved_thresholds(sentences(line, &judged_with));
    judged_with
}

/// Returns the thresholds that people have moved; `None` if the line file doesn't accept any, or they can't be read.
fn moved_thresholds(line: &LineFile) -> Option<MovedThresholds> {
    let state = line.health.state.as_ref().filter(|_| line.accepts(CommandKind::Threshold))?;
    match MovedThresholds::read(state) {
        Ok(moved) => Some(moved),
        Err(e) => {
            tracing::warn!("parts are judged with the bundles' own thresholds: {e}");
            None
        }
    }
}

fn sentences(line: &LineFile, judged_with: &[JudgedWith]) -> Vec<String> {
    let of = |(product, with): (&crate::line_file::Product, &JudgedWith)| {
        let moved = with.moved.as_ref()?;
        let (value, own) = (significant(moved.value), significant(with.own));
        Some(format!("{}: {value} instead of {own}, set by {} at {}", product.name, moved.by, moved.at))
    };
    line.products.iter().zip(judged_with).filter_map(of).collect()
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
    let kinds = [CommandKind::Threshold, CommandKind::Learn, CommandKind::Teach];
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

impl Worker {
    fn run(mut self, messages: &Receiver<Message>) {
        self.find_photos();
        self.show_thresholds();
        let mut looked = Moment(0);
        while !self.common.ending.load(Ordering::Relaxed) {
            let is_busy = self.learner.is_some() || self.is_changed;
            match messages.recv_timeout(if is_busy { BUSY_INTERVAL } else { IDLE_INTERVAL }) {
                Ok(Message::Request(connection, request)) => {
                    let number = request.number;
                    let outcome = self.carry_out(&request);
                    // Before the answer: whoever gets it looks at the board.
                    self.write_board();
                    let _ = self.answered.send((connection, Answer { number, outcome }));
                }
                Ok(Message::Photo(product, frame)) => {
                    self.common.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.add_photo(product, &frame);
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Photos may come faster than the board needs to be written.
            let now = Moment::now();
            if now.since(looked) >= BUSY_INTERVAL {
                looked = now;
                self.unused.try_iter().for_each(drop);
                self.look_after_learner();
                self.write_board();
            }
        }
    }

    fn write_board(&mut self) {
        if !self.is_changed {
            return;
        }
        match self.board.write() {
            Ok(()) => self.is_changed = false,
            Err(e) => {
                limited!(
                    warn,
                    "cannot write the state of tasks below {}: {e}; check the disk",
                    self.records.display()
                );
            }
        }
    }

    fn carry_out(&mut self, request: &TaskRequest) -> Outcome {
        let product = usize::from(request.product);
        let Some(name) = self.line.products.get(product).map(|product| product.name.clone()) else {
            return Outcome::Refused;
        };
        let by = request.by.as_str();
        tracing::info!("{by} asks for {:?} of {name}", request.task);
        match request.task {
            Task::SetThreshold { value } => self.set_threshold(product, Some(value), by),
            Task::ResetThreshold => self.set_threshold(product, None, by),
            Task::Stop => self.stop(),
            _ if self.learner.is_some() => Outcome::Busy,
            Task::TakePhotos { parts } => self.take_photos(request.product, parts),
            Task::LeaveOut { photo, out } => self.leave_out(request.product, photo, out),
            Task::DiscardPhotos => self.discard_photos(request.product),
            Task::TryLearning => {
                self.start_learner(request, "try_learning", &Lesson::Decisions { apply: false })
            }
            Task::Learn => self.start_learner(request, "learn", &Lesson::Decisions { apply: true }),
            Task::RollBack => self.start_learner(request, "roll_back", &Lesson::RollBack),
            Task::TryTeaching => self.start_teaching(request, false),
            Task::Teach => self.start_teaching(request, true),
        }
    }

    /// Judges a product with another threshold, or with the bundle's own.
    fn set_threshold(&mut self, product: usize, value: Option<f32>, by: &str) -> Outcome {
        let (Some(with), Some(of), Some(kept)) =
            (self.judged_with.get_mut(product), self.line.products.get(product), &mut self.moved)
        else {
            return Outcome::Failed;
        };
        if value.is_some_and(|value| !with.bounds.include(value)) {
            return Outcome::Refused;
        }
        let moved = value.filter(|value| *value != with.own).map(|value| Moved {
            product: of.name.clone(),
            bundle: with.bundle.clone(),
            value,
            by: by.to_owned(),
            at: WallTime::now(),
        });
        // First the disk: after a power cut the line judges as it said it would.
        if let Err(e) = kept.set(&of.name, moved.clone()) {
            limited!(warn, "{e}");
            return Outcome::Failed;
        }
        let before = with.used();
        with.moved = moved;
        let value = with.used();
        tracing::info!("{by} has set the threshold of {} to {value}, before {before}", of.name);
        let update = JudgeUpdate::Threshold { judge: with.judge, value };
        let is_sent = self.updates.try_send(update).is_ok();
        self.show_thresholds();
        if is_sent { Outcome::Done } else { Outcome::Failed }
    }

    fn show_thresholds(&mut self) {
        let state = |(product, with): (&crate::line_file::Product, &JudgedWith)| ThresholdState {
            product: product.name.clone(),
            own: with.own,
            used: with.used(),
            lowest: with.bounds.lowest,
            highest: with.bounds.highest,
            by: with.moved.as_ref().map(|moved| moved.by.clone()),
            at: with.moved.as_ref().map(|moved| moved.at),
            can_roll_back: has_earlier(&product.bundle),
        };
        self.board.thresholds = self.line.products.iter().zip(&self.judged_with).map(state).collect();
        self.shared.set_moved_thresholds(sentences(&self.line, &self.judged_with));
        self.is_changed = true;
    }

    /// Finds the photos of an earlier run.
    fn find_photos(&mut self) {
        if !self.line.accepts(CommandKind::Teach) {
            return;
        }
        for (index, product) in (0..).zip(&self.line.products) {
            let opened = Photos::open(&self.records, &product.name, self.line.records.max_photos_mib);
            if let Ok(photos) = opened
                && photos.numbers(false).chain(photos.numbers(true)).next().is_some()
            {
                self.photos = Some((index, photos));
                self.show_photos(|_| {});
                return;
            }
        }
    }

    /// Returns the photos of a product.
    fn photos_of(&mut self, product: u16) -> Option<&mut Photos> {
        if self.photos.as_ref().is_none_or(|(of, _)| *of != product) {
            let name = &self.line.products.get(usize::from(product))?.name;
            match Photos::open(&self.records, name, self.line.records.max_photos_mib) {
                Ok(photos) => {
                    self.common.product.store(NONE, Ordering::Relaxed);
                    self.photos = Some((product, photos));
                    self.board.photos = None;
                }
                Err(e) => {
                    limited!(warn, "{e}");
                    return None;
                }
            }
        }
        self.photos.as_mut().map(|(_, photos)| photos)
    }

    /// Shows the photos, after a change.
    fn show_photos(&mut self, change: impl FnOnce(&mut PhotoState)) {
        let Some((product, photos)) = &self.photos else { return };
        let count = u32::try_from(photos.count()).unwrap_or(u32::MAX);
        let before = self.board.photos.take();
        let before_taught = before.as_ref().map(|state| state.taught.clone());
        let mut state = PhotoState {
            product: *product,
            folder: photos.name().to_owned(),
            taking: before.as_ref().is_some_and(|state| state.taking),
            wanted: before.as_ref().map_or(0, |state| state.wanted),
            taught: photos.numbers(false).collect(),
            out: photos.numbers(true).collect(),
            claim: marginal_bound(count, 1),
            problem: before.and_then(|state| state.problem),
        };
        change(&mut state);
        if let Some(task) = self.board.task.as_mut().filter(|task| task.product == *product) {
            task.is_current &= before_taught.is_none_or(|taught| taught == state.taught);
        }
        self.common.product.store(if state.taking { *product } else { NONE }, Ordering::Relaxed);
        self.board.photos = Some(state);
        self.is_changed = true;
    }

    fn take_photos(&mut self, product: u16, parts: u16) -> Outcome {
        if parts > MAX_WANTED {
            return Outcome::Refused;
        }
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let taking = photos.count() < usize::from(parts);
        self.show_photos(|state| (state.taking, state.wanted, state.problem) = (taking, parts, None));
        Outcome::Begun
    }

    fn add_photo(&mut self, product: u16, frame: &CapturedFrame) {
        let is_taking = self.board.photos.as_ref().is_some_and(|state| state.taking);
        let Some((of, photos)) = &mut self.photos else { return };
        if !is_taking || *of != product {
            return;
        }
        let added = frame
            .to_photo()
            .and_then(|(extension, bytes)| photos.add(extension, &bytes).map_err(|e| e.to_string()));
        let count = photos.count();
        let problem = added.err();
        if let Some(problem) = &problem {
            limited!(warn, "no more photos are taken: {problem}");
        }
        self.show_photos(|state| {
            state.taking = problem.is_none() && count < usize::from(state.wanted);
            state.problem = problem;
        });
    }

    fn leave_out(&mut self, product: u16, photo: u32, out: bool) -> Outcome {
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let outcome = match photos.leave_out(photo, out) {
            Ok(()) => Outcome::Done,
            Err(crate::tasks::PhotoError::Gone(_)) => Outcome::Gone,
            Err(e) => {
                limited!(warn, "{e}");
                Outcome::Failed
            }
        };
        self.show_photos(|_| {});
        outcome
    }

    fn discard_photos(&mut self, product: u16) -> Outcome {
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let discarded = photos.discard();
        self.show_photos(|state| state.taking = false);
        match discarded {
            Ok(()) => Outcome::Done,
            Err(e) => {
                limited!(warn, "{e}");
                Outcome::Failed
            }
        }
    }

    fn start_teaching(&mut self, request: &TaskRequest, apply: bool) -> Outcome {
        let Some(photos) = self.photos_of(request.product) else { return Outcome::Failed };
        let folder = if apply {
            match photos.keep(WallTime::now()) {
                Ok(folder) => folder,
                Err(e) => {
                    limited!(warn, "{e}");
                    return Outcome::Failed;
                }
            }
        } else {
            photos.folder(false)
        };
        self.show_photos(|state| state.taking = false);
        let word = if apply { "teach" } else { "try_teaching" };
        let outcome = self.start_learner(request, word, &Lesson::Photos { folder: folder.clone(), apply });
        match &mut self.learner {
            Some(running) if apply => running.kept = Some(folder),
            _ => {}
        }
        outcome
    }

    fn start_learner(&mut self, request: &TaskRequest, task: &'static str, lesson: &Lesson) -> Outcome {
        let product = usize::from(request.product);
        let Some(name) = self.line.products.get(product).map(|product| &product.name) else {
            return Outcome::Refused;
        };
        match Learner::start(&self.line.path, name, &self.records, lesson) {
            Ok(learner) => {
                let applies = !matches!(
                    lesson,
                    Lesson::Decisions { apply: false } | Lesson::Photos { apply: false, .. }
                );
                self.learner = Some(Running { learner, product, applies, kept: None });
            }
            Err(e) => {
                limited!(warn, "cannot start `edge-runtime learn`: {e}; check memory, space and permissions");
                return Outcome::Failed;
            }
        }
        self.board.task = Some(TaskState {
            task,
            product: request.product,
            status: TaskStatus::Running,
            by: request.by.as_str().to_owned(),
            at: WallTime::now(),
            in_use: false,
            is_current: true,
            report: None,
        });
        self.is_changed = true;
        Outcome::Begun
    }

    fn stop(&mut self) -> Outcome {
        self.show_photos(|state| state.taking = false);
        if let Some(mut running) = self.learner.take() {
            running.learner.kill();
            self.finish(running, TaskStatus::Stopped, LearnReport::default());
        }
        Outcome::Done
    }

    fn look_after_learner(&mut self) {
        let Some(mut running) = self.learner.take() else { return };
        let (status, report) = match running.learner.end() {
            None => {
                self.learner = Some(running);
                return;
            }
            Some(LearnerEnd::Done(report)) => (TaskStatus::Done, report),
            Some(LearnerEnd::Refused(report)) => (TaskStatus::Refused, report),
            Some(LearnerEnd::Failed(report)) => (TaskStatus::Failed, report),
        };
        self.finish(running, status, report);
    }

    /// Takes up the bundle that is in place by now, if it is another one, and shows what came of the task.
    fn finish(&mut self, running: Running, mut status: TaskStatus, mut report: LearnReport) {
        let Running { product, applies, kept, learner } = running;
        drop(learner);
        let Some(of) = self.line.products.get(product).cloned() else { return };
        let in_place = identity(&of.bundle).ok();
        let is_other = self.judged_with.get(product).map(|with| &with.bundle) != in_place.as_ref();
        let mut in_use = false;
        if applies && is_other {
            match self.take_up(product) {
                Ok(()) => in_use = true,
                Err(e) => {
                    limited!(warn, "{}: the bundle that is in place can't be used yet: {e:#}", of.name);
                    status = TaskStatus::Failed;
                    report.error =
                        Some(format!("the bundle is in place, but is not used before the next start: {e:#}"));
                }
            }
        }
        if let Some(kept) = kept {
            let lesson_of =
                |bundle: &Path| learning::Lesson::read(bundle).ok().flatten().map(|lesson| lesson.photos());
            let of_lessons = [Some(of.bundle.clone()), beside_of(&of.bundle)].into_iter().flatten();
            let mut needed: Vec<PathBuf> = of_lessons.filter_map(|bundle| lesson_of(&bundle)).collect();
            if is_other {
                needed.push(kept);
            }
            if let Some((_, photos)) = self.photos.as_ref().filter(|(of, _)| usize::from(*of) == product) {
                photos.forget_all_but(&needed);
            }
        }
        if let Some(task) = &mut self.board.task {
            tracing::info!("{} of {}: {status:?}", task.task, of.name);
            (task.status, task.in_use, task.report) = (status, in_use, Some(report));
        }
        self.show_thresholds();
    }

    /// Opens the bundle that is in place and has the inspector judge with it.
    fn take_up(&mut self, product: usize) -> Result<()> {
        let of = self.line.products.get(product).context("there is no such product")?;
        let trust = LineTrust::of(&self.line)?;
        let (mut judge, signed) = trust.open(Engine::default(), of, self.line.threads.into())?;
        warn_of_emulation(&mut judge);
        check_first_golden(&mut judge)?;
        let votes = self.line.vote_count(&zone_levels(&judge))?;
        let thresholds = &judge.bundle().thresholds;
        let before = self.judged_with.get(product).context("there is no such product")?;
        let mut with = JudgedWith::new(&self.line, before.judge, thresholds, identity(&of.bundle)?);
        let Recipe { roi, .. } = thresholds.recipe;
        ensure!(roi == before.roi, "it judges another region of the frames; restart the line");
        trust.remember(&[(of.name.as_str(), signed.as_ref())])?;
        let moved = self.moved.as_ref().and_then(|kept| kept.of(&of.name, &with.bundle, with.bounds));
        with.moved = moved.filter(|moved| judge.set_image_threshold(moved.value).is_ok()).cloned();
        let update = JudgeUpdate::Bundle { judge: with.judge, opened: Box::new(judge), votes };
        self.updates.try_send(update).ok().context("the inspector takes nothing up; restart the line")?;
        if let Some(place) = self.judged_with.get_mut(product) {
            *place = with;
        }
        Ok(())
    }
}
