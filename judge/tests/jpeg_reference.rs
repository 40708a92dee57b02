//! Compares JPEG files with libjpeg-turbo's `djpeg`: the same pixels, or a fault; and a fault wherever it warns.
//!
//! Needs `cjpeg` and `djpeg` (Debian: libjpeg-turbo-progs; `cargo xtask test` installs them); reports a skip without
//! them.
// Clippy's test settings cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use fuzzing::Rng;
use judge::{Frame, Pixels, decode};

#[path = "support/times.rs"]
mod times;

/// Number of files to generate: fewer on an emulated processor.
const FILES: u64 = if cfg!(target_arch = "x86_64") { 2500 } else { 300 };

/// Draws a picture as PNM: noise, waves, or steps with some noise.
fn picture(rng: &mut Rng, width: usize, height: usize, is_grey: bool) -> Vec<u8> {
    let channels = if is_grey { 1 } else { 3 };
    let mut bytes = format!("P{}\n{width} {height}\n255\n", if is_grey { 5 } else { 6 }).into_bytes();
    let (kind, base) = (rng.below(3), rng.below(256));
    for i in 0..width * height * channels {
        let (x, y, channel) = (i / channels % width, i / channels / width, i % channels);
        let noise = rng.below(24);
        bytes.push(match kind {
            0 => rng.below(256) as u8,
            1 => (128.0 + 110.0 * (x as f64 / (3 + channel) as f64 + y as f64 / 7.0).sin()) as u8,
            _ => (base + x * 3 + channel * 40 + noise) as u8,
        });
    }
    bytes
}

const SAMPLING: [&str; 15] = [
    "1x1",
    "2x1",
    "1x2",
    "2x2",
    "2x1",
    "2x2",
    "4x1",
    "1x4",
    "4x2",
    "2x4",
    "2x2,1x1,1x2",
    "2x2,2x1,2x1",
    "1x1,2x2,1x1",
    "1x1,1x1,2x2",
    "2x1,1x1,1x2",
];
const SCANS: [&str; 6] = [
    "0;1;2;",
    "0 1;2;",
    "0;1 2;",
    "2;0 1;",
    "0 1 2: 0-0, 0, 0; 0: 1-63, 0, 0; 2: 1-63, 0, 0; 1: 1-63, 0, 0;",
    "0: 0-0, 0, 1; 1 2: 0-0, 0, 1; 0: 1-5, 0, 2; 2: 1-63, 0, 1; 1: 1-63, 0, 1; 0: 6-63, 0, 2; 0: 1-63, 2, 1; \
     0 1 2: 0-0, 1, 0; 2: 1-63, 1, 0; 1: 1-63, 1, 0; 0: 1-63, 1, 0;",
];

/// Makes an intact JPEG of some kind.
fn whole(rng: &mut Rng, folder: &Path) -> Vec<u8> {
    let side = |rng: &mut Rng| match rng.below(3) {
        0 => rng.between(1, 40),
        1 => rng.between(1, 150),
        _ => 8 * rng.between(1, 12),
    };
    let (width, height, is_grey) = (side(rng), side(rng), rng.percent(15));
    let input = folder.join("picture.pnm");
    std::fs::write(&input, picture(rng, width, height, is_grey)).unwrap();
    let mut cjpeg = Command::new("cjpeg");
    cjpeg.args(["-quality", rng.choose(&["5", "25", "50", "75", "85", "90", "95", "100"])]);
    if !is_grey {
        cjpeg.args(["-sample", rng.choose(&SAMPLING)]);
        if rng.percent(8) {
            cjpeg.arg("-rgb");
        }
    }
    if rng.percent(50) {
        cjpeg.args(["-restart", rng.choose(&["1B", "2B", "3B", "7B", "1", "2"])]);
    }
    let scans = folder.join("scans.txt");
    match rng.below(10) {
        0 | 1 => drop(cjpeg.arg("-progressive")),
        2..=4 if !is_grey => {
            std::fs::write(&scans, rng.choose(&SCANS)).unwrap();
            cjpeg.arg("-scans").arg(&scans);
        }
        _ => {}
    }
    if rng.percent(30) {
        cjpeg.arg("-optimize");
    }
    let output = cjpeg.arg(&input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Loses, changes, adds or cuts off data at a random position after the first scan's header, or flips a bit anywhere.
fn damage(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    let scan = bytes.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 14;
    let at = rng.between(scan.min(bytes.len() - 3), bytes.len() - 3);
    match rng.below(8) {
        0..=3 => {
            let end = (at + rng.between(1, 300)).min(bytes.len() - 2);
            bytes.drain(at..end);
        }
        4 | 5 => bytes[at] = rng.below(256) as u8,
        6 => bytes.truncate(at),
        _ => {
            let at = rng.between(2, bytes.len() - 1);
            bytes[at] ^= 1 << rng.below(8);
        }
    }
    bytes
}

/// Returns what djpeg makes of a file; `None` if it fails, or warns about more than stray bytes before a marker.
fn reference(folder: &Path, bytes: &[u8]) -> Option<(Vec<u32>, Vec<u8>)> {
    let path = folder.join("file.jpg");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("djpeg").arg("-pnm").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.lines().any(|line| !line.contains("extraneous bytes before marker")) {
        return None;
    }
    let mut parts = output.stdout.splitn(4, |&byte| byte == b'\n');
    let kind = parts.next()?.to_vec();
    let size = String::from_utf8(parts.next()?.to_vec()).unwrap();
    let mut size: Vec<u32> = size.split(' ').map(|side| side.parse().unwrap()).collect();
    size.push(if kind == b"P5" { 1 } else { 3 });
    parts.next()?;
    Some((size, parts.next()?.to_vec()))
}

fn pixels(frame: &Frame) -> (Vec<u32>, Vec<u8>) {
    let (channels, values) = match frame.pixels() {
        Pixels::Grey8(values) => (1, values),
        Pixels::Rgb8(values) => (3, values),
        other => panic!("{other:?}"),
    };
    (vec![frame.size().width, frame.size().height, channels], values.clone())
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-version").output().is_ok()
}

#[test]
fn every_file_is_what_libjpeg_makes_of_it_or_a_fault() {
    if !is_there("cjpeg") || !is_there("djpeg") {
        // Written straight to the file: the test harness captures what the print macros write.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: cjpeg and djpeg not found; install libjpeg-turbo-progs");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::default();
    let (mut whole_files, mut damaged_equal, mut refused, mut warned) = (0, 0, 0, 0);
    let files = FILES * times::times();
    for file in 0..files {
        let mut bytes = whole(&mut rng, folder.path());
        let is_damaged = rng.percent(45);
        if is_damaged {
            bytes = damage(&mut rng, bytes);
        }
        let expected = reference(folder.path(), &bytes);
        let kept = || {
            let path = std::env::temp_dir().join(format!("nominal-jpeg-{file}.jpg"));
            std::fs::write(&path, &bytes).unwrap();
            path
        };
        warned += u64::from(expected.is_none());
        match decode(&bytes) {
            Ok(frame) => {
                let Some(expected) = expected else { panic!("judged, though djpeg warns: {:?}", kept()) };
                assert!(pixels(&frame) == expected, "pixels differ from djpeg's: {:?}", kept());
                if is_damaged { damaged_equal += 1 } else { whole_files += 1 }
            }
            Err(error) => {
                assert!(is_damaged, "an intact file is refused: {error}: {:?}", kept());
                refused += 1;
            }
        }
    }
    println!(
        "{whole_files} intact, {damaged_equal} damaged and equal, {refused} refused, djpeg warns about {warned}"
    );
    // 55 in a hundred are intact, give or take a few among the few hundred that an emulated processor tries.
    assert!(whole_files > files * 2 / 5 && damaged_equal > files / 50 && warned > files / 8, "too easy");
}
