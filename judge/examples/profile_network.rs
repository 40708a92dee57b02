//! Shows where one ONNX model's time goes, on one thread: `profile_network kernels|half|plain MODEL`.
//!
//! For models without a bundle; for a bundle, use `edge-runtime bench --explain`. The input is 1 × 3 × 256 × 256.

use judge::{Arithmetic, Engine, Network, Options};

const USAGE: &str = "usage: profile_network kernels|half|plain MODEL";
const SHAPE: [usize; 4] = [1, 3, 256, 256];
const ROUNDS: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, model] = &arguments[..] else { return Err(USAGE.into()) };
    let arithmetic = if engine == "half" { Arithmetic::Half } else { Arithmetic::Single };
    let engine = if engine == "plain" { Engine::Plain } else { Engine::Kernels };
    let onnx = std::fs::read(model)?;
    let mut network = {
        let options = Options { engine, arithmetic, threads: 1 };
        Network::load_with(onnx, SHAPE, &["anomaly_map", "score"], options)?
    };
    let image: Vec<f32> = (0..SHAPE.iter().product()).map(|i| (i * 31 % 257) as f32 / 256.0).collect();
    let times = network.profile(&image, ROUNDS)?;
    for time in &times {
        println!("{:>9.3}  {:<40}  {}", time.time.as_secs_f64() * 1e3, time.operation, time.name);
    }
    println!("{:>9.3}", times.iter().map(|t| t.time.as_secs_f64() * 1e3).sum::<f64>());
    Ok(())
}
