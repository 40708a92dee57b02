//! JSON lines on standard output, one per part.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::realtime::side_thread;
use crate::report::PartReport;
use crate::report::ReportQueue;

/// How long a reader has at the end to take the pending reports.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);
/// How often the thread checks the queue in case a wake-up is lost.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A thread that writes a line of JSON for each part. A slow reader loses the oldest lines, and one that is gone loses all
/// further ones; the line itself is not affected.
#[derive(Debug)]
pub struct JsonLines {
    shared: Arc<WriterState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct WriterState {
    queue: ReportQueue,
    ending: AtomicBool,
    reader_gone: AtomicBool,
}

impl JsonLines {
    /// Starts writing to standard output.
    ///
    /// # Errors
    /// The system's error if it can't create the thread.
    pub fn stdout() -> io::Result<Self> {
        Self::start(io::stdout())
    }

    /// Starts writing to `out`.
    ///
    /// # Errors
    /// The system's error if it can't create the thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(WriterState::default());
        let thread_state = Arc::clone(&shared);
        let thread = side_thread("json").spawn(move || thread_state.write_to(out))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Queues the report on a part. Never blocks.
    pub fn report(&self, report: PartReport) {
        self.shared.queue.push(report);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Returns the number of parts that the reader did not get.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.queue.dropped()
    }

    /// Whether the thread has ended unexpectedly.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Whether the reader is gone, as with a broken pipe.
    #[must_use]
    pub fn is_reader_gone(&self) -> bool {
        self.shared.reader_gone.load(Ordering::Relaxed)
    }
}

impl WriterState {
    fn write_to(&self, mut out: impl Write) {
        let mut line = Vec::new();
        loop {
            // Load this before emptying the queue, so that reports added before the end are still written.
            let ending = self.ending.load(Ordering::Acquire);
            while let Some(report) = self.queue.pop() {
                line.clear();
                let written = !self.reader_gone.load(Ordering::Relaxed)
                    && report.write_json(&mut line).is_ok()
                    && self.write(&mut out, &line);
                if !written {
                    self.queue.count_dropped();
                }
            }
            if ending {
                return;
            }
            thread::park_timeout(POLL_INTERVAL);
        }
    }

    fn write(&self, out: &mut impl Write, line: &[u8]) -> bool {
        let result = out.write_all(line).and_then(|()| out.flush());
        // Other errors may be temporary, such as a full disk.
        if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            self.reader_gone.store(true, Ordering::Relaxed);
        }
        result.is_ok()
    }
}

impl Drop for JsonLines {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        let until = Instant::now() + SHUTDOWN_TIMEOUT;
        // A reader that doesn't read blocks the thread in a system call; it then ends with the program.
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::part::tests::rejected;
    use crate::report::queue::CAPACITY;
    use std::io::{BufRead, BufReader, Read};

    fn report(lines: &JsonLines, parts: u64) {
        for part in 1..=parts {
            let mut report = rejected();
            report.release.part = part;
            lines.report(report);
        }
    }

    fn part_of(line: &str) -> u64 {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["part"].as_u64().unwrap()
    }

    #[test]
    fn every_part_is_a_line_and_none_is_lost_at_the_end() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = JsonLines::start(writer).unwrap();
        report(&lines, 100);
        assert_eq!(lines.dropped(), 0);
        drop(lines);
        let parts: Vec<_> = BufReader::new(reader).lines().map(|line| part_of(&line.unwrap())).collect();
        assert_eq!(parts, (1..=100).collect::<Vec<_>>());
    }

    #[test]
    fn a_reader_that_does_not_read_costs_the_oldest_parts_and_no_time() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = JsonLines::start(writer).unwrap();
        let start = Instant::now();
        let parts = 20_000;
        report(&lines, parts);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let dropped = lines.dropped();
        assert!(dropped > 0);
        let start = Instant::now();
        drop(lines);
        assert!(start.elapsed() < 4 * SHUTDOWN_TIMEOUT, "{:?}", start.elapsed());
        // The last parts are still available when someone reads.
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().count() as u64, parts - dropped);
        assert!(text.lines().count() >= CAPACITY);
        assert_eq!(part_of(text.lines().last().unwrap()), parts);
    }

    struct Fails;

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("a writer that fails")
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_thread_that_panics_is_noticed() {
        let lines = JsonLines::start(Fails).unwrap();
        assert!(!lines.has_ended());
        report(&lines, 1);
        let until = Instant::now() + Duration::from_secs(10);
        while !lines.has_ended() {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed_and_counted() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let lines = JsonLines::start(writer).unwrap();
        report(&lines, 1);
        let until = Instant::now() + Duration::from_secs(10);
        while !lines.is_reader_gone() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(lines.is_reader_gone());
        report(&lines, 5);
        while lines.dropped() < 6 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(lines.dropped(), 6);
    }
}
