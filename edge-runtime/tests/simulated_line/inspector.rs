//! A simulated inspector: it judges one part after another, is slow now and then, and loses some frames.

use std::collections::VecDeque;
use std::time::Duration;

use bundle::seeded::Seeded;
use edge_runtime::clock::Moment;
use edge_runtime::part::PartVerdict;
use shared_format::Verdict;

const MS: u64 = 1_000_000;

pub struct SimulatedInspector {
    random: Seeded,
    free: Moment,
    at_work: VecDeque<(Moment, u64, Verdict)>,
}

impl SimulatedInspector {
    pub fn new(seed: u64) -> Self {
        Self { random: Seeded::new(seed, 3), free: Moment(0), at_work: VecDeque::new() }
    }

    /// Starts on a part and returns when its verdict will be available, and which; `None` if it gets lost.
    pub fn start(&mut self, part: u64, now: Moment) -> Option<(Moment, Verdict)> {
        let verdict = match self.random.below(1000) {
            0..5 => return None,
            5..10 => Verdict::Fault,
            10..60 => Verdict::Reject,
            _ => Verdict::Pass,
        };
        let takes = match self.random.below(500) {
            0 => 400 * MS,
            _ => 5 * MS + self.random.below(10 * MS as usize) as u64,
        };
        self.free = self.free.max(now) + Duration::from_nanos(takes);
        self.at_work.push_back((self.free, part, verdict));
        Some((self.free, verdict))
    }

    /// Returns when the next verdict is available.
    pub fn next(&self) -> Option<Moment> {
        self.at_work.front().map(|(at, ..)| *at)
    }

    /// Returns that verdict.
    pub fn finish(&mut self) -> PartVerdict {
        let (_, part, verdict) = self.at_work.pop_front().unwrap();
        PartVerdict {
            part,
            verdict,
            other_product: false,
            score: Some(1.0),
            threshold: 0.5,
            zone: None,
            view: None,
            frames: 1,
            captured_at: None,
        }
    }
}
