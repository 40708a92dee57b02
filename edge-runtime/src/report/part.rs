//! The report on a part, as telegram and JSON. For the text form, see [`super::text`].

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use shared_format::gateway::PartMessage;
use shared_format::{Telegram, Verdict};

use crate::part::{Disposition, Reason, Release};
use crate::report::in_ms;

/// The report on a part that has passed the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct PartReport {
    /// The number of the run that the part belongs to.
    pub run: u32,
    /// The name of its product.
    pub product: Arc<str>,
    /// The name of the view that decided; `None` on a line with one camera, or without a verdict.
    pub view: Option<Arc<str>>,
    /// How the part passed the gate.
    pub release: Release,
}

#[derive(Serialize)]
struct Json<'r> {
    run: u32,
    part: u64,
    product: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'r str>,
    verdict: Option<Verdict>,
    score: Option<f32>,
    threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<u8>,
    disposition: Disposition,
    reason: Reason,
    frames: u16,
    ms: JsonMs,
}

/// Times in milliseconds.
#[derive(Serialize)]
struct JsonMs {
    capture_to_release: Option<f64>,
    trigger_to_release: f64,
    lateness: f64,
}

impl PartReport {
    /// Returns the score of the part's verdict, if any.
    #[must_use]
    pub fn score(&self) -> Option<f32> {
        self.release.verdict?.score.filter(|score| score.is_finite())
    }

    /// Returns the threshold that the score was compared with, if there is a verdict.
    #[must_use]
    pub fn threshold(&self) -> Option<f32> {
        Some(self.release.verdict?.threshold).filter(|threshold| threshold.is_finite())
    }

    /// Returns the part's telegram.
    #[must_use]
    pub fn telegram(&self) -> Telegram {
        Telegram {
            run: self.run,
            part: self.release.part,
            product: self.release.product,
            verdict: self.release.verdict.map(|verdict| verdict.verdict),
            disposition: self.release.disposition,
            reason: self.release.reason,
            score: self.score(),
            threshold: self.threshold(),
        }
    }

    /// Returns the part's message for the gateway.
    #[must_use]
    pub fn message(&self) -> PartMessage {
        let release = &self.release;
        let us = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let since = |at| us(release.released_at.since(at));
        let verdict = release.verdict.as_ref();
        PartMessage {
            telegram: self.telegram(),
            frames: verdict.map_or(0, |verdict| verdict.frames),
            capture_to_release_us: verdict.and_then(|verdict| verdict.captured_at).map(since),
            trigger_to_release_us: since(release.triggered_at),
            lateness_us: us(release.lateness),
        }
    }

    /// Appends the part's line of JSON to `out`: run, part, product, view (if there are several), verdict, score, threshold, zone (if the bundle has
    /// zones), disposition, reason, frames, and under `ms` the times capture_to_release, trigger_to_release and lateness.
    ///
    /// # Errors
    /// Never, as writing to a vector can't fail; the return type is the serializer's.
    pub fn write_json(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let release = &self.release;
        let since = |at| in_ms(release.released_at.since(at));
        let verdict = release.verdict;
        let line = Json {
            run: self.run,
            part: release.part,
            product: &self.product,
            view: self.view.as_deref(),
            verdict: verdict.map(|verdict| verdict.verdict),
            score: self.score(),
            threshold: self.threshold(),
            zone: verdict.and_then(|verdict| verdict.zone),
            disposition: release.disposition,
            reason: release.reason,
            frames: verdict.map_or(0, |verdict| verdict.frames),
            ms: JsonMs {
                capture_to_release: verdict.and_then(|verdict| verdict.captured_at).map(since),
                trigger_to_release: since(release.triggered_at),
                lateness: in_ms(release.lateness),
            },
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::part::PartVerdict;

    pub const MS: u64 = 1_000_000;

    /// Part 123, rejected for its score of 0.87.
    pub fn rejected() -> PartReport {
        let verdict = PartVerdict {
            part: 123,
            verdict: Verdict::Reject,
            other_product: false,
            score: Some(0.87),
            threshold: 0.5,
            zone: None,
            view: None,
            frames: 3,
            captured_at: Some(Moment(20 * MS)),
        };
        let release = Release {
            part: 123,
            product: 1,
            triggered_at: Moment(10 * MS),
            released_at: Moment(410 * MS),
            lateness: Duration::from_micros(12),
            verdict: Some(verdict),
            disposition: Disposition::Reject,
            reason: Reason::Verdict,
        };
        PartReport { run: 7, product: "cap".into(), view: None, release }
    }

    /// Part 125, rejected because its verdict was missing.
    pub fn missing() -> PartReport {
        let mut report = rejected();
        report.release.part = 125;
        report.release.verdict = None;
        report.release.reason = Reason::Missing;
        report
    }

    fn json(report: &PartReport) -> String {
        let mut out = vec![];
        report.write_json(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_part_is_one_line_of_json() {
        assert_eq!(
            json(&rejected()),
            concat!(
                r#"{"run":7,"part":123,"product":"cap","verdict":"reject","score":0.87,"threshold":0.5,"#,
                r#""disposition":"reject","reason":"verdict","frames":3,"#,
                r#""ms":{"capture_to_release":390.0,"trigger_to_release":400.0,"lateness":0.012}}"#,
                "\n"
            )
        );
        let mut of_zone = rejected();
        of_zone.release.verdict.as_mut().unwrap().zone = Some(128);
        let of_view = PartReport { view: Some("side".into()), ..rejected() };
        assert!(json(&of_view).contains(r#""product":"cap","view":"side","verdict":"reject""#));
        assert!(json(&of_zone).contains(r#""threshold":0.5,"zone":128,"disposition""#));
        assert_eq!(
            json(&missing()),
            concat!(
                r#"{"run":7,"part":125,"product":"cap","verdict":null,"score":null,"threshold":null,"#,
                r#""disposition":"reject","reason":"missing","frames":0,"#,
                r#""ms":{"capture_to_release":null,"trigger_to_release":400.0,"lateness":0.012}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_part_is_a_telegram() {
        let telegram = rejected().telegram();
        let expected = Telegram {
            run: 7,
            part: 123,
            product: 1,
            verdict: Some(Verdict::Reject),
            disposition: Disposition::Reject,
            reason: Reason::Verdict,
            score: Some(0.87),
            threshold: Some(0.5),
        };
        assert_eq!(telegram, expected);
        let nothing = missing().telegram();
        assert_eq!((nothing.verdict, nothing.score, nothing.threshold), (None, None, None));
    }

    #[test]
    fn a_score_that_is_no_number_can_be_sent() {
        let mut report = rejected();
        report.release.verdict.as_mut().unwrap().score = Some(f32::NAN);
        let mut buffer = [0; shared_format::telegram::MAX_LEN];
        assert!(report.telegram().encode(&mut buffer).is_ok());
        assert!(json(&report).contains(r#""score":null"#));
    }
}
