//! A simulated belt that jitters, stops and starts, reported by encoder ticks or by a belt-running signal.

use std::time::Duration;

use bundle::seeded::Seeded;
use edge_runtime::clock::Moment;
use edge_runtime::gate::{BeltUnit, Gate};

const MS: u64 = 1_000_000;

pub struct SimulatedBelt {
    unit: BeltUnit,
    random: Seeded,
    next: Moment,
    ticks: u64,
    running: bool,
    /// Total running time up to `changed`.
    ran: u64,
    changed: Moment,
}

impl SimulatedBelt {
    pub fn new(unit: BeltUnit, start: Moment, seed: u64) -> Self {
        let next = start + Duration::from_millis(1);
        Self { unit, random: Seeded::new(seed, 2), next, ticks: 0, running: true, ran: 0, changed: start }
    }

    /// Returns when the belt next gives a tick, stops or starts.
    pub fn next(&self) -> Moment {
        self.next
    }

    /// Carries out that event.
    pub fn advance(&mut self, gate: &mut Gate) {
        let now = self.next;
        let until_next = match self.unit {
            BeltUnit::Ticks => {
                self.ticks += 1;
                gate.encoder(1, now);
                // A tick every 4 ms with a quarter of jitter; now and then the belt stops for some seconds.
                match self.random.below(20_000) {
                    0 => 3000 * MS,
                    _ => 3 * MS + self.random.below(2 * MS as usize) as u64,
                }
            }
            BeltUnit::Time => {
                if self.running {
                    self.ran += now.0 - self.changed.0;
                }
                self.changed = now;
                self.running = !self.running;
                gate.belt(self.running, now);
                if self.running { self.random.below(60_000) as u64 * MS + MS } else { 700 * MS }
            }
        };
        self.next = now + Duration::from_nanos(until_next);
    }

    pub fn position(&self, now: Moment) -> u64 {
        match self.unit {
            BeltUnit::Ticks => self.ticks,
            BeltUnit::Time if self.running => self.ran + (now.0 - self.changed.0),
            BeltUnit::Time => self.ran,
        }
    }
}
