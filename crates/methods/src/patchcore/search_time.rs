//! Measures how long the search in a bank takes on this machine.

use std::time::Instant;

use judge::{EngineError, Network};

use super::graph::search;
use bundle::seeded::Seeded;
use networks::onnx::GraphBuilder;

/// Entries of the measured bank: enough that the search dominates the overhead of a call.
const ENTRIES: usize = 1024;
const RUNS: usize = 7;
const STREAM: u64 = 0x71e;

/// Measures the milliseconds per entry for a tile of rows × columns positions, by the engine on one thread: the median
/// of a few runs.
///
/// # Errors
/// If the engine can't run it.
pub(super) fn milliseconds_per_entry(
    dimensions: usize,
    rows: usize,
    columns: usize,
) -> Result<f64, EngineError> {
    let mut random = Seeded::new(0, STREAM);
    let mut draw = |count: usize| -> Vec<f32> {
        (0..count).map(|_| random.below(1 << 20) as f32 / (1 << 20) as f32).collect()
    };
    let shape = [1, dimensions, rows, columns];
    let mut graph = GraphBuilder::new("search");
    let input = graph.input("projected", &shape);
    let distances = search(&mut graph, &input, &draw(ENTRIES * dimensions), dimensions);
    graph.output("distances", &distances);
    let mut network = Network::load(&graph.finish(), shape, &["distances"], 1)?;
    let input = draw(shape.iter().product());
    let mut times = vec![];
    for _ in 0..RUNS {
        let start = Instant::now();
        network.run(&input)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[RUNS / 2] / ENTRIES as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_time_and_more_positions_take_more() {
        let few = milliseconds_per_entry(32, 8, 8).unwrap();
        let many = milliseconds_per_entry(32, 64, 64).unwrap();
        assert!(few > 0.0 && many > 4.0 * few, "{few} {many}");
    }
}
