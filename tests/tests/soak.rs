//! Soak test: the real program judges a hundred thousand frames on a line; nothing grows, nothing leaks, nothing
//! is lost.
//!
//! Not part of the ordinary tests: `cargo xtask soak` runs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use shared_format::Size;
use tests::images::{jpeg, write_parts};
use tests::workshop::Workshop;
use tests::{optional_data, program, succeed};

/// Judged frames until memory and handles count as settled.
const WARM_UP: u64 = 5_000;
/// Frames per second: what two cores can judge with some margin.
const FPS: u32 = 120;
/// Allowed memory growth after that: allocators retain a little.
const GROWTH_KIB: u64 = 4_096;

fn frames() -> u64 {
    std::env::var("NOMINAL_SOAK_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

/// The line file: every frame is a part, as fast as the machine can judge them.
fn line_file(fps: u32) -> String {
    format!(
        r#"
        name = "soak"
        stdout = true
        [[product]]
        name = "part"
        bundle = "bundle"
        [camera]
        source = "folder"
        path = "frames"
        fps = {fps}
        [trigger]
        kind = "frame"
        [gate]
        delay_ms = 250
        pulse_ms = 1
        queue = 1024
        [records]
        folder = "records"
        max_mib = 8
        [health]
        state = "state"
        every_s = 5
        "#
    )
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn handles(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap().count()
    }
}

/// Reads the status file; the first is written after five seconds.
fn status(folder: &Path) -> Value {
    let path = folder.join("state/status.json");
    for _ in 0..100 {
        if path.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
#[ignore = "takes a quarter of an hour; `cargo xtask soak` runs it"]
fn a_hundred_thousand_frames() {
    let workshop = Workshop::default();
    let size = Size { width: 640, height: 480 };
    write_parts(&workshop.path("photos"), size, 30, false);
    // Frames as from a camera: JPEG, with an occasional defective part.
    std::fs::create_dir_all(workshop.path("frames")).unwrap();
    for seed in 0..40 {
        let bytes = jpeg(size, seed, seed % 20 == 19);
        std::fs::write(workshop.path("frames").join(format!("{seed:02}.jpg")), bytes).unwrap();
    }
    let weights = optional_data("NOMINAL_WEIGHTS", "the soak").expect("run this by `cargo xtask soak`");
    workshop.import(&weights.join("efficientnet-lite0.pth"), "lite0");
    let short = ["--teacher", "lite0", "--steps", "20", "--size", "64"];
    succeed(&mut workshop.train(&workshop.path("photos"), "run", &short));
    succeed(&mut workshop.export("run", &workshop.path("bundle"), &["--target-fpr", "0.2"]));
    std::fs::write(workshop.path("line.toml"), line_file(FPS)).unwrap();

    let mut command = program("edge-runtime");
    command.arg("run").arg(workshop.path("line.toml")).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut line = Running(command.spawn().unwrap());
    let reports = BufReader::new(line.0.stdout.take().unwrap()).lines();
    let (mut settled, mut last, mut reported, mut missing) = (None, 0, 0u64, 0u64);
    let mut judged = 0u64;
    for report in reports.map_while(Result::ok) {
        let report: Value = serde_json::from_str(&report).unwrap();
        let part = report["part"].as_u64().unwrap();
        assert!(part > last, "part {part} after {last}");
        (last, reported) = (part, reported + 1);
        missing += u64::from(report["verdict"].is_null());
        judged += u64::from(!report["score"].is_null());
        if judged >= WARM_UP && settled.is_none() {
            settled = Some((line.memory_kib(), line.handles()));
        }
        if judged >= frames() {
            break;
        }
    }
    let (memory, handles) = settled.unwrap_or((line.memory_kib(), line.handles()));
    let (memory_now, handles_now) = (line.memory_kib(), line.handles());
    let status = status(&workshop.path(""));
    println!("{last} parts, {reported} reported, {judged} judged, {missing} without a verdict in time");
    println!(
        "memory {memory} KiB after {WARM_UP}, {memory_now} KiB at the end; handles {handles}, {handles_now}"
    );
    println!("latencies in ms: {}", status["latency_ms"]);
    assert!(judged >= frames(), "the line ended after {judged} judged frames");
    assert!(memory_now <= memory + GROWTH_KIB, "memory grew from {memory} to {memory_now} KiB");
    assert_eq!(handles_now, handles, "handles leak");
    let gate = &status["counters"]["gate"];
    let count = |name: &str| gate[name].as_u64().unwrap();
    assert!(count("triggered") <= count("passed") + count("rejected") + 1024, "{gate}");
}
