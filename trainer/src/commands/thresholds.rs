//! What a command that calibrated says of it.

use bundle::{Calibration, claim_with_threshold, highest, lonely};

/// Claim, threshold and the normals with the highest scores; `again` says what to do without a bad one among them.
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
    if let Some(warning) = lonely(calibration, again) {
        eprintln!("warning: {warning}");
    }
}
