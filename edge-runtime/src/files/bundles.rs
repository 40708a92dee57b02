//! Opens bundles for judging.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use judge::{Engine, GoldenResult, Judge};

use crate::report::significant;

/// The reason why a bundle can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenBundleError {
    /// It can't be opened.
    #[error("cannot open the bundle {bundle}", bundle = bundle.display())]
    Refused {
        /// The bundle's folder.
        bundle: PathBuf,
        /// The cause.
        source: judge::BundleError,
    },
    /// Nobody whom the line trusts has signed it, or it was changed since then.
    #[error(transparent)]
    Signature {
        /// The cause.
        source: Box<signing::VerifyError>,
    },
    /// It is older than one that the line has run.
    #[error(
        "the bundle {bundle} has the serial number {serial}, and this line has run {highest}; deploy the newest one, or start once \
         with --allow-downgrade",
        bundle = bundle.display()
    )]
    Downgrade {
        /// The bundle's folder.
        bundle: PathBuf,
        /// Its serial number.
        serial: u64,
        /// The highest that was run.
        highest: u64,
    },
    /// A golden frame can't be judged.
    #[error(transparent)]
    Golden(#[from] judge::BundleError),
    /// There is no golden frame.
    #[error(
        "the bundle {bundle} has no golden frames to compare this machine with the one that made it; export it again",
        bundle = bundle.display()
    )]
    NoGolden {
        /// The bundle's folder.
        bundle: PathBuf,
    },
    /// This machine computes a different score than the one on which the bundle was made.
    #[error(
        "golden frame {file} scores {score} on this machine but {expected} when the bundle was made (tolerance \
         {tolerance}); run `edge-runtime doctor --bundle {bundle}` for details, and copy or export the bundle again",
        score = significant(*score),
        expected = significant(*expected),
        tolerance = significant(*tolerance),
        bundle = bundle.display()
    )]
    Computes {
        /// The golden frame's file.
        file: String,
        /// Its score on this machine.
        score: f32,
        /// Its score when the bundle was made.
        expected: f32,
        /// How much the scores may differ.
        tolerance: f32,
        /// The bundle's folder.
        bundle: PathBuf,
    },
}

/// Opens a bundle with the given engine, whoever made it. A line's bundles are opened by
/// [`LineTrust`](crate::trust::LineTrust).
///
/// # Errors
/// [`OpenBundleError::Refused`]
pub fn open_with(engine: Engine, bundle: &Path, threads: usize) -> Result<Judge, OpenBundleError> {
    let refused = |source| OpenBundleError::Refused { bundle: bundle.to_owned(), source };
    Judge::open_with(engine, bundle, threads).map_err(refused)
}

/// Returns the grey levels of a bundle's zones; none if it has no zones.
#[must_use]
pub fn zone_levels(judge: &Judge) -> Vec<u8> {
    judge.bundle().thresholds.image_score.zones().map_or(vec![], |zones| zones.levels().collect())
}

/// Warns if this processor has to emulate the bundle's arithmetic, which is slow.
pub fn warn_of_emulation(judge: &mut Judge) {
    if judge.network().is_emulated() {
        let text = format!(
            "the bundle {} is calibrated for 16-bit floats, which this processor doesn't support: it judges slowly; \
             run `edge-runtime calibrate --arithmetic f32` to make it fast on this machine",
            judge.bundle().folder.display()
        );
        // A line must not wait for the reader of standard error.
        if tracing::dispatcher::has_been_set() {
            tracing::warn!("{text}");
        } else {
            let _ = writeln!(std::io::stderr(), "warning: {text}");
        }
    }
}

/// Judges all golden frames, of which there must be some.
///
/// # Errors
/// [`OpenBundleError`]
pub fn check_golden(judge: &mut Judge) -> Result<Vec<GoldenResult>, OpenBundleError> {
    let results = judge.check_golden()?;
    if results.is_empty() {
        return Err(OpenBundleError::NoGolden { bundle: judge.bundle().folder.clone() });
    }
    results.into_iter().map(|golden| within(judge, golden)).collect()
}

/// Judges the first golden frame: at the cost of one frame at start, this detects a machine that computes different scores.
/// `doctor` checks all golden frames.
///
/// # Errors
/// [`OpenBundleError`]
pub fn check_first_golden(judge: &mut Judge) -> Result<(), OpenBundleError> {
    for golden in judge.check_some_golden(1)? {
        within(judge, golden)?;
    }
    Ok(())
}

fn within(judge: &Judge, golden: GoldenResult) -> Result<GoldenResult, OpenBundleError> {
    if golden.within {
        return Ok(golden);
    }
    Err(OpenBundleError::Computes {
        file: golden.file,
        score: golden.score,
        expected: golden.expected,
        tolerance: judge.bundle().thresholds.score_tolerance,
        bundle: judge.bundle().folder.clone(),
    })
}
