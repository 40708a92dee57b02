//! Times one ONNX model, to compare engines:
//! `time_network kernels|half|plain MODEL INPUT.f32 HEIGHTxWIDTH THREADS OUTPUT.f32`.
//!
//! The input is raw little-endian floats, 1 × 3 × height × width. Writes the values of the outputs one after the other; prints
//! `ready`, the milliseconds from the file to the first result, and the resident memory before it in KiB. Then answers each
//! line of standard input, a number of runs, with that many times in milliseconds.

use std::io::Write;
use std::time::Instant;

use judge::{Arithmetic, Engine, Network, Options};

const USAGE: &str = "usage: time_network kernels|half|plain MODEL INPUT.f32 HEIGHTxWIDTH THREADS OUTPUT.f32";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, model, input, sides, threads, output] = &arguments[..] else { return Err(USAGE.into()) };
    let (height, width) = sides.split_once('x').ok_or(USAGE)?;
    let shape = [1, 3, height.parse()?, width.parse()?];
    let (engine, arithmetic) = match engine.as_str() {
        "plain" => (Engine::Plain, Arithmetic::Single),
        "half" => (Engine::Kernels, Arithmetic::Half),
        _ => (Engine::Kernels, Arithmetic::Single),
    };
    let image = read(input)?;
    let before = resident()?;
    let start = Instant::now();
    let onnx = std::fs::read(model)?;
    let outputs = ["anomaly_map", "score"];
    let mut network = {
        let options = Options { engine, arithmetic, threads: threads.parse()? };
        Network::load_with(onnx, shape, &outputs, options)?
    };
    let values = network.run(&image)?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let bytes: Vec<u8> = values.concat().iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(output, bytes)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {milliseconds} {before}")?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse()? {
            let start = Instant::now();
            network.run(&image)?;
            times.push(format!("{:.4}", start.elapsed().as_secs_f64() * 1e3));
        }
        writeln!(out, "{}", times.join(" "))?;
        out.flush()?;
    }
    Ok(())
}

/// Returns the resident memory in KiB.
fn resident() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS in /proc/self/status")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value for VmRSS")?.parse()?)
}

fn read(path: &str) -> std::io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok(bytes.chunks_exact(4).map(float).collect())
}
