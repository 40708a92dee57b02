//! Measures the gate's longest round while five million overflowed parts leave the gate at once:
//! `cargo run --release -p edge-runtime --example overflow`.

use std::time::{Duration, Instant};

use edge_runtime::clock::Moment;
use edge_runtime::gate::{BeltUnit, Gate, GateCounts, GateSettings, Hold};
use edge_runtime::line_file::Safe;

const PARTS: u64 = 5_000_000;

fn main() {
    let settings = GateSettings {
        unit: BeltUnit::Ticks,
        distance: 100,
        pulse: Duration::from_millis(10),
        gap: Duration::ZERO,
        safe: Safe::Reject,
        queue: 64,
        stop_after_rejects: None,
        confirm_within: Some(Duration::from_millis(300)),
        strobe: None,
    };
    let mut now = Moment(1);
    let mut gate = Gate::new(settings, GateCounts::default(), now);
    gate.hold(Hold::NotReady, false);
    (1..=PARTS).for_each(|part| gate.trigger(part, 0, now));
    gate.encoder(100, now);
    let (mut actions, mut rounds, mut longest) = (Vec::with_capacity(256), 0, Duration::ZERO);
    while gate.under_way() > 0 {
        actions.clear();
        now = now.max(gate.next_wake().unwrap_or(now));
        let begin = Instant::now();
        gate.poll(now, &mut actions);
        longest = longest.max(begin.elapsed());
        rounds += 1;
    }
    println!("{PARTS} parts in {rounds} rounds, the longest {:.3} ms", longest.as_secs_f64() * 1e3);
}
