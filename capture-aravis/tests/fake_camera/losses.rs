//! Lost packets, and cameras and processes that are killed.

use std::time::{Duration, Instant};

use frame_channel::ChannelError;

use crate::support::{Capture, LONG, camera, frame, moved_by, number, turn};

#[test]
fn a_frame_with_missing_packets_is_damaged_and_says_so() {
    let Some(_turn) = turn() else { return };
    let _camera = camera(5);
    let capture = Capture::start();
    let mut receiver = capture.open(50).0;
    let (mut whole, mut damaged, mut last) = (0, 0, 0);
    let started = Instant::now();
    while whole < 20 || damaged < 5 {
        assert!(started.elapsed() < LONG, "{whole} {damaged}");
        let (info, bytes) = frame(&mut receiver).unwrap();
        assert!(info.sequence > last);
        last = info.sequence;
        match info.damage {
            None => {
                // Not one pixel of it is missing.
                moved_by(&bytes);
                whole += 1;
            }
            Some(reason) => {
                assert!(
                    reason.contains("check cable, switch and packet size") && bytes.is_empty(),
                    "{reason}"
                );
                damaged += 1;
            }
        }
    }
}

#[test]
fn a_camera_that_is_killed_is_lost_and_comes_back() {
    let Some(_turn) = turn() else { return };
    let mut running = Some(camera(0));
    let capture = Capture::start();
    let (mut noticed, mut back) = (Duration::ZERO, Duration::ZERO);
    for kill in 0..number("NOMINAL_ARAVIS_KILLS", 3) {
        let (mut receiver, first, bytes) = capture.open(100);
        let offset = (first.sequence + 255 - moved_by(&bytes)) % 255;
        std::thread::sleep(Duration::from_micros(kill * 7919 % 30_000));
        drop(running.take());
        let killed = Instant::now();
        let lost = loop {
            match frame(&mut receiver) {
                Ok((info, bytes)) if info.damage.is_none() => {
                    assert_eq!((moved_by(&bytes) + offset) % 255, info.sequence % 255);
                }
                Ok(_) => {}
                Err(e) => break e,
            }
        };
        noticed = noticed.max(killed.elapsed());
        // It is noticed by the heartbeat or by missing frames, unless the process waits for an answer of the camera just then.
        match &lost {
            ChannelError::Refused(refusal) => assert!(refusal.reason.contains("power and cable"), "{lost}"),
            other => assert!(matches!(other, ChannelError::TimedOut), "{other}"),
        }
        running = Some(camera(0));
        let restarted = Instant::now();
        drop(capture.open(100));
        back = back.max(restarted.elapsed());
    }
    drop(running);
    println!("a killed camera is noticed within {noticed:?}; back {back:?} after its start");
    assert!(noticed < Duration::from_secs(10), "{noticed:?}");
}

#[test]
fn a_capture_process_that_is_killed_gives_the_camera_back() {
    let Some(_turn) = turn() else { return };
    let _camera = camera(0);
    let mut capture = Capture::start();
    let mut times = vec![];
    for kill in 0..number("NOMINAL_ARAVIS_KILLS", 3) {
        let mut receiver = capture.open(100).0;
        std::thread::sleep(Duration::from_micros(kill * 7919 % 30_000));
        let killed = Instant::now();
        capture.restart();
        let end = loop {
            if let Err(e) = frame(&mut receiver) {
                break e;
            }
        };
        assert!(matches!(end, ChannelError::Closed), "{end}");
        drop(capture.open(100));
        times.push(killed.elapsed());
    }
    times.sort_unstable();
    println!(
        "a killed process: frames again after {:?}, in the slowest case {:?}",
        times[times.len() / 2],
        times.last()
    );
    assert!(times.last().is_some_and(|slowest| *slowest < Duration::from_secs(20)), "{times:?}");
}
