//! State that the threads of a line share.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::busy_timer::BusyTimer;
use super::problems::Problems;
use crate::clock::Moment;
use crate::gate::{Alarms, Gate, GateCounts};
use crate::health::Latencies;
use crate::part::PartNumber;

/// The gate's state a moment ago.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GateState {
    /// What the gate has seen and done.
    pub counts: GateCounts,
    /// The alarms that drive the fault output.
    pub alarms: Alarms,
    /// Parts between trigger and gate.
    pub under_way: usize,
    /// Known-bad parts still to be triggered.
    pub challenge_left: u16,
}

impl GateState {
    fn of(gate: &Gate) -> Self {
        Self {
            counts: *gate.counts(),
            alarms: *gate.alarms(),
            under_way: gate.under_way(),
            challenge_left: gate.challenge_left(),
        }
    }
}

/// State shared by all threads of a line. The gate's and the inspector's threads meet one lock alone, which is held just long enough to
/// copy [`GateState`].
#[derive(Debug)]
pub struct LineState {
    /// The latencies of the stages.
    pub latencies: Arc<Latencies>,
    /// How long the gate thread has been busy with one round, its wait included.
    pub gate_round: BusyTimer,
    /// How long the inspector has been busy with decoding and judging one frame.
    pub judging: BusyTimer,
    gate: Mutex<GateState>,
    released: AtomicU64,
    product: AtomicU16,
    moved_thresholds: Mutex<Vec<String>>,
    /// Problems so far.
    pub problems: Problems,
}

impl LineState {
    /// Creates the state of a line that starts with these counts of earlier runs.
    #[must_use]
    pub fn new(counts: GateCounts, now: Moment) -> Self {
        Self {
            latencies: Arc::new(Latencies::new(now)),
            gate_round: BusyTimer::idle(),
            judging: BusyTimer::idle(),
            gate: Mutex::new(GateState { counts, ..GateState::default() }),
            released: AtomicU64::new(0),
            product: AtomicU16::new(0),
            moved_thresholds: Mutex::default(),
            problems: Problems::default(),
        }
    }

    /// Publishes the gate's state without waiting. Returns `false` if another thread holds the lock; try again next time.
    pub(super) fn publish(&self, gate: &Gate) -> bool {
        let Ok(mut state) = self.gate.try_lock() else { return false };
        *state = GateState::of(gate);
        true
    }

    /// Publishes the gate's final state, waiting for the lock.
    pub(super) fn publish_last(&self, gate: &Gate) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = GateState::of(gate);
    }

    /// Returns the gate's last published state.
    #[must_use]
    pub fn gate(&self) -> GateState {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_released(&self, part: PartNumber) {
        self.released.store(part, Ordering::Relaxed);
    }

    /// Returns the last part that has passed the gate; 0 before the first.
    #[must_use]
    pub fn released(&self) -> PartNumber {
        self.released.load(Ordering::Relaxed)
    }

    pub(super) fn set_moved_thresholds(&self, sentences: Vec<String>) {
        *self.moved_thresholds.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
    }

    /// Returns the thresholds that people have moved, one sentence each.
    #[must_use]
    pub fn moved_thresholds(&self) -> Vec<String> {
        self.moved_thresholds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_product(&self, product: u16) {
        self.product.store(product, Ordering::Relaxed);
    }

    /// Returns the index, in the line file, of the product being inspected.
    #[must_use]
    pub fn product(&self) -> u16 {
        self.product.load(Ordering::Relaxed)
    }
}
