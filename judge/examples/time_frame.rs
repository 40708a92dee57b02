//! Times whole frames, from the bytes of an image file to the verdict, to compare with other pipelines:
//! `time_frame BUNDLE FRAME THREADS`.
//!
//! Prints `ready`, the milliseconds from opening the bundle to the first verdict, and the resident memory before it in KiB. Then answers
//! each line of standard input, a number of frames, with four times in milliseconds for each: of the whole, and of decoding, preparing
//! and the network.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use judge::{Judge, Judgement};

const USAGE: &str = "usage: time_frame BUNDLE FRAME THREADS";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, frame, threads] = &arguments[..] else { return Err(USAGE.into()) };
    let bytes = std::fs::read(frame)?;
    let before = resident()?;
    let start = Instant::now();
    let mut judge = Judge::open(Path::new(bundle), threads.parse()?)?;
    judged(&mut judge, &bytes)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {} {before}", in_ms(start.elapsed()))?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse()? {
            let start = Instant::now();
            let Judgement { times: stages, .. } = judged(&mut judge, &bytes)?;
            let all = [start.elapsed(), stages.decode, stages.prepare, stages.infer];
            times.extend(all.map(|time| format!("{:.4}", in_ms(time))));
        }
        writeln!(out, "{}", times.join(" "))?;
        out.flush()?;
    }
    Ok(())
}

/// Judges a frame; a fault has no meaningful time.
fn judged(judge: &mut Judge, bytes: &[u8]) -> Result<Judgement, Box<dyn std::error::Error>> {
    let judgement = judge.judge_bytes(bytes);
    match judgement.fault {
        Some(fault) => Err(fault.into()),
        None => Ok(judgement),
    }
}

fn in_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the resident memory in KiB.
fn resident() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS in /proc/self/status")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value for VmRSS")?.parse()?)
}
