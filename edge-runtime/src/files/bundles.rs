//! Bundles, opened for judging.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use judge::{Engine, Judge};

use crate::report::significant;

/// Why a bundle is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It can't be opened.
    #[error("the bundle {bundle} is refused", bundle = bundle.display())]
    Refused {
        /// The folder.
        bundle: PathBuf,
        /// Why.
        source: judge::BundleError,
    },
    /// A golden frame can't be judged.
    #[error(transparent)]
    Golden(#[from] judge::BundleError),
    /// This machine computes otherwise than the one on which the bundle was made.
    #[error(
        "golden frame {file} scores {score} here but {expected} where the bundle was made (tolerance {tolerance}); run \
         `edge-runtime doctor --bundle {bundle}` for details, and copy or export the bundle again",
        score = significant(*score),
        expected = significant(*expected),
        tolerance = significant(*tolerance),
        bundle = bundle.display()
    )]
    Computes {
        /// The golden frame.
        file: String,
        /// Its score here.
        score: f32,
        /// Its score there.
        expected: f32,
        /// How much they may differ.
        tolerance: f32,
        /// The folder.
        bundle: PathBuf,
    },
}

/// Opens a bundle, and says so if this processor is slow with its arithmetic.
///
/// # Errors
/// [`BundleError::Refused`]
pub fn open(bundle: &Path, threads: usize) -> Result<Judge, BundleError> {
    let mut judge = open_with(Engine::default(), bundle, threads)?;
    warn_of_emulation(&mut judge);
    Ok(judge)
}

/// Opens a bundle with an engine of the caller's choice.
///
/// # Errors
/// [`BundleError::Refused`]
pub fn open_with(engine: Engine, bundle: &Path, threads: usize) -> Result<Judge, BundleError> {
    let refused = |source| BundleError::Refused { bundle: bundle.to_owned(), source };
    Judge::open_with(engine, bundle, threads).map_err(refused)
}

/// Says so where this processor is slow with the bundle's arithmetic.
pub fn warn_of_emulation(judge: &mut Judge) {
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
///
/// # Errors
/// [`BundleError`]
pub fn check_first_golden(judge: &mut Judge) -> Result<(), BundleError> {
    for golden in judge.check_some_golden(1)? {
        if !golden.within {
            return Err(BundleError::Computes {
                file: golden.file,
                score: golden.score,
                expected: golden.expected,
                tolerance: judge.bundle().thresholds.score_tolerance,
                bundle: judge.bundle().folder.clone(),
            });
        }
    }
    Ok(())
}
