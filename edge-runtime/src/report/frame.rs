//! One judged frame as a line, for people or as JSON.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use judge::{Judgement, LikeDefect, Region, StageTimes, ZoneScore};
use serde::{Deserialize, Serialize};
use shared_format::Verdict;

/// The report on one frame; its fields are those of the JSON.
#[derive(Debug, Serialize)]
pub struct FrameReport {
    path: String,
    score: Option<f32>,
    threshold: f32,
    verdict: Verdict,
    /// The level of the zone with the largest score.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<u8>,
    /// The score of each zone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<ZoneFields>,
    region: Option<RegionFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<DefectFields>,
    fault: Option<String>,
    ms: StageMs,
}

/// A region's fields in JSON; see [`Region`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented at `Region`")]
pub struct RegionFields {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    pub area: u32,
    pub peak: f32,
}

impl From<Region> for RegionFields {
    fn from(region: Region) -> Self {
        let Region { x, y, width, height, area, peak } = region;
        Self { x, y, width, height, area, peak }
    }
}

/// A zone's fields in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ZoneFields {
    level: u8,
    score: f32,
}

impl ZoneFields {
    /// Returns the zones of a judged frame.
    pub(crate) fn of(judgement: &Judgement) -> Vec<Self> {
        let zones = judgement.zones.iter().flat_map(|zones| &zones.scores);
        zones.map(|&ZoneScore { level, score }| Self { level, score }).collect()
    }
}

/// A taught defect's fields in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct DefectFields {
    kind: String,
    likeness: f32,
}

impl From<&LikeDefect> for DefectFields {
    fn from(defect: &LikeDefect) -> Self {
        Self { kind: defect.kind.clone(), likeness: defect.likeness }
    }
}

/// Stage times in milliseconds.
#[derive(Debug, Serialize)]
struct StageMs {
    decode: f64,
    prepare: f64,
    infer: f64,
    decide: f64,
    total: f64,
}

/// Converts a time to milliseconds, rounded to the microsecond.
pub fn in_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl FrameReport {
    /// Creates the report on one frame.
    pub fn new(path: &Path, judgement: &Judgement) -> Self {
        let times: StageTimes = judgement.times;
        Self {
            path: path.to_string_lossy().into_owned(),
            score: judgement.score,
            threshold: judgement.threshold,
            verdict: judgement.verdict,
            zone: judgement.zone().map(|zone| zone.level),
            zones: ZoneFields::of(judgement),
            region: judgement.region.map(RegionFields::from),
            defect: judgement.defect.as_ref().map(DefectFields::from),
            fault: judgement.fault.as_ref().map(ToString::to_string),
            ms: StageMs {
                decode: in_ms(times.decode),
                prepare: in_ms(times.prepare),
                infer: in_ms(times.infer),
                decide: in_ms(times.decide),
                total: in_ms(times.total()),
            },
        }
    }

    /// Writes the report as JSON.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes the report as text: verdict, score, threshold, time, path, then zone, region and kind of defect, or fault.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let score = self.score.map_or_else(|| "-".to_owned(), significant);
        let threshold = significant(self.threshold);
        write!(
            out,
            "{:<6}  score {score:>10}  threshold {threshold:>10}  {:>8.1} ms  {}",
            self.verdict, self.ms.total, self.path
        )?;
        if let Some(level) = self.zone {
            write!(out, "  zone {level}")?;
        }
        if let Some(r) = &self.region {
            write!(out, "  region {}×{} at {},{}", r.width, r.height, r.x, r.y)?;
        }
        if let Some(defect) = &self.defect {
            write!(out, "  like {}", defect.kind)?;
        }
        if let Some(fault) = &self.fault {
            write!(out, "  {fault}")?;
        }
        writeln!(out)
    }
}

/// Formats a score with five significant digits: methods differ in scale by orders of magnitude.
pub fn significant(value: f32) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e6).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    let before_point = if magnitude < 1.0 { 1 } else { magnitude.log10() as usize + 1 };
    format!("{value:.*}", 6_usize.saturating_sub(before_point).min(5))
}
