//! `collect`: takes training photos with the line's camera and trigger.
//!
//! | file | contents |
//! |---|---|
//! | `quality` | detects blurred, badly exposed and repeated pictures |
//! | `album` | the numbered photo files |
//!
//! Whole frames are kept: the region of interest belongs to the bundle, and a training may use a different one.

pub(super) mod album;
mod quality;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use self::album::Album;
use self::quality::Quality;
use crate::capture::{CameraState, Capture, Captured};
use crate::commands::outcome::Outcome;
use crate::line_file::LineFile;
use crate::trigger::parts::{LineParts, Look};

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file; its camera, trigger and number of frames per part are used.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// Number of parts the folder holds in the end.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    parts: u32,
    /// Folder for the photos; those of an earlier run count.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Takes the frames of each part until the folder holds enough parts. A lost camera is reopened.
///
/// # Errors
/// If line file, camera or folder can't be used, or a photo can't be written. If the camera ends before there are enough
/// parts, the outcome is an error.
pub fn run(args: &Args) -> Result<Outcome> {
    gather(&LineFile::load(&args.line)?, Album::open(&args.out)?, args.parts)
}

/// Takes the frames of each part until `album` holds `wanted` parts.
///
/// # Errors
/// As [`run`].
pub(super) fn gather(line: &LineFile, album: Album, wanted: u32) -> Result<Outcome> {
    let mut collector = Collector { album, quality: Quality::default(), wanted, repeated: 0 };
    if collector.album.parts() > 0 {
        say(&format!("{} parts already in the folder", collector.album.parts()));
    }
    let mut parts = LineParts::open(line, None)?;
    // The first message tells people that the camera is live and parts may come.
    let (mut state, mut warnings) = (CameraState::Starting, vec![]);
    while collector.album.parts() < collector.wanted {
        let look = parts.look()?;
        tell_news(parts.capture(), &mut state, &mut warnings);
        match look {
            Look::Nothing => {}
            Look::Ended => break,
            Look::Part(Ok(frames)) => collector.take(&frames)?,
            Look::Part(Err(e)) => say(&format!("no photo of this part: {e}")),
        }
    }
    Ok(collector.end())
}

/// Reports changes of the camera's state and warnings.
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
                say(&format!("no photo of this part: {e}"));
                return Ok(());
            }
        };
        let Some((first, others)) = decoded.split_first() else { return Ok(()) };
        if self.quality.is_repeated(first) {
            self.repeated += 1;
            say("skipped a picture that repeats an earlier one; is the belt moving?");
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
            n => format!("; {n} repeated pictures were skipped"),
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

/// Prints to standard error; it doesn't matter if that is closed.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
