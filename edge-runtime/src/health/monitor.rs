//! The thread that saves counters and reports the status.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use bundle::atomic::write_file;

use super::counter_file::{self, CounterFile};
use super::latency::Latencies;
use super::status::{STATUS_FILE, Snapshot, Status};
use crate::clock::Moment;
use crate::line_file::LineFile;
use crate::log::limited;
use crate::realtime::side_thread;

/// The health settings of the line file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorSettings {
    /// The line's name.
    pub line: String,
    /// Folder for the status file; without it, none is written.
    pub state: Option<PathBuf>,
    /// Interval between status reports.
    pub every: Duration,
}

impl MonitorSettings {
    /// Takes the settings from a checked line file.
    #[must_use]
    pub fn of(line: &LineFile) -> Self {
        let every = Duration::from_secs(line.health.every_s.into());
        Self { line: line.name.clone(), state: line.health.state.clone(), every }
    }
}

/// A thread that saves the counters every second and, at a set interval, writes the status file and logs its summary. A
/// disk that is full, slow or gone, or a folder that was replaced, is reported and retried, and delays only this thread.
#[derive(Debug)]
pub struct Monitor {
    /// Dropped to end the thread.
    stop: SyncSender<()>,
    ended: Receiver<()>,
}

impl Monitor {
    /// Starts the thread. It asks `source` for a snapshot every second: the gate's side of that must be a copy made without
    /// waiting, such as one behind `try_lock`.
    ///
    /// # Errors
    /// If the system can't start a thread.
    pub fn start(
        settings: MonitorSettings,
        latencies: Arc<Latencies>,
        counters: Option<CounterFile>,
        source: impl FnMut() -> Snapshot + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let (end, ended) = sync_channel(0);
        let now = Moment::now();
        let monitor_thread =
            MonitorThread { settings, latencies, counters, source, started: now, reported: now };
        side_thread("health").spawn(move || {
            monitor_thread.run(&stopped);
            drop(end);
        })?;
        Ok(Self { stop, ended })
    }

    /// Returns whether the thread has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Ends the thread after a last save and a last status, and waits for it no longer than `patience`; returns whether
    /// it ended by then.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        drop(self.stop);
        // Nothing is ever sent: the channel closes when the thread ends.
        self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

struct MonitorThread<S> {
    settings: MonitorSettings,
    latencies: Arc<Latencies>,
    counters: Option<CounterFile>,
    source: S,
    started: Moment,
    reported: Moment,
}

impl<S: FnMut() -> Snapshot> MonitorThread<S> {
    fn run(mut self, stopped: &Receiver<()>) {
        loop {
            let begun = Moment::now();
            let wait = counter_file::SAVE_INTERVAL;
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return self.end();
            }
            self.step(begun + wait);
        }
    }

    fn step(&mut self, now: Moment) {
        self.latencies.rotate(now);
        let snapshot = (self.source)();
        if let Some(file) = &mut self.counters
            && let Err(e) = file.save(&snapshot.counters, now)
        {
            limited!(warn, "{e}");
        }
        if now.since(self.reported) >= self.settings.every {
            self.reported = now;
            self.report(snapshot, now);
        }
    }

    fn end(mut self) {
        let snapshot = (self.source)();
        if let Some(file) = &mut self.counters
            && let Err(e) = file.save_now(&snapshot.counters)
        {
            tracing::warn!("at shutdown: {e}");
        }
        self.report(snapshot, Moment::now());
    }

    fn report(&self, mut snapshot: Snapshot, now: Moment) {
        snapshot.problems.extend(self.counters.iter().flat_map(CounterFile::problems));
        let uptime = now.since(self.started);
        let status = Status::new(&self.settings.line, uptime, snapshot, self.latencies.percentiles());
        tracing::info!("{}", status.summary());
        let lost = self.counters.as_ref().is_some_and(CounterFile::is_lost);
        // If the folder belongs to another program now, its status is left alone.
        if let Some(folder) = self.settings.state.as_ref().filter(|_| !lost) {
            let path = folder.join(STATUS_FILE);
            let written = serde_json::to_vec(&status)
                .map_err(io::Error::from)
                .and_then(|json| write_file(&path, &[json, b"\n".to_vec()].concat()));
            if let Err(e) = written {
                limited!(warn, "cannot write the status file {}: {e}; check the disk", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;
    use crate::health::{CounterFileError, Counters, TimedStage};

    fn settings(state: &Path) -> MonitorSettings {
        MonitorSettings {
            line: "line 1".to_owned(),
            state: Some(state.to_owned()),
            every: Duration::from_secs(1),
        }
    }

    fn start(state: &Path, counters: Option<CounterFile>, run: u64) -> (Monitor, Arc<AtomicU64>) {
        let parts = Arc::new(AtomicU64::new(1));
        let seen = Arc::clone(&parts);
        let latencies = Arc::new(Latencies::new(Moment::now()));
        latencies.add(TimedStage::Infer, Duration::from_millis(3));
        let source = move || {
            let mut counters = Counters { run, ..Counters::default() };
            counters.gate.triggered = seen.load(Ordering::Relaxed);
            Snapshot { product: "cap".to_owned(), counters, ..Snapshot::default() }
        };
        (Monitor::start(settings(state), latencies, counters, source).unwrap(), parts)
    }

    fn status(folder: &Path) -> Option<serde_json::Value> {
        serde_json::from_slice(&std::fs::read(folder.join(STATUS_FILE)).ok()?).ok()
    }

    fn within_ten_seconds(mut is: impl FnMut() -> bool) -> bool {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            is()
        })
    }

    #[test]
    fn counters_and_status_are_on_disk_while_it_runs_and_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        let (file, counters) = CounterFile::open(root.path()).unwrap();
        let (monitor, parts) = start(root.path(), Some(file), counters.run);
        assert!(within_ten_seconds(|| status(root.path()).is_some()), "no status");
        let first = status(root.path()).unwrap();
        assert_eq!((&first["line"], &first["run"]), (&"line 1".into(), &1.into()));
        assert_eq!(first["latency_ms"][0]["stage"], "infer");
        parts.store(77, Ordering::Relaxed);
        assert!(monitor.stop(Duration::from_secs(10)));
        assert_eq!(status(root.path()).unwrap()["counters"]["gate"]["triggered"], 77);
        assert_eq!(CounterFile::open(root.path()).unwrap().1.gate.triggered, 77);
    }

    fn told(folder: &Path) -> String {
        status(folder).map(|status| status["problems"].to_string()).unwrap_or_default()
    }

    #[test]
    fn a_folder_that_is_taken_away_is_told_and_the_counters_go_on_in_the_next() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        let (file, counters) = CounterFile::open(&state).unwrap();
        let (monitor, parts) = start(&state, Some(file), counters.run);
        assert!(within_ten_seconds(|| status(&state).is_some()), "no status");
        assert_eq!(told(&state), "[]");
        std::fs::remove_dir_all(&state).unwrap();
        parts.store(40, Ordering::Relaxed);
        assert!(within_ten_seconds(|| told(&state).contains("removed or replaced")), "{}", told(&state));
        assert!(matches!(CounterFile::open(&state), Err(CounterFileError::InUse { .. })));

        // Another program's folder is in its place: its status and its counters are left alone.
        let other = root.path().join("other");
        let (theirs, _) = CounterFile::open(&other).unwrap();
        std::fs::write(other.join(STATUS_FILE), b"theirs").unwrap();
        renameat_with(CWD, &other, CWD, &state, RenameFlags::EXCHANGE).unwrap();
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(std::fs::read(state.join(STATUS_FILE)).unwrap(), b"theirs");
        drop(theirs);
        assert!(
            within_ten_seconds(
                || told(&state).starts_with("[\"the counters") && told(&state).contains("occurrences: 2)")
            ),
            "{}",
            told(&state)
        );
        assert!(monitor.stop(Duration::from_secs(10)));
        let (_, counters) = CounterFile::open(&state).unwrap();
        assert_eq!((counters.run, counters.gate.triggered), (2, 40));
    }

    #[test]
    fn a_thread_that_panics_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let latencies = Arc::new(Latencies::new(Moment::now()));
        let monitor =
            Monitor::start(settings(root.path()), latencies, None, || panic!("a source that fails")).unwrap();
        assert!(!monitor.has_ended());
        assert!(within_ten_seconds(|| monitor.has_ended()), "not noticed");
    }

    #[test]
    fn a_folder_that_vanishes_and_comes_back_ends_nothing() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        std::fs::write(&state, b"in the way").unwrap();
        let (monitor, _) = start(&state, None, 5);
        std::thread::sleep(Duration::from_millis(1200));
        std::fs::remove_file(&state).unwrap();
        assert!(within_ten_seconds(|| status(&state).is_some()), "no status");
        assert!(monitor.stop(Duration::from_secs(10)));
    }
}
