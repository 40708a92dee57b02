//! The thread that writes records, behind a non-blocking queue.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::store::{Limits, RecordStore};
use super::{Record, RecordCounts, RecordError, RecordName, files};
use crate::clock::{Moment, WallTime};
use crate::line_file::LineFile;
use crate::log::limited;
use crate::realtime::side_thread;

/// The largest number of records that wait for the disk; at 2 megapixels in colour they hold some 60 MB.
const QUEUE_CAPACITY: usize = 8;
/// How long the disk is left alone after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// The interval between checks for expired records.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// The `records` section of the line file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// The line's name.
    pub line: String,
    /// The folder of records.
    pub folder: PathBuf,
    /// Limits on what is kept.
    pub limits: Limits,
    /// Whether the frame itself is kept along with the overlay.
    pub frames: bool,
}

impl RecordSettings {
    /// Reads the settings from a checked line file; `None` if no records are kept.
    #[must_use]
    pub fn of(line: &LineFile) -> Option<Self> {
        let records = &line.records;
        let limits = Limits {
            bytes: u64::from(records.max_mib) << 20,
            age: Duration::from_secs(u64::from(records.max_days) * 86_400),
        };
        let folder = records.folder.clone()?;
        Some(Self { line: line.name.clone(), folder, limits, frames: records.frames })
    }
}

/// Keeps records. If the disk is full, slow, read-only or gone, this is counted, reported and retried, and delays no caller.
#[derive(Debug)]
pub struct Recorder {
    queue: SyncSender<Record>,
    shared: Arc<RecorderState>,
    /// Behind a lock only so that several threads can hold the recorder.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct RecorderState {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
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
        let writer = Writer {
            settings,
            run,
            store: None,
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
        Ok(Self { queue, shared, ended: Mutex::new(ended) })
    }

    /// Hands over a record without waiting. If too many already wait for the disk, the record is dropped and counted.
    /// Returns whether it was taken.
    pub fn offer(&self, record: Record) -> bool {
        let taken = self.queue.try_send(record).is_ok();
        if !taken {
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
        let Self { queue, shared, ended } = self;
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
            let expired = self.store().and_then(|store| {
                store.update_clock(WallTime::now(), now);
                store.expire()
            });
            if let Err(e) = expired {
                self.fail(&e);
            }
        }
    }

    fn handle(&mut self, record: &Record) {
        let written = if self.is_backing_off(Moment::now()) { None } else { Some(self.write(record)) };
        let count = if matches!(written, Some(Ok(()))) { &self.shared.written } else { &self.shared.failed };
        count.fetch_add(1, Ordering::Relaxed);
        match written {
            Some(Ok(())) => self.shared.set_problem(None),
            Some(Err(e)) => self.fail(&e),
            None => {}
        }
    }

    fn write(&mut self, record: &Record) -> Result<(), RecordError> {
        let captured = WallTime::at(record.captured_at);
        self.store()?.update_clock(WallTime::now(), Moment::now());
        let name = RecordName { run: self.run, part: record.part, frame: record.frame_of_part, captured };
        let files = files::of(record, &self.settings.line, self.run, captured, self.settings.frames)?;
        self.store()?.write(name, &files)
    }

    fn store(&mut self) -> Result<&mut RecordStore, RecordError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => RecordStore::open(&self.settings.folder, self.settings.limits)?,
        };
        if !self.opened_before {
            self.run = self.run.max(store.last_run().saturating_add(1));
            self.opened_before = true;
        }
        Ok(self.store.insert(store))
    }

    fn is_backing_off(&self, now: Moment) -> bool {
        self.retry_at.is_some_and(|retry_at| now < retry_at)
    }

    /// Reports an error, and leaves a failed disk alone for a while.
    fn fail(&mut self, error: &RecordError) {
        limited!(warn, "{error}");
        if matches!(error, RecordError::Io { .. } | RecordError::Gone { .. } | RecordError::InUse { .. }) {
            self.store = None;
            self.retry_at = Some(Moment::now() + self.retry);
        }
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
