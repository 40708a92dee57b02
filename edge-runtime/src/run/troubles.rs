//! What went wrong on the way to the gate and back, counted by the gate's thread and told by health.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the start, and what is wrong now. Nobody waits for anybody.
#[derive(Debug, Default)]
pub struct Troubles {
    /// Outputs that could not be driven.
    pub output_errors: AtomicU64,
    /// Parts that were not looked at because they had passed the gate already.
    pub skipped: AtomicU64,
    /// Parts that found the inspector's queue full.
    pub unstarted: AtomicU64,
    /// Parts whose trigger was lost.
    pub lost_triggers: AtomicU64,
    /// Edges of other inputs that the kernel had no room for.
    pub lost_edges: AtomicU64,
    /// Encoder counts that ran back or jumped.
    pub encoder_jumps: AtomicU64,
    /// Silences of the encoder while the belt must have been moving.
    pub encoder_silences: AtomicU64,
    /// The encoder is silent now.
    pub encoder_silent: AtomicBool,
    /// GPIO inputs that were there are gone.
    pub inputs_lost: AtomicBool,
    /// Parts that nobody saw are between trigger and gate.
    pub unseen: AtomicBool,
}

impl Troubles {
    /// One sentence for each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let counts = [
            (&self.output_errors, "times an output could not be driven"),
            (&self.skipped, "parts not looked at, the inspector is too slow"),
            (&self.unstarted, "parts not looked at, the inspector's queue was full"),
            (&self.lost_triggers, "parts whose trigger was lost"),
            (&self.lost_edges, "edges of belt, confirm and select lost by the kernel"),
            (&self.encoder_jumps, "encoder counts that ran back or jumped; check the peer and the wire"),
            (&self.encoder_silences, "times the encoder was silent while the belt moved"),
        ];
        let states = [
            (&self.encoder_silent, "the encoder is silent, and the line held until its next tick; check it"),
            (
                &self.inputs_lost,
                "the GPIO inputs are gone, and the line is held; check the chip and start the line again",
            ),
            (&self.unseen, "the line is held until parts that nobody saw have passed the gate"),
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
        let troubles = Troubles::default();
        assert!(troubles.sentences().is_empty());
        add(&troubles.lost_triggers, 3);
        troubles.inputs_lost.store(true, Ordering::Relaxed);
        let told = troubles.sentences();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], "3 parts whose trigger was lost");
        assert!(told[1].starts_with("the GPIO inputs are gone"));
    }
}
