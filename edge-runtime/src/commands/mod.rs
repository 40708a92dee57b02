//! One file per command; what they share is here.

pub mod bench;
pub mod calibrate;
pub mod check;
pub mod collect;
pub mod doctor;
pub mod init;
pub mod inspect;
pub mod outcome;
pub mod run;
pub mod teach;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use judge::{Engine, Judge};

use crate::report::significant;

/// Who computes the network's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum EngineChoice {
    /// The project's own kernels where they match, tract for the rest.
    #[default]
    Kernels,
    /// tract alone, to compare with.
    Plain,
}

impl From<EngineChoice> for Engine {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Kernels => Self::Kernels,
            EngineChoice::Plain => Self::Plain,
        }
    }
}

/// Opens a bundle for judging.
pub(crate) fn open(bundle: &Path, threads: usize) -> Result<Judge> {
    let mut judge = open_with(EngineChoice::default(), bundle, threads)?;
    warn_of_emulation(&mut judge);
    Ok(judge)
}

/// [`open`] with an engine of the caller's choice.
pub(crate) fn open_with(engine: EngineChoice, bundle: &Path, threads: usize) -> Result<Judge> {
    Judge::open_with(engine.into(), bundle, threads)
        .with_context(|| format!("the bundle {} is refused", bundle.display()))
}

/// Says so where this processor is slow with the bundle's arithmetic.
pub(crate) fn warn_of_emulation(judge: &mut Judge) {
    if judge.network().is_emulated() {
        let text = format!(
            "the bundle {} is calibrated for 16-bit floats, with which this processor doesn't compute: it judges \
             slowly; `edge-runtime calibrate --arithmetic f32` makes it fast here",
            judge.bundle().folder.display()
        );
        // A line waits for nobody who reads standard error.
        if tracing::dispatcher::has_been_set() {
            tracing::warn!("{text}");
        } else {
            let _ = writeln!(std::io::stderr(), "warning: {text}");
        }
    }
}

/// One golden frame costs one frame's time at start and finds a machine that computes otherwise; `doctor` checks all.
pub(crate) fn check_first_golden(judge: &mut Judge) -> Result<()> {
    for golden in judge.check_some_golden(1)? {
        if !golden.within {
            bail!(
                "golden frame {} scores {} here but {} where the bundle was made (tolerance {}); run `edge-runtime doctor \
                 --bundle {}` for details, and copy or export the bundle again",
                golden.file,
                significant(golden.score),
                significant(golden.expected),
                significant(judge.bundle().thresholds.score_tolerance),
                judge.bundle().folder.display()
            );
        }
    }
    Ok(())
}
