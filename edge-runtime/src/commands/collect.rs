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

use anyhow::{Context as _, Result};

use self::album::Album;
use self::quality::Quality;
use crate::capture::{CameraState, Capture, CapturedFrame};
use crate::commands::outcome::CommandOutcome;
use crate::line_file::{LineFile, MAIN_VIEW, ViewConfig};
use crate::trigger::parts::{LineParts, PollResult};

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file; its camera, trigger and number of frames per part are used.
    #[arg(long, value_name = "FILE")]
    line: PathBuf,
    /// Number of parts the folder holds in the end.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    parts: u32,
    /// Take photos with the camera of this view instead of `[camera]`.
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Folder for the photos; those of an earlier run count.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Takes the frames of each part until the folder holds enough parts. A lost camera is reopened.
///
/// # Errors
/// If line file, camera or folder can't be used, or a photo can't be written. If the camera ends before there are enough
/// parts, the outcome is an error.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let line = LineFile::load(&args.line)?;
    let view = args.view.as_deref().filter(|name| *name != MAIN_VIEW);
    let view = view
        .map(|name| {
            line.view(name).with_context(|| {
                let names: Vec<_> = line.cameras().map(|(name, _)| name).collect();
                format!("the line file has no view {name:?}; give one of {}", names.join(", "))
            })
        })
        .transpose()?;
    collect_parts(&line, view, Album::open(&args.out)?, args.parts)
}

/// Takes the frames of each part until `album` holds `wanted` parts.
///
/// # Errors
/// As [`run`].
pub(super) fn collect_parts(
    line: &LineFile,
    view: Option<&ViewConfig>,
    album: Album,
    wanted: u32,
) -> Result<CommandOutcome> {
    let mut collector = Collector { album, quality: Quality::default(), wanted, repeated: 0 };
    if collector.album.parts() > 0 {
        print_line(&format!("{} parts already in the folder", collector.album.parts()));
    }
    let mut parts = LineParts::open(line, None, view)?;
    // The first message tells people that the camera is live and parts may come.
    let (mut state, mut warnings) = (CameraState::Starting, vec![]);
    while collector.album.parts() < collector.wanted {
        let result = parts.poll()?;
        report_camera_changes(parts.capture(), &mut state, &mut warnings);
        match result {
            PollResult::Nothing => {}
            PollResult::Ended => break,
            PollResult::Part(Ok(frames)) => collector.take(&frames)?,
            PollResult::Part(Err(e)) => print_line(&format!("no photo of this part: {e}")),
        }
    }
    Ok(collector.summarize())
}

/// Reports changes of the camera's state and warnings.
fn report_camera_changes(capture: &Capture, state: &mut CameraState, warnings: &mut Vec<String>) {
    let now = capture.state();
    if now != *state && now != CameraState::Starting {
        print_line(&now.to_string());
        *state = now;
    }
    let now = capture.stats().warnings;
    if now != *warnings {
        now.iter().for_each(|warning| print_line(&format!("warning: {warning}")));
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
    fn take(&mut self, frames: &[Arc<CapturedFrame>]) -> Result<()> {
        let decoded: Result<Vec<_>, _> = frames.iter().map(|captured| captured.frame()).collect();
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(e) => {
                print_line(&format!("no photo of this part: {e}"));
                return Ok(());
            }
        };
        let Some((first, others)) = decoded.split_first() else { return Ok(()) };
        if self.quality.is_repeated(first) {
            self.repeated += 1;
            print_line("skipped a picture that repeats an earlier one; is the belt moving?");
            return Ok(());
        }
        let mut warnings = self.quality.warnings(first);
        others.iter().for_each(|frame| warnings.extend(self.quality.warnings(frame)));
        let name = self.album.add(frames)?;
        print_line(&format!("{} of {} parts: {name}", self.album.parts(), self.wanted));
        warnings.iter().for_each(|warning| print_line(&format!("warning: {name} is {warning}")));
        Ok(())
    }

    fn summarize(&self) -> CommandOutcome {
        let (parts, wanted, folder) = (self.album.parts(), self.wanted, self.album.folder().display());
        let repeated = match self.repeated {
            0 => String::new(),
            n => format!("; {n} repeated pictures were skipped"),
        };
        if parts < wanted {
            print_line(&format!(
                "{folder} holds {parts} of {wanted} parts: the camera has no more frames{repeated}"
            ));
            return CommandOutcome::Error;
        }
        print_line(&format!("{folder} holds {parts} parts{repeated}"));
        CommandOutcome::Success
    }
}

/// Prints to standard error; it doesn't matter if that is closed.
fn print_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
