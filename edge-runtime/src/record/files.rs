//! A record's files.

use judge::{EncodeError, encode_png};
use serde::Serialize;
use shared_format::Verdict;

use super::Record;
use crate::clock::WallTime;
use crate::files::overlays;
use crate::part::PartNumber;
use crate::report::{DefectFields, RegionFields, ZoneFields};

const JPEG: &str = "frame.jpg";
const PNG: &str = "frame.png";
/// Bytes that can't be decoded and are neither a JPEG nor a PNG.
const BYTES: &str = "frame.bin";
const OVERLAY: &str = "overlay.png";
pub const DESCRIPTION: &str = "record.json";
/// Written by [`crate::review`], if a person has decided on the record.
pub const DECISION: &str = "decision.json";
/// The names that a picture of the frame can have.
pub const FRAMES: [&str; 2] = [JPEG, PNG];
/// Every name that a file of a record can have: anything else in its folder is foreign.
pub const NAMES: [&str; 6] = [JPEG, PNG, BYTES, OVERLAY, DESCRIPTION, DECISION];

/// A file's name and bytes.
pub type RecordFile = (&'static str, Vec<u8>);

/// `record.json`.
#[derive(Debug, Serialize)]
struct Description<'a> {
    line: &'a str,
    run: u64,
    part: PartNumber,
    frame_of_part: u16,
    product: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'a str>,
    verdict: Verdict,
    part_verdict: Verdict,
    score: Option<f32>,
    threshold: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<ZoneFields>,
    region: Option<RegionFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<DefectFields>,
    fault: Option<String>,
    captured_at: WallTime,
    /// The first twelve hex digits, enough to tell two models apart by eye.
    model_sha256: String,
}

/// Returns the files of a record, including the frame itself if `with_frame`.
///
/// # Errors
/// If the frame or its overlay can't be encoded as PNG.
pub fn of(
    record: &Record,
    line: &str,
    run: u64,
    captured: WallTime,
    with_frame: bool,
) -> Result<Vec<RecordFile>, EncodeError> {
    let mut files = vec![(DESCRIPTION, describe(record, line, run, captured))];
    if let Ok(frame) = record.captured.frame() {
        files.push((OVERLAY, overlays::draw(frame, &record.judgement, &record.thresholds)?));
    }
    if with_frame {
        files.extend(frame(record)?);
    }
    Ok(files)
}

/// Returns the frame as the camera delivered it if that is a JPEG or PNG or can't be decoded, otherwise encoded as PNG.
fn frame(record: &Record) -> Result<Option<RecordFile>, EncodeError> {
    let captured = &record.captured;
    match (captured.encoded(), captured.frame()) {
        (Some(bytes), _) if bytes.starts_with(b"\xff\xd8\xff") => Ok(Some((JPEG, bytes.to_vec()))),
        (Some(bytes), _) if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Ok(Some((PNG, bytes.to_vec()))),
        (_, Ok(frame)) => Ok(Some((PNG, encode_png(frame)?))),
        (Some(bytes), Err(_)) => Ok(Some((BYTES, bytes.to_vec()))),
        (None, Err(_)) => Ok(None),
    }
}

fn describe(record: &Record, line: &str, run: u64, captured_at: WallTime) -> Vec<u8> {
    let judgement = &record.judgement;
    let description = Description {
        line,
        run,
        part: record.part,
        frame_of_part: record.frame_of_part,
        product: &record.product,
        view: record.view.as_deref(),
        verdict: judgement.verdict,
        part_verdict: record.part_verdict,
        score: judgement.score,
        threshold: judgement.threshold,
        zones: ZoneFields::of(judgement),
        region: judgement.region.map(RegionFields::from),
        defect: judgement.defect.as_ref().map(DefectFields::from),
        fault: record.refused.clone().or_else(|| judgement.fault.as_ref().map(ToString::to_string)),
        captured_at,
        model_sha256: record.thresholds.model_sha256.iter().take(6).map(|b| format!("{b:02x}")).collect(),
    };
    // Strings and numbers only: serialization can't fail.
    let mut json = serde_json::to_vec_pretty(&description).unwrap_or_default();
    json.push(b'\n');
    json
}
