//! Times one ONNX model, for comparisons between engines:
//! `time_network kernels|plain MODEL INPUT.f32 THREADS OUTPUT.f32`.
//!
//! The input is raw little-endian floats, 1 × 3 × 256 × 256. Writes the outputs' values one after the other, says `ready`, and
//! answers each line of standard input, a number of runs, with as many times in milliseconds.

use std::io::Write;
use std::time::Instant;

use judge::{Engine, Network};

const USAGE: &str = "usage: time_network kernels|plain MODEL INPUT.f32 THREADS OUTPUT.f32";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, model, input, threads, output] = &arguments[..] else { return Err(USAGE.into()) };
    let engine = if engine == "plain" { Engine::Plain } else { Engine::Kernels };
    let image = read(input)?;
    let onnx = std::fs::read(model)?;
    let outputs = ["anomaly_map", "score"];
    let mut network = Network::load_with(engine, &onnx, [1, 3, 256, 256], &outputs, threads.parse()?)?;
    let values = network.run(&image)?;
    let bytes: Vec<u8> = values.concat().iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(output, bytes)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
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

fn read(path: &str) -> std::io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok(bytes.chunks_exact(4).map(float).collect())
}
