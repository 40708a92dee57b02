//! Plays a JPEG file into a `v4l2loopback` device, as the camera of a line that has none:
//! `feed_camera DEVICE WIDTH HEIGHT FPS FILE`. The file may be replaced (by rename) while this runs; the next frame is then
//! the new file. Each frame is numbered in a JPEG comment, because no two frames of a live camera have the same bytes. While
//! a file `FILE.stale` exists, frames are not numbered, as if the driver returned its last buffer again and again.

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
    let fps: f64 = fps.parse().context("FPS must be a number, for example 30")?;
    let period = Duration::try_from_secs_f64(1.0 / fps).context("FPS must be above zero")?;
    let mut camera = Device::with_path(device).with_context(|| format!("cannot open {device}"))?;
    let size = (
        width.parse().context("WIDTH must be a number")?,
        height.parse().context("HEIGHT must be a number")?,
    );
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

/// Returns the JPEG with a comment after its start marker.
fn numbered(jpeg: &[u8], number: u64) -> Vec<u8> {
    const COMMENT: [u8; 4] = [0xFF, 0xFE, 0, 10];
    let (start, rest) = jpeg.split_at(jpeg.len().min(2));
    [start, &COMMENT, &number.to_be_bytes(), rest].concat()
}
