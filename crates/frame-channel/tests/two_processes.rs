//! A capture process that is this test itself, started again: frames, kills and hangs.
//!
//! `NOMINAL_CHANNEL_FRAMES` and `NOMINAL_CHANNEL_RATE` make the run of frames longer: 100,000 at 100 a second take 17 minutes.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use frame_channel::{ChannelError, FrameInfo, FrameReceiver, FrameSender, Greeting, Received, Sent};
use serde_json::json;

/// 640 × 480 pixels in colour.
const FRAME: usize = 640 * 480 * 3;
const WRITER: &str = "NOMINAL_CHANNEL_WRITER";

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The capture process; it does nothing when the tests run.
#[test]
fn writer() {
    if std::env::var(WRITER).is_err() {
        return;
    }
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let wanted = frame_channel::request(&socket, Duration::from_secs(9)).unwrap();
    let interval = Duration::from_nanos(1_000_000_000 / wanted["rate"].as_u64().unwrap());
    let greeting = Greeting { description: "numbers".to_owned(), may_repeat: false };
    let mut sender = FrameSender::new(socket, greeting, FRAME as u64).unwrap();
    let mut frame = vec![0; FRAME];
    let (mut due, mut dropped) = (Instant::now(), 0);
    for sequence in 0..wanted["frames"].as_u64().unwrap() {
        due += interval;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        frame.fill(sequence as u8);
        frame[..8].copy_from_slice(&sequence.to_le_bytes());
        let info = FrameInfo {
            sequence,
            captured_at: now(),
            format: "rgb24".to_owned(),
            width: 640,
            height: 480,
            damage: None,
        };
        match sender.send(info, &frame) {
            Ok(sent) => dropped += u64::from(sent == Sent::Dropped),
            Err(ChannelError::Closed) => return,
            Err(e) => panic!("{e}"),
        }
    }
    sender.warn(vec![dropped.to_string()]).unwrap();
    sender.end().unwrap();
}

struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Writer {
    fn start(frames: u64, rate: u64) -> (Self, FrameReceiver) {
        let (ours, theirs) = frame_channel::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["writer", "--exact", "--nocapture"])
            .env(WRITER, "1")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let camera = json!({ "frames": frames, "rate": rate });
        let opened =
            FrameReceiver::open(ours, camera, frame_channel::MAX_SLOT_BYTES, Duration::from_secs(30));
        (Self(child), opened.unwrap().0)
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }
}

/// Checks that the bytes are those of the frame.
fn check(info: &FrameInfo, bytes: &[u8]) {
    assert_eq!(bytes.len(), FRAME);
    assert_eq!(bytes[..8], info.sequence.to_le_bytes());
    assert!(bytes[8..].iter().all(|byte| *byte == info.sequence as u8), "{info:?}");
}

#[test]
fn no_frame_is_lost_or_doubled_unnoticed() {
    let (frames, rate) = (number("NOMINAL_CHANNEL_FRAMES", 600), number("NOMINAL_CHANNEL_RATE", 200));
    let (_writer, mut receiver) = Writer::start(frames, rate);
    let (mut received, mut next, mut gaps) = (0, 0, 0);
    let mut latencies = vec![];
    let dropped: u64 = loop {
        match receiver.next(Duration::from_secs(9)).unwrap() {
            Received::Frame(info, bytes) => {
                latencies.push(now() - info.captured_at);
                check(&info, &bytes);
                received += 1;
                gaps += info.sequence - next;
                next = info.sequence + 1;
            }
            Received::Warnings(told) => break told[0].parse().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(receiver.next(Duration::from_secs(9)).unwrap(), Received::End);
    assert_eq!(received + gaps + (frames - next), frames);
    assert_eq!(gaps + (frames - next), dropped, "every loss shows");
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    println!(
        "{received} of {frames} frames, {dropped} dropped and all of them noticed; from one process to the other p50 {:.3} ms, \
         p99 {:.3} ms, most {:.3} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

#[test]
fn a_receiver_that_is_late_sees_what_it_missed() {
    let (_writer, mut receiver) = Writer::start(200, 1000);
    std::thread::sleep(Duration::from_millis(400));
    let mut sequences = vec![];
    while let Received::Frame(info, bytes) = receiver.next(Duration::from_secs(9)).unwrap() {
        check(&info, &bytes);
        sequences.push(info.sequence);
    }
    assert!(sequences.starts_with(&[0, 1, 2, 3]), "{sequences:?}");
    assert!(sequences.len() < 200 && sequences.is_sorted(), "{sequences:?}");
}

#[test]
fn a_killed_process_is_noticed_at_once_and_another_takes_over() {
    let rounds = number("NOMINAL_CHANNEL_KILLS", 10);
    let (mut noticed, mut back) = (Duration::ZERO, Duration::ZERO);
    for round in 0..rounds {
        let started = Instant::now();
        let (mut writer, mut receiver) = Writer::start(1_000_000, 500);
        let first = receiver.next(Duration::from_secs(9)).unwrap();
        assert!(matches!(first, Received::Frame(..)), "{first:?}");
        back = back.max(started.elapsed());
        // Some time within three frames.
        std::thread::sleep(Duration::from_micros(round * 7919 % 6000));
        writer.0.kill().unwrap();
        let killed = Instant::now();
        let end = loop {
            match receiver.next(Duration::from_secs(9)) {
                Ok(Received::Frame(info, bytes)) => check(&info, &bytes),
                Ok(other) => panic!("{other:?}"),
                Err(e) => break e,
            }
        };
        assert!(matches!(end, ChannelError::Closed), "{end}");
        noticed = noticed.max(killed.elapsed());
    }
    println!("{rounds} kills: noticed within {noticed:?}, first frame of the next process within {back:?}");
    assert!(noticed < Duration::from_secs(2) && back < Duration::from_secs(20));
}

#[test]
fn a_process_that_hangs_is_waited_for_and_not_longer() {
    let (writer, mut receiver) = Writer::start(1_000_000, 500);
    writer.signal("-STOP");
    let end = loop {
        match receiver.next(Duration::from_millis(300)) {
            Ok(Received::Frame(info, bytes)) => check(&info, &bytes),
            Ok(other) => panic!("{other:?}"),
            Err(e) => break e,
        }
    };
    assert!(matches!(end, ChannelError::TimedOut), "{end}");
    // It goes on, and nothing is torn.
    writer.signal("-CONT");
    for _ in 0..20 {
        let Received::Frame(info, bytes) = receiver.next(Duration::from_secs(9)).unwrap() else { panic!() };
        check(&info, &bytes);
    }
}
