//! A queue of reports for a slow reader: never blocks, and drops the oldest.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use super::PartReport;

/// The largest number of waiting reports.
pub const CAPACITY: usize = 256;

/// A bounded lock-free queue: its reader never holds up its writers.
#[derive(Debug)]
pub struct ReportQueue {
    waiting: ArrayQueue<PartReport>,
    dropped: AtomicU64,
}

impl Default for ReportQueue {
    fn default() -> Self {
        Self { waiting: ArrayQueue::new(CAPACITY), dropped: AtomicU64::new(0) }
    }
}

impl ReportQueue {
    /// Adds a report; if the queue is full, the oldest is dropped and counted.
    pub fn push(&self, report: PartReport) {
        if self.waiting.force_push(report).is_some() {
            self.count_dropped();
        }
    }

    /// Takes the oldest report.
    pub fn pop(&self) -> Option<PartReport> {
        self.waiting.pop()
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts a report that was taken from the queue but can't be delivered.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of reports that were not delivered.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::tests::rejected;
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let queue = ReportQueue::default();
        for part in 0..CAPACITY as u64 + 3 {
            let mut report = rejected();
            report.release.part = part;
            queue.push(report);
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(queue.pop().map(|report| report.release.part), Some(3));
        let rest = std::iter::from_fn(|| queue.pop()).last();
        assert_eq!(rest.map(|report| report.release.part), Some(CAPACITY as u64 + 2));
        assert!(queue.is_empty());
    }
}
