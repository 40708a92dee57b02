//! Plays JPEG files into a `v4l2loopback` device, as the camera of a line that has none:
//! `feed_camera DEVICE WIDTH HEIGHT FPS FILE`. The file may be replaced while it runs (by rename): the next frame is the
//! new one. Each frame is numbered in a comment, as no two of a live camera have the same bytes; while there is a file
//! `FILE.stale` they are not, as if a driver gave its last buffer again and again.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use v4l::video::Output as _;
use v4l::{Device, Format, FourCC};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, width, height, fps, file] = arguments.as_slice() else {
        bail!("give DEVICE WIDTH HEIGHT FPS FILE, for example /dev/video0 640 480 30 frame.jpg");
    };
    let fps: f64 = fps.parse().context("FPS is a number, for example 30")?;
    let period = Duration::try_from_secs_f64(1.0 / fps).context("FPS is above zero")?;
    let mut camera = Device::with_path(device).with_context(|| format!("cannot open {device}"))?;
    let size = (width.parse().context("WIDTH is a number")?, height.parse().context("HEIGHT is a number")?);
    camera.set_format(&Format::new(size.0, size.1, FourCC::new(b"MJPG"))).context("cannot set the format")?;
    let identity =
        |file: &str| std::fs::metadata(file).map(|found| (found.ino(), found.mtime(), found.mtime_nsec()));
    let (mut known, mut bytes) = (None, vec![]);
    let mut due = Instant::now();
    let stale = format!("{file}.stale");
    for number in 0_u64.. {
        let now = identity(file).with_context(|| format!("cannot read {file}"))?;
        if known != Some(now) {
            bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
            known = Some(now);
        }
        let frame = if Path::new(&stale).exists() { bytes.clone() } else { numbered(&bytes, number) };
        camera.write_all(&frame).context("cannot write to the device")?;
        due += period;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// The JPEG with a comment behind its start marker.
fn numbered(jpeg: &[u8], number: u64) -> Vec<u8> {
    const COMMENT: [u8; 4] = [0xFF, 0xFE, 0, 10];
    let (start, rest) = jpeg.split_at(jpeg.len().min(2));
    [start, &COMMENT, &number.to_be_bytes(), rest].concat()
}
