//! How long the line takes beside the network, and how late its gate is. No tests: `cargo xtask bench` runs them, and they
//! print figures.

use judge::MODEL_FILE;
use serde_json::Value;
use shared_format::{FrameRange, Recipe};

use crate::support::{PLAIN, jpeg_of, onnx, recipe, size, thresholds, write_thresholds};
use crate::{Bench, code, program, stderr, stdout};

/// A bundle for 640×480 frames at 256×256, whose network does next to nothing, or takes e⁻ˣ so many times at each position.
fn bench(times: usize) -> Bench {
    let bench = Bench::new();
    let onnx = onnx(256, &["Neg", "Exp"].repeat(times));
    let (input, seen) = (size(256, 256), size(640, 480));
    let recipe = Recipe { input, frames: FrameRange { min: seen, max: seen }, ..recipe() };
    bench.write(&format!("bundle/{MODEL_FILE}"), &onnx);
    write_thresholds(&bench.path("bundle"), &thresholds(&onnx, recipe));
    // Textured frames, as cameras send them.
    let mut state = 7_u32;
    for index in 0..12 {
        let values: Vec<u8> = (0..640 * 480 * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                70 + (state >> 27) as u8
            })
            .collect();
        bench.write(&format!("frames/{index:02}.jpg"), &jpeg_of(&values, 640, 480, PLAIN, None));
    }
    bench
}

/// Runs a line for half a minute and prints the latencies of these stages.
fn measure(bench: &Bench, what: &str, fps: u32, trigger: &str, stages: &[&str]) {
    let line = format!(
        r#"
        name = "bench"
        stdout = true
        [[product]]
        name = "part"
        bundle = "bundle"
        [camera]
        source = "folder"
        path = "frames"
        fps = {fps}
        [trigger]
        {trigger}
        [gate]
        delay_ms = 100
        pulse_ms = 2
        [health]
        state = "state"
        "#
    );
    bench.write("line.toml", line.as_bytes());
    let mut command = std::process::Command::new("timeout");
    let this = program(bench.folder.path());
    command
        .args(["--signal=TERM", "30"])
        .arg(this.get_program())
        .args(this.get_args())
        .args(["run", "line.toml"]);
    let output = command.current_dir(bench.folder.path()).output().unwrap();
    assert!(matches!(code(&output), 0 | 124), "{}", stderr(&output));
    let status = std::fs::read(bench.path("state/status.json")).unwrap();
    let status: Value = serde_json::from_slice(&status).unwrap();
    println!("{what}: {} parts, memory {} MiB", stdout(&output).lines().count(), status["memory_mib"]);
    for latency in status["latency_ms"].as_array().unwrap() {
        if stages.iter().any(|stage| latency["stage"] == *stage) {
            let [p50, p95, p99, max] =
                ["p50", "p95", "p99", "max"].map(|name| latency[name].as_f64().unwrap());
            let name = latency["stage"].as_str().unwrap();
            println!("  {name:<20} p50 {p50:>8.3} ms, p95 {p95:>8.3}, p99 {p99:>8.3}, max {max:>8.3}");
        }
    }
}

#[test]
#[ignore = "prints figures; `cargo xtask bench` runs it"]
fn latency_of_everything_but_the_network() {
    let stages = ["triggered_to_verdict", "decode", "prepare", "infer", "decide", "lateness"];
    measure(&bench(0), "640×480 JPEG, a network of one operation", 10, "kind = \"frame\"", &stages);
}

#[test]
#[ignore = "prints figures; `cargo xtask bench` runs it"]
fn latency_of_the_gate_at_50_parts_a_second_with_inference_running() {
    let stages = ["infer", "lateness"];
    measure(&bench(50), "50 parts a second", 50, "kind = \"interval\"\n        every_ms = 20", &stages);
}
