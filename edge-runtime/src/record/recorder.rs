//! The thread that writes records, behind a non-blocking queue.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared_format::Verdict;

use super::store::{Limits, RecordStore, last_run_in};
use super::{DECIDED_FOLDER, PASSED_FOLDER, Record, RecordCounts, RecordError, RecordName, Sampling, files};
use crate::clock::{Moment, WallTime};
use crate::line_file::LineFile;
use crate::log::limited;
use crate::part::PartNumber;
use crate::realtime::side_thread;

/// The largest number of records that wait for the disk; at 2 megapixels in colour they hold some 60 MB.
const QUEUE_CAPACITY: usize = 8;
/// How long the disk is left alone after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// The interval between checks for expired records.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// The `records` section of the line file.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSettings {
    /// The line's name.
    pub line: String,
    /// The folder of records.
    pub folder: PathBuf,
    /// Limits on what is kept of rejects and faults.
    pub limits: Limits,
    /// Which passed parts are kept.
    pub passed: Sampling,
    /// Whether the frame itself is kept along with the overlay.
    pub frames: bool,
}

impl RecordSettings {
    /// Reads the settings from a checked line file; `None` if no records are kept.
    #[must_use]
    pub fn of(line: &LineFile) -> Option<Self> {
        let records = &line.records;
        let limits = |mib: u32| Limits {
            bytes: u64::from(mib) << 20,
            age: Duration::from_secs(u64::from(records.max_days) * 86_400),
        };
        Some(Self {
            line: line.name.clone(),
            folder: records.folder.clone()?,
            limits: limits(records.max_mib),
            passed: Sampling { share: records.passed_share, limits: limits(records.max_passed_mib) },
            frames: records.frames,
        })
    }
}

/// Keeps records. If the disk is full, slow, read-only or gone, this is counted, reported and retried, and delays no caller.
#[derive(Debug)]
pub struct Recorder {
    queue: SyncSender<Record>,
    shared: Arc<RecorderState>,
    passed: Sampling,
    run: u64,
    /// Behind a lock only so that several threads can hold the recorder.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct RecorderState {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Whether a passed part waits for the disk: no second one takes a reject's place in the queue.
    passed_waits: AtomicBool,
    problem: Mutex<Option<String>>,
}

impl Recorder {
    /// Starts the thread. Counting continues from `counts`. Records get the run's number, or the next higher one if an
    /// existing record has the same or a higher number (runs may not be numbered across restarts).
    ///
    /// # Errors
    /// If the system can't start a thread. A folder that can't be used is not an error but a [`problem`](Self::problem),
    /// and is retried.
    pub fn start(settings: RecordSettings, run: u64, counts: RecordCounts) -> io::Result<Self> {
        Self::start_with(settings, run, counts, RETRY_DELAY)
    }

    fn start_with(
        settings: RecordSettings,
        run: u64,
        counts: RecordCounts,
        retry: Duration,
    ) -> io::Result<Self> {
        let shared = Arc::new(RecorderState::default());
        shared.written.store(counts.written, Ordering::Relaxed);
        shared.dropped.store(counts.dropped, Ordering::Relaxed);
        shared.failed.store(counts.failed, Ordering::Relaxed);
        let (queue, records) = sync_channel(QUEUE_CAPACITY);
        let (end, ended) = sync_channel(0);
        let passed = settings.passed;
        let writer = Writer {
            settings,
            run,
            store: None,
            passed: None,
            opened_before: false,
            retry,
            retry_at: None,
            expire_at: Moment(0),
            dropped: counts.dropped,
            shared: Arc::clone(&shared),
        };
        side_thread("record").spawn(move || {
            writer.run(&records);
            drop(end);
        })?;
        Ok(Self { queue, shared, passed, run, ended: Mutex::new(ended) })
    }

    /// Returns whether to hand over the record of a part that passed.
    #[must_use]
    pub fn samples(&self, part: PartNumber) -> bool {
        self.passed.includes(self.run, part) && !self.shared.passed_waits.load(Ordering::Relaxed)
    }

    /// Hands over a record without waiting. If too many already wait for the disk, the record is dropped and, unless its
    /// part passed, counted. Returns whether it was taken.
    pub fn offer(&self, record: Record) -> bool {
        let passed = record.part_verdict == Verdict::Pass;
        if passed && self.shared.passed_waits.swap(true, Ordering::Relaxed) {
            return false;
        }
        let taken = self.queue.try_send(record).is_ok();
        if !taken && passed {
            // One less in the sample: nothing is lost that anyone misses.
            self.shared.passed_waits.store(false, Ordering::Relaxed);
        } else if !taken {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Returns the numbers of records so far, by outcome.
    #[must_use]
    pub fn counts(&self) -> RecordCounts {
        self.shared.counts()
    }

    /// Returns a sentence that says why the last record was not written; `None` if it was.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the thread has stopped unexpectedly.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Lets the thread write the waiting records, for no longer than `timeout`, and returns the final counts.
    #[must_use]
    pub fn close(self, timeout: Duration) -> RecordCounts {
        let Self { queue, shared, ended, .. } = self;
        drop(queue);
        // Nothing is ever sent: the channel closes when the thread ends.
        let _ = ended.into_inner().unwrap_or_else(PoisonError::into_inner).recv_timeout(timeout);
        shared.counts()
    }
}

impl RecorderState {
    fn counts(&self) -> RecordCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RecordCounts {
            written: read(&self.written),
            dropped: read(&self.dropped),
            failed: read(&self.failed),
        }
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

struct Writer {
    settings: RecordSettings,
    run: u64,
    store: Option<RecordStore>,
    /// The records of passed parts; opened with the first of them.
    passed: Option<RecordStore>,
    opened_before: bool,
    retry: Duration,
    /// After a failure: when the disk is tried again.
    retry_at: Option<Moment>,
    expire_at: Moment,
    /// Dropped records that have been reported.
    dropped: u64,
    shared: Arc<RecorderState>,
}

impl Writer {
    fn run(mut self, records: &Receiver<Record>) {
        loop {
            self.maintain();
            match records.recv_timeout(self.retry) {
                Ok(record) => self.handle(&record),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.report_dropped();
        }
    }

    /// Opens the folder and removes old records, when due.
    fn maintain(&mut self) {
        let now = Moment::now();
        let due = self.store.is_none() || now >= self.expire_at;
        if due && !self.is_backing_off(now) {
            self.expire_at = now + EXPIRY_INTERVAL;
            let expire = |store: &mut RecordStore| {
                store.update_clock(WallTime::now(), now);
                store.expire()
            };
            if let Err(e) = self.store().and_then(expire) {
                self.fail(&e);
            } else if self.settings.folder.join(PASSED_FOLDER).is_dir()
                && let Err(e) = self.passed().and_then(expire)
            {
                self.fail_passed(&e);
            }
        }
    }

    fn handle(&mut self, record: &Record) {
        let written = if self.is_backing_off(Moment::now()) { None } else { Some(self.write(record)) };
        let count = if matches!(written, Some(Ok(()))) { &self.shared.written } else { &self.shared.failed };
        count.fetch_add(1, Ordering::Relaxed);
        match written {
            Some(Ok(())) => self.shared.set_problem(None),
            Some(Err(e)) if record.part_verdict == Verdict::Pass && self.store.is_some() => {
                self.fail_passed(&e);
            }
            Some(Err(e)) => self.fail(&e),
            None => {}
        }
        if record.part_verdict == Verdict::Pass {
            self.shared.passed_waits.store(false, Ordering::Relaxed);
        }
    }

    fn write(&mut self, record: &Record) -> Result<(), RecordError> {
        let captured = WallTime::at(record.captured_at);
        // Opened in any case: it numbers the run.
        self.store()?;
        let name = RecordName { run: self.run, part: record.part, frame: record.frame_of_part, captured };
        let files = files::of(record, &self.settings.line, self.run, captured, self.settings.frames)?;
        let store = if record.part_verdict == Verdict::Pass { self.passed()? } else { self.store()? };
        store.update_clock(WallTime::now(), Moment::now());
        store.write(name, &files)
    }

    fn store(&mut self) -> Result<&mut RecordStore, RecordError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => RecordStore::open(&self.settings.folder, self.settings.limits)?,
        };
        if !self.opened_before {
            let elsewhere =
                [PASSED_FOLDER, DECIDED_FOLDER].map(|name| last_run_in(&self.settings.folder.join(name)));
            let last = elsewhere.into_iter().fold(store.last_run(), u64::max);
            self.run = self.run.max(last.saturating_add(1));
            self.opened_before = true;
        }
        Ok(self.store.insert(store))
    }

    fn passed(&mut self) -> Result<&mut RecordStore, RecordError> {
        let store = match self.passed.take() {
            Some(store) => store,
            None => {
                RecordStore::open(&self.settings.folder.join(PASSED_FOLDER), self.settings.passed.limits)?
            }
        };
        Ok(self.passed.insert(store))
    }

    fn is_backing_off(&self, now: Moment) -> bool {
        self.retry_at.is_some_and(|retry_at| now < retry_at)
    }

    /// Reports an error, and leaves a failed disk alone for a while.
    fn fail(&mut self, error: &RecordError) {
        limited!(warn, "{error}");
        if matches!(error, RecordError::Io { .. } | RecordError::Gone { .. } | RecordError::InUse { .. }) {
            (self.store, self.passed) = (None, None);
            self.retry_at = Some(Moment::now() + self.retry);
        }
        self.shared.set_problem(Some(error.to_string()));
    }

    /// Reports an error of the passed parts' records. Those of rejected parts go on: they find out themselves if it is the
    /// disk's.
    fn fail_passed(&mut self, error: &RecordError) {
        limited!(warn, "{error}");
        self.passed = None;
        self.shared.set_problem(Some(error.to_string()));
    }

    /// Logs newly dropped records: here and not in [`Recorder::offer`], whose caller must not wait for the log either.
    fn report_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.dropped {
            let new = dropped - self.dropped;
            limited!(warn, "{new} records were dropped: rejects come faster than the disk can write them");
            self.dropped = dropped;
        }
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
