//! A non-blocking stream: lines that its reader doesn't take in time are lost and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::realtime::side_thread;

/// The largest number of lines that wait for the reader.
const CAPACITY: usize = 256;

enum LogMessage {
    Line(Vec<u8>),
    /// Asks for a reply once everything before this is written.
    Flush(SyncSender<()>),
}

/// A writer of whole lines, for any number of threads.
#[derive(Clone)]
pub struct LossyWriter {
    queue: SyncSender<LogMessage>,
    lost: Arc<AtomicU64>,
}

impl LossyWriter {
    /// Starts the thread that waits for the reader, so that its callers don't have to.
    ///
    /// # Errors
    /// If the system can't start a thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = sync_channel(CAPACITY);
        let lost = Arc::new(AtomicU64::new(0));
        let lost_by_thread = Arc::clone(&lost);
        side_thread("log").spawn(move || drain(&messages, out, &lost_by_thread))?;
        Ok(Self { queue, lost })
    }

    /// Waits until everything is written, for no longer than `timeout`.
    pub fn flush_within(&self, timeout: Duration) {
        let (done, wait) = sync_channel(1);
        // If the queue is full, the reader has stopped reading.
        if self.queue.try_send(LogMessage::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(timeout);
        }
    }
}

/// Writes the queued lines. Errors are ignored: there is nowhere else to report them.
fn drain(messages: &Receiver<LogMessage>, mut out: impl Write, lost: &AtomicU64) {
    for message in messages {
        match message {
            LogMessage::Line(line) => drop(out.write_all(&line)),
            LogMessage::Flush(done) => {
                let _ = out.flush();
                let _ = done.send(());
            }
        }
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(out, "{count} log lines lost: the log's reader is too slow");
        }
    }
}

impl Write for LossyWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(LogMessage::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_reader_that_stops_delays_nobody_and_learns_what_it_missed() {
        let (reader, writer) = io::pipe().unwrap();
        let mut log = LossyWriter::start(writer).unwrap();
        let line = [b'x'; 999].into_iter().chain(*b"\n").collect::<Vec<u8>>();
        let start = Instant::now();
        for _ in 0..2000 {
            log.write_all(&line).unwrap();
        }
        // 2 MB into a pipe of 64 KiB that is not read.
        assert!(start.elapsed() < Duration::from_secs(5));
        log.flush_within(Duration::from_millis(20));
        let reading =
            std::thread::spawn(move || BufReader::new(reader).lines().collect::<Result<Vec<_>, _>>());
        log.flush_within(Duration::from_secs(20));
        while log.lost.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(log);
        let lines = reading.join().unwrap().unwrap();
        let reported: u64 =
            lines.iter().filter_map(|line| line.split_once(" log lines")?.0.parse::<u64>().ok()).sum();
        let read = lines.iter().filter(|line| line.starts_with('x')).count() as u64;
        assert!(reported > 1000 && reported + read == 2000, "{reported} lost, {read} read");
    }
}
