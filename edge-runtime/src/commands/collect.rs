//! `collect`: training photos through the line's own camera and trigger.
//!
//! | file | what it holds |
//! |---|---|
//! | `triggers` | when there is a part |
//! | `quality` | blurred, badly exposed and repeated pictures |
//! | `album` | the numbered files |
//!
//! Whole frames are kept: the region of interest belongs to the bundle, and whoever trains may want another one.

mod album;
mod quality;
pub mod triggers;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use self::album::Album;
use self::quality::Quality;
use crate::capture::{self, CameraState, Capture, Captured, NoFrame};
use crate::line_file::LineFile;
use crate::moment::Moment;
use crate::outcome::Outcome;

/// What to collect, and where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file: its camera, trigger and frames a part are used.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// Parts that the folder is to hold in the end.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    parts: u32,
    /// Where photos go; those of an earlier run count.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// How long to wait for a trigger before the camera is looked at.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long to wait for the frame of a trigger.
const FRAME_WITHIN: Duration = Duration::from_secs(2);

/// Takes the frames of each part until the folder holds enough parts. Cameras that are lost are opened again.
///
/// # Errors
/// Where line file, camera or folder can't be used, or a photo can't be written. Where the camera ends before there are
/// enough parts, the outcome is an error.
pub fn run(args: &Args) -> Result<Outcome> {
    let line = LineFile::load(&args.line)?;
    let (mut triggers, listener) = triggers::of(&line.trigger)?;
    let mut collector = Collector {
        album: Album::open(&args.out)?,
        quality: Quality::default(),
        wanted: args.parts,
        repeated: 0,
    };
    if collector.album.parts() > 0 {
        say(&format!("{} parts are there already", collector.album.parts()));
    }
    let camera = line.camera.clone();
    // Opened here for the first time: a mistake in the line file is told at once instead of tried again.
    let mut first = Some(capture::open(&camera)?);
    let open = move || first.take().map_or_else(|| capture::open(&camera), Ok);
    let capture = Capture::start(open, &line.health, listener).context("cannot start a thread")?;
    let (mut state, mut warnings) = (CameraState::Live, vec![]);
    while collector.album.parts() < collector.wanted {
        let trigger = triggers.next(PATIENCE)?;
        tell_news(&capture, &mut state, &mut warnings);
        match trigger.map(|at| frames_of_part(&capture, at, line.votes.frames)) {
            None if state == CameraState::Ended => break,
            None => {}
            Some(Ok(frames)) => collector.take(&frames)?,
            Some(Err(NoFrame::Ended)) => break,
            Some(Err(e)) => say(&format!("a part without photo: {e}")),
        }
    }
    Ok(collector.end())
}

/// Says what changed about the camera.
fn tell_news(capture: &Capture, state: &mut CameraState, warnings: &mut Vec<String>) {
    let now = capture.state();
    if now != *state && now != CameraState::Starting {
        say(&now.to_string());
        *state = now;
    }
    let now = capture.stats().warnings;
    if now != *warnings {
        now.iter().for_each(|warning| say(&format!("warning: {warning}")));
        *warnings = now;
    }
}

/// The first frame captured after the trigger, and those that follow it.
fn frames_of_part(capture: &Capture, trigger: Moment, frames: u16) -> Result<Vec<Arc<Captured>>, NoFrame> {
    let mut from = trigger;
    let mut found = vec![];
    for _ in 0..frames {
        let frame = capture.ring().first_after(from, Moment::now() + FRAME_WITHIN)?;
        from = frame.captured_at() + Duration::from_nanos(1);
        found.push(frame);
    }
    Ok(found)
}

struct Collector {
    album: Album,
    quality: Quality,
    wanted: u32,
    repeated: u32,
}

impl Collector {
    fn take(&mut self, frames: &[Arc<Captured>]) -> Result<()> {
        let decoded: Result<Vec<_>, _> = frames.iter().map(|captured| captured.frame()).collect();
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(e) => {
                say(&format!("a part without photo: {e}"));
                return Ok(());
            }
        };
        let Some((first, others)) = decoded.split_first() else { return Ok(()) };
        if self.quality.is_repeated(first) {
            self.repeated += 1;
            say("the same picture as before is not kept; is the belt moving?");
            return Ok(());
        }
        let mut doubts = self.quality.doubts(first);
        others.iter().for_each(|frame| doubts.extend(self.quality.doubts(frame)));
        let name = self.album.keep(frames)?;
        say(&format!("{} of {} parts: {name}", self.album.parts(), self.wanted));
        doubts.iter().for_each(|doubt| say(&format!("warning: {name} is {doubt}")));
        Ok(())
    }

    fn end(&self) -> Outcome {
        let (parts, wanted, folder) = (self.album.parts(), self.wanted, self.album.folder().display());
        let repeated = match self.repeated {
            0 => String::new(),
            n => format!("; {n} repeated pictures were not kept"),
        };
        if parts < wanted {
            say(&format!(
                "{folder} holds {parts} of {wanted} parts: the camera has no more frames{repeated}"
            ));
            return Outcome::Error;
        }
        say(&format!("{folder} holds {parts} parts{repeated}"));
        Outcome::Fine
    }
}

/// On standard error, where people watch; who closed it doesn't.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
