//! Measures how long the line takes apart from the network, and how late its gate is. These are benchmarks, not tests:
//! `cargo xtask bench` runs them, and they print figures.

use judge::MODEL_FILE;
use serde_json::Value;
use shared_format::{FrameRange, Recipe};

use crate::support::{PLAIN, jpeg_of, onnx, recipe, size, thresholds, write_thresholds};
use crate::{Fixture, code, program, stderr, stdout};

/// A bundle for 640×480 frames at 256×256, whose network takes e⁻ˣ `times` times at each position: with 0 it does next to nothing.
fn fixture(times: usize) -> Fixture {
    let fixture = Fixture::new();
    let onnx = onnx(256, &["Neg", "Exp"].repeat(times));
    let (input, seen) = (size(256, 256), size(640, 480));
    let recipe = Recipe { input, frames: FrameRange { min: seen, max: seen }, ..recipe() };
    fixture.write(&format!("bundle/{MODEL_FILE}"), &onnx);
    write_thresholds(&fixture.path("bundle"), &thresholds(&onnx, recipe));
    // Textured frames, as cameras send them.
    let mut state = 7_u32;
    for index in 0..12 {
        let values: Vec<u8> = (0..640 * 480 * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                70 + (state >> 27) as u8
            })
            .collect();
        fixture.write(&format!("frames/{index:02}.jpg"), &jpeg_of(&values, 640, 480, PLAIN, None));
    }
    fixture
}

/// Runs a line for half a minute and prints the latencies of `stages`.
fn measure(fixture: &Fixture, what: &str, fps: u32, trigger: &str, stages: &[&str]) {
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
    fixture.write("line.toml", line.as_bytes());
    let mut command = std::process::Command::new("timeout");
    let this = program(fixture.folder.path());
    command
        .args(["--signal=TERM", "30"])
        .arg(this.get_program())
        .args(this.get_args())
        .args(["run", "line.toml"]);
    let output = command.current_dir(fixture.folder.path()).output().unwrap();
    assert!(matches!(code(&output), 0 | 124), "{}", stderr(&output));
    let status = std::fs::read(fixture.path("state/status.json")).unwrap();
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
    measure(&fixture(0), "640×480 JPEG, a network of one operation", 10, "kind = \"frame\"", &stages);
}

#[test]
#[ignore = "prints figures; `cargo xtask bench` runs it"]
fn latency_of_the_gate_at_50_parts_a_second_with_inference_running() {
    let stages = ["infer", "lateness"];
    measure(&fixture(50), "50 parts a second", 50, "kind = \"interval\"\n        every_ms = 20", &stages);
}

/// A 640×480 JPEG of a smooth picture with some grain, as most cameras send it: 4:2:2 or 4:2:0, with restart markers.
fn camera_frame(sampling: jpeg_encoder::SamplingFactor) -> Vec<u8> {
    let mut state = 7_u32;
    let values: Vec<u8> = (0..640 * 480 * 3)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (i / 3 % 640, i / 3 / 640);
            let shade = 128.0 + 60.0 * (x as f32 / 23.0).sin() + 50.0 * (y as f32 / 31.0).cos();
            shade as u8 + (state >> 28) as u8
        })
        .collect();
    let mut bytes = vec![];
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(40);
    encoder.encode(&values, 640, 480, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

#[test]
#[ignore = "prints figures; `cargo xtask bench` runs it"]
fn latency_of_decoding_beside_zune_jpeg() {
    use jpeg_encoder::SamplingFactor;
    let milliseconds = |work: &dyn Fn()| {
        let start = std::time::Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };
    for (name, sampling) in [("4:2:2", SamplingFactor::F_2_1), ("4:2:0", SamplingFactor::F_2_2)] {
        let bytes = camera_frame(sampling);
        let theirs = || {
            let reader = zune_core::bytestream::ZCursor::new(&bytes);
            std::hint::black_box(zune_jpeg::JpegDecoder::new(reader).decode().unwrap());
        };
        let ours = || drop(std::hint::black_box(judge::decode(&bytes).unwrap()));
        // Alternate, so that a busy moment affects both.
        let mut best = [f64::MAX; 2];
        for _ in 0..300 {
            best = [best[0].min(milliseconds(&ours)), best[1].min(milliseconds(&theirs))];
        }
        let [ours, theirs] = best;
        println!(
            "a 640×480 JPEG of {} KB, {name}: {ours:.2} ms, zune-jpeg {theirs:.2} ms, ratio {:.2}",
            bytes.len() / 1000,
            ours / theirs
        );
    }
}
