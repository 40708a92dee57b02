//! Says which zones parts were rejected for.

use bundle::dataset::GOOD;
use bundle::evaluate::ImageOutcome;
use shared_format::{ThresholdFile, Verdict};

/// Returns a line for each zone of the bundle: how many good and defective images were rejected because its score was the largest.
#[must_use]
pub fn zone_lines(thresholds: &ThresholdFile, outcomes: &[ImageOutcome]) -> Vec<String> {
    let zones = thresholds.image_score.zones().into_iter().flat_map(|zones| &zones.zones);
    let rejected = |level: u8, defective: bool| {
        let of_zone = outcomes.iter().filter(|o| o.zone == Some(level) && o.verdict == Verdict::Reject);
        of_zone.filter(|o| (o.kind != GOOD) == defective).count()
    };
    let line = |zone: &shared_format::Zone| {
        let shown = format!("zone {}, factor {}", zone.level, zone.factor);
        let [good, bad] = [false, true].map(|defective| rejected(zone.level, defective));
        format!("{shown}: {good} good and {bad} defective images rejected for it")
    };
    zones.map(line).collect()
}
