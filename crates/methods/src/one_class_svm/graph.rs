//! The machine in an exported model.

use networks::onnx::{GraphBuilder, Value};

use super::machine::Machine;
use crate::features::dot;

/// Support vectors compared by one convolution: its products stay in the processor's cache.
const CHUNK: usize = 64;
/// More than the value of any support vector.
const FAR: f32 = 1e30;
/// A smaller value, as a share of the boundary's, is rounding noise, which the square root must not magnify.
const FLOOR: f32 = 1e-5;

/// Adds √(−ln Σ α k(s, x) / −ln ρ) for each position of `x` (1×dimensions×h×w): 1×1×h×w. It orders positions as the machine's
/// decision function Σ α k(s, x) − ρ does, and is 1 where that is 0; but far from all support vectors, where all
/// kernels are 0 in 32-bit floats, it still grows with the distance.
///
/// With eᵢ = γ|sᵢ|² − ln αᵢ − 2γ x·sᵢ and m = min eᵢ: −ln Σ α k = γ|x|² + m − ln Σ exp(m − eᵢ).
pub(super) fn add_distance(g: &mut GraphBuilder, x: &Value, machine: &Machine) -> Value {
    let exponents = add_exponents(g, x, machine);
    let smallest = exponents.iter().cloned().reduce(|smallest, part| g.min(&smallest, &part));
    let smallest = smallest.unwrap_or_else(|| g.scalar(0.0));
    let smallest = g.min_channels(&smallest);
    let mut sum: Option<Value> = None;
    for part in &exponents {
        let relative = g.sub(&smallest, part);
        let kernel = g.exp(&relative);
        sum = Some(match sum {
            Some(sum) => g.add(&sum, &kernel),
            None => kernel,
        });
    }
    let sum = sum.unwrap_or_else(|| g.scalar(1.0));
    let sum = g.sum_channels(&sum);
    let log = g.log(&sum);
    let nearest = g.sub(&smallest, &log);
    let square = g.mul(x, x);
    let length = g.sum_channels(&square);
    let gamma = g.scalar(machine.gamma as f32);
    let length = g.mul(&length, &gamma);
    let total = g.add(&length, &nearest);
    let scale = g.scalar((1.0 / machine.boundary) as f32);
    let scaled = g.mul(&total, &scale);
    let floor = g.scalar(FLOOR);
    let scaled = g.max(&scaled, &floor);
    g.sqrt(&scaled)
}

/// Adds eᵢ: one value of 1×[`CHUNK`]×h×w per chunk of the support vectors. The last chunk is padded with vectors that are far from
/// everything.
fn add_exponents(g: &mut GraphBuilder, x: &Value, machine: &Machine) -> Vec<Value> {
    let (dimensions, gamma) = (machine.dimensions, machine.gamma);
    let chunk = CHUNK.min(machine.count().max(1));
    let chunks = machine.vectors.chunks(chunk * dimensions).zip(machine.weights.chunks(chunk));
    let mut parts = vec![];
    for (index, (vectors, weights)) in chunks.enumerate() {
        let mut scaled: Vec<f32> = vectors.iter().map(|s| (-2.0 * gamma * f64::from(*s)) as f32).collect();
        let bias =
            |(s, &weight): (&[f32], &f32)| (gamma * f64::from(dot(s, s)) - f64::from(weight).ln()) as f32;
        let mut biases: Vec<f32> = vectors.chunks_exact(dimensions).zip(weights).map(bias).collect();
        scaled.resize(chunk * dimensions, 0.0);
        biases.resize(chunk, FAR);
        let weight = g.constant(&format!("support.{index}"), &[chunk, dimensions, 1, 1], &scaled);
        let bias = g.constant(&format!("support.{index}.exponents"), &[chunk], &biases);
        parts.push(g.conv(x, &weight, &bias, 1, (0, 0), 1));
    }
    parts
}
