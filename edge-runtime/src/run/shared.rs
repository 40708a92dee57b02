//! What the threads of a line know of each other.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::progress::Progress;
use super::troubles::Troubles;
use crate::clock::Moment;
use crate::gate::{Alarms, Counts, Gate};
use crate::health::Latencies;
use crate::part::PartNumber;

/// The gate, as it was a moment ago.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GateState {
    /// What it has seen and done.
    pub counts: Counts,
    /// What drives the fault output.
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

/// Shared by all threads of one line; nobody waits for it but for the copying of [`GateState`].
#[derive(Debug)]
pub struct Shared {
    /// How long the stages take.
    pub latencies: Arc<Latencies>,
    /// The round of the gate's thread, its waiting included.
    pub gate_round: Progress,
    /// The inspector's decoding and judging of one frame.
    pub judging: Progress,
    gate: Mutex<GateState>,
    released: AtomicU64,
    product: AtomicU16,
    /// What went wrong.
    pub troubles: Troubles,
}

impl Shared {
    /// At the start of a line with these counts of earlier runs.
    #[must_use]
    pub fn new(counts: Counts, now: Moment) -> Self {
        Self {
            latencies: Arc::new(Latencies::new(now)),
            gate_round: Progress::resting(),
            judging: Progress::resting(),
            gate: Mutex::new(GateState { counts, ..GateState::default() }),
            released: AtomicU64::new(0),
            product: AtomicU16::new(0),
            troubles: Troubles::default(),
        }
    }

    /// The gate's thread tells how it is. Where somebody is reading just now, it leaves that for the next time.
    pub(super) fn publish(&self, gate: &Gate) -> bool {
        let Ok(mut state) = self.gate.try_lock() else { return false };
        *state = GateState::of(gate);
        true
    }

    /// The same at the end, when there is time to wait.
    pub(super) fn publish_last(&self, gate: &Gate) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = GateState::of(gate);
    }

    /// The gate, as it was a moment ago.
    #[must_use]
    pub fn gate(&self) -> GateState {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_released(&self, part: PartNumber) {
        self.released.store(part, Ordering::Relaxed);
    }

    /// The last part that has passed the gate; 0 before the first.
    #[must_use]
    pub fn released(&self) -> PartNumber {
        self.released.load(Ordering::Relaxed)
    }

    pub(super) fn set_product(&self, product: u16) {
        self.product.store(product, Ordering::Relaxed);
    }

    /// Place in the line file of the product that is inspected.
    #[must_use]
    pub fn product(&self) -> u16 {
        self.product.load(Ordering::Relaxed)
    }
}
