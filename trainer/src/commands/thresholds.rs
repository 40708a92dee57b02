//! The report of a command that calibrated.

use std::path::Path;

use bundle::miss_rate::describe;
use bundle::{Calibration, claim_with_threshold, highest, outlier_warning, suspects_warning};
use judge::{Bundle, BundleError};

/// Prints what is known of false alarms and of misses of taught defects; nothing if none were taught.
///
/// # Errors
/// If the bundle can't be read.
pub(super) fn print_misses(bundle: &Path) -> Result<(), BundleError> {
    describe(&Bundle::open(bundle)?.thresholds).iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Prints claim, threshold and the normals with the highest scores; `again` is the action to take after removing a bad one.
pub(super) fn print(calibration: &Calibration, model_bytes: usize, again: &str) {
    let scores = &calibration.evidence.scores;
    println!("{}", claim_with_threshold(calibration));
    println!(
        "threshold {:.4} (normals: median {:.4}, largest {:.4}); model {:.1} MB",
        calibration.image_threshold,
        scores.q50,
        scores.max,
        model_bytes as f64 / 1e6
    );
    println!("{}", highest(calibration));
    let scored = calibration.evidence.normals - calibration.left_out;
    let advice = format!(
        "remove those that aren't good parts and {again}, or the gate will pass what it should reject"
    );
    if let Some(warning) = suspects_warning(&calibration.suspects, scored as usize, &advice) {
        eprintln!("warning: {warning}");
    }
    if let Some(warning) = outlier_warning(calibration, again) {
        eprintln!("warning: {warning}");
    }
}
