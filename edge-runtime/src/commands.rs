//! One file per command; what they share is here.

pub mod bench;
pub mod calibrate;
pub mod check;
pub mod collect;
pub mod doctor;
pub mod init;
pub mod inspect;
pub mod run;
pub mod teach;

use std::path::Path;

use anyhow::{Context, Result, bail};
use judge::Judge;

use crate::report::significant;

/// Opens a bundle for judging.
pub(crate) fn open(bundle: &Path, threads: usize) -> Result<Judge> {
    Judge::open(bundle, threads).with_context(|| format!("the bundle {} is refused", bundle.display()))
}

/// One golden frame costs one frame's time at start and finds a machine that computes otherwise; `doctor` checks all.
pub(crate) fn check_first_golden(judge: &mut Judge) -> Result<()> {
    for golden in judge.check_some_golden(1)? {
        if !golden.within {
            bail!(
                "golden frame {} scores {} here but {} on the bundle's host (tolerance {}); run `edge-runtime doctor \
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
