//! Problems on the way to the gate and back, counted by the gate thread and reported by the health monitor.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the start, and current problems, all lock-free.
#[derive(Debug, Default)]
pub struct Problems {
    /// Failures to drive an output.
    pub output_errors: AtomicU64,
    /// Parts that were not inspected because they had already passed the gate.
    pub skipped: AtomicU64,
    /// Parts that were not inspected because the inspector's queue was full.
    pub queue_full: AtomicU64,
    /// Parts whose trigger was lost.
    pub lost_triggers: AtomicU64,
    /// Edges on other inputs that the kernel had no room for.
    pub lost_edges: AtomicU64,
    /// Encoder counts that ran backwards or jumped.
    pub encoder_jumps: AtomicU64,
    /// Times the encoder was silent although the belt must have been moving.
    pub encoder_silences: AtomicU64,
    /// Whether the encoder is silent now.
    pub encoder_silent: AtomicBool,
    /// Whether the GPIO inputs have disappeared.
    pub inputs_lost: AtomicBool,
    /// Whether there may be unseen parts between trigger and gate.
    pub unseen_parts: AtomicBool,
}

impl Problems {
    /// Returns one sentence per problem.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let counts = [
            (&self.output_errors, "times an output could not be driven"),
            (&self.skipped, "parts not inspected: the inspector is too slow"),
            (&self.queue_full, "parts not inspected: the inspector's queue was full"),
            (&self.lost_triggers, "parts whose trigger was lost"),
            (&self.lost_edges, "edges on belt, confirm and select lost by the kernel"),
            (
                &self.encoder_jumps,
                "encoder counts that ran backwards or jumped; check the peer and the wiring",
            ),
            (&self.encoder_silences, "times the encoder was silent while the belt moved"),
        ];
        let states = [
            (
                &self.encoder_silent,
                "the encoder is silent and the line is held until its next tick; check the encoder",
            ),
            (
                &self.inputs_lost,
                "the GPIO inputs are gone and the line is held; check the chip and restart the line",
            ),
            (&self.unseen_parts, "the line is held until unseen parts have passed the gate"),
        ];
        let counts = counts.into_iter().filter_map(|(counter, text)| {
            let count = counter.load(Ordering::Relaxed);
            (count > 0).then(|| format!("{count} {text}"))
        });
        let states = states.into_iter().filter(|(is, _)| is.load(Ordering::Relaxed));
        counts.chain(states.map(|(_, text)| text.to_owned())).collect()
    }
}

/// Adds to a count.
pub fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_told_and_nothing_else() {
        let problems = Problems::default();
        assert!(problems.sentences().is_empty());
        add(&problems.lost_triggers, 3);
        problems.inputs_lost.store(true, Ordering::Relaxed);
        let sentences = problems.sentences();
        assert_eq!(sentences.len(), 2);
        assert_eq!(sentences[0], "3 parts whose trigger was lost");
        assert!(sentences[1].starts_with("the GPIO inputs are gone"));
    }
}
