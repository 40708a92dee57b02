//! Writes the figures as one self-contained page: defects found of each kind, scores, ROC curve, an adjustable threshold, and the
//! worst escapes and false alarms with their maps.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bundle::dataset::GOOD;
use bundle::evaluate::{Figures, ImageOutcome};
use bundle::left_out::LEFT_OUT_FILE;
use bundle::{Suspect, left_out};
use jpeg_encoder::{ColorType, Encoder};
use judge::{AnomalyMap, Frame, Judge, Pixels, decode_file, overlay, region_of_interest};
use serde_json::json;
use shared_format::{Roi, Sample, Size, Verdict};

use super::chart::{DEFECTIVE, NORMAL, Scale, across, roc, roc_frame, strips};
use super::heat::{gradient, heat_map};
use super::{escape, table, zone_lines};

/// Number of pictures in each group.
const PICTURES: usize = 6;
/// Maximum number of positions of the slider.
const MAX_POSITIONS: usize = 400;
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("script.js");

/// A bundle with its verdicts on the test images.
#[derive(Debug)]
pub struct Evaluated {
    /// The bundle, open.
    pub judge: Judge,
    /// Its verdicts.
    pub outcomes: Vec<ImageOutcome>,
    /// Their figures.
    pub figures: Figures,
}

/// Writes the page's HTML: a bundle, and others measured on the same images for comparison. The pictures are judged and drawn again.
#[must_use]
pub fn page(bundle: &mut Evaluated, compared: &mut [Evaluated]) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Nominal: evaluation</title><style>{STYLE}</style><h1>Evaluation</h1>"
    );
    html += &section(bundle, true);
    for other in compared {
        let _ = write!(html, "<h1>For comparison: {}</h1>", escape(&other.judge.bundle().thresholds.method));
        html += &section(other, false);
    }
    let _ = write!(html, "<script>{SCRIPT}</script></html>");
    html + "\n"
}

/// Writes the section of one bundle; only one section has an adjustable threshold.
fn section(Evaluated { judge, outcomes, figures }: &mut Evaluated, moves: bool) -> String {
    let thresholds = &judge.bundle().thresholds;
    let (method, teacher) = (escape(&thresholds.method), escape(&thresholds.teacher));
    let (evidence, threshold) = (thresholds.evidence, figures.threshold);
    let kinds = kinds(outcomes);
    let zones = zone_lines(thresholds, outcomes);
    let items: Vec<(f32, bool)> =
        kinds.iter().flat_map(|(_, defective, scores)| scores.iter().map(|&s| (s, *defective))).collect();
    let scores: Vec<f32> = items.iter().map(|item| item.0).collect();
    let scale = Scale::new(&scores, threshold);
    let mut html = format!(
        "<p>Method {method}, teacher {teacher}. The threshold is based on {} normals{}: at most {:.2} % of good parts are \
         rejected on average, if the line's parts are like them.</p><pre>{}</pre>",
        evidence.normals,
        match evidence.sample {
            Sample::HeldOut => " not used for training",
            Sample::CrossFitted => ", each scored by a model of the others (an estimate)",
        },
        evidence.claimed_fpr() * 100.0,
        escape(&format!("{}{}", table(figures), zones.join("\n")))
    );
    html += &left_out_section(&judge.bundle().folder);
    if moves {
        html += &threshold_section(&kinds, &scores, threshold, &scale);
    }
    let _ = write!(
        html,
        "<h2>Scores</h2><p><b style=\"color:{NORMAL}\">● good</b> <b style=\"color:{DEFECTIVE}\">● defective</b></p>{}\
         <h2>What a threshold costs</h2>{}",
        strips(&kinds, threshold, &scale),
        roc(&items)
    );
    if moves {
        html += "<p id=\"beyond\"></p>";
    }
    html + &pictures(judge, outcomes)
}

/// Names the photos that were left out of learning.
fn left_out_section(bundle: &Path) -> String {
    let suspects = match left_out(bundle) {
        Ok(suspects) if suspects.is_empty() => return String::new(),
        Ok(suspects) => suspects,
        Err(e) => return format!("<p>{LEFT_OUT_FILE} can't be read: {}</p>", escape(&e.to_string())),
    };
    let mut html = format!(
        "<h2>Left out of learning</h2><p>{} photos were left out as suspects of showing bad parts. The claim above counts them as good \
         parts that are rejected; a threshold calibrated on the line later doesn't.</p><table>",
        suspects.len()
    );
    for Suspect { name, score } in &suspects {
        let _ = write!(html, "<tr><td>{}</td><td>{score:.2}</td></tr>", escape(name));
    }
    html + "</table>"
}

/// Lists the good parts, then each kind of defect: name, whether defective, scores.
fn kinds(outcomes: &[ImageOutcome]) -> Vec<(String, bool, Vec<f32>)> {
    let mut names: Vec<&str> = outcomes.iter().map(|o| o.kind.as_str()).collect();
    names.sort_unstable_by_key(|name| (*name != GOOD, *name));
    names.dedup();
    let of_kind = |name: &str| {
        let scores = outcomes.iter().filter(|o| o.kind == name).filter_map(|o| o.score).collect();
        (name.to_owned(), name != GOOD, scores)
    };
    names.into_iter().map(of_kind).collect()
}

/// Writes the slider, the rejected share of each kind, and the script's data.
fn threshold_section(
    kinds: &[(String, bool, Vec<f32>)],
    scores: &[f32],
    threshold: f32,
    scale: &Scale,
) -> String {
    let mut positions: Vec<f32> = scores.to_vec();
    positions.sort_by(f32::total_cmp);
    positions.dedup();
    let step = positions.len().div_ceil(MAX_POSITIONS).max(1);
    let mut positions: Vec<f32> = positions.into_iter().step_by(step).chain([threshold]).collect();
    positions.sort_by(f32::total_cmp);
    positions.dedup();
    let exported = positions.iter().position(|&position| position == threshold).unwrap_or(0);
    let mut html = format!(
        "<h2>Rejected parts</h2><p id=\"at-threshold\"></p><p><input id=\"slider\" type=\"range\" min=\"0\" max=\"{}\" \
         value=\"{exported}\" aria-label=\"threshold\"> <button id=\"back\">the bundle's threshold</button></p><table>",
        positions.len() - 1
    );
    for (at, (name, defective, scores)) in kinds.iter().enumerate() {
        let rejected = scores.iter().filter(|score| **score > threshold).count();
        let share = if scores.is_empty() { 0.0 } else { 100.0 * rejected as f64 / scores.len() as f64 };
        let _ = write!(
            html,
            "<tr><td>{}</td><td class=\"bar\"><div id=\"bar-{at}\" style=\"width:{share:.1}%;background:{}\"></div></td>\
             <td id=\"found-{at}\">{rejected}/{}, {share:.1} %</td></tr>",
            escape(name),
            if *defective { DEFECTIVE } else { NORMAL },
            scores.len()
        );
    }
    let thresholds: Vec<_> = positions
        .iter()
        .map(|&position| json!({ "value": position, "x": across(position, scale) }))
        .collect();
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(_, defective, scores)| json!({ "defective": defective, "scores": scores }))
        .collect();
    let data = json!({ "kinds": kinds, "thresholds": thresholds, "exported": exported, "roc": roc_frame() });
    let _ = write!(html, "</table><script id=\"data\" type=\"application/json\">{data}</script>");
    html
}

/// Writes the worst escapes beside the worst false alarms, then correct verdicts, all maps on one colour scale.
fn pictures(judge: &mut Judge, outcomes: &[ImageOutcome]) -> String {
    let groups: [(&str, bool, Verdict); 4] = [
        ("Defective, passed: the lowest scores", true, Verdict::Pass),
        ("Good, rejected: the highest scores", false, Verdict::Reject),
        ("Defective, rejected: the highest scores", true, Verdict::Reject),
        ("Good, passed: the highest scores", false, Verdict::Pass),
    ];
    let groups = groups.map(|(title, defective, verdict)| {
        let of_group = |o: &&ImageOutcome| (o.kind != GOOD) == defective && o.verdict == verdict;
        let mut group: Vec<&ImageOutcome> = outcomes.iter().filter(of_group).collect();
        group.sort_by(|a, b| a.score.unwrap_or(0.0).total_cmp(&b.score.unwrap_or(0.0)));
        if !(defective && verdict == Verdict::Pass) {
            group.reverse();
        }
        let count = group.len();
        group.truncate(PICTURES);
        (title, count, group.iter().filter_map(|outcome| Picture::of(judge, outcome)).collect::<Vec<_>>())
    });
    let most = groups.iter().flat_map(|group| &group.2).map(|picture| picture.most).fold(0.0, f32::max);
    let mut html = format!(
        "<h2>Pictures</h2><p>Each photo with its regions, and its map from 0 to {most:.3}: \
         <span class=\"scale\" style=\"background:{}\"></span></p><div class=\"sides\">",
        gradient()
    );
    for (title, count, pictures) in groups {
        let _ = write!(html, "<section><h3>{title}</h3><p>{count} in all</p>");
        pictures.iter().for_each(|picture| html += &picture.figure(most));
        html += "</section>";
    }
    html + "</div>"
}

/// A photo with its map and regions.
struct Picture {
    caption: String,
    photo: Vec<u8>,
    map: AnomalyMap,
    /// The region that the map covers.
    roi: Roi,
    most: f32,
}

impl Picture {
    fn of(judge: &mut Judge, outcome: &ImageOutcome) -> Option<Self> {
        let frame = decode_file(&outcome.path).ok()?;
        let judgement = judge.judge(&frame);
        let thresholds = &judge.bundle().thresholds;
        let roi = region_of_interest(&thresholds.recipe, frame.size()).ok()?;
        let photo = jpeg(&overlay(&frame, &judgement, roi, thresholds.pixel_threshold))?;
        let zone = judgement.zone().map_or(String::new(), |zone| format!(", zone {}", zone.level));
        let map = judgement.map?;
        let most = map.values.iter().copied().fold(0.0, f32::max);
        let name = escape(&outcome.path.file_name().unwrap_or_default().to_string_lossy());
        let caption = format!("{name} ({}), score {:.3}{zone}", escape(&outcome.kind), outcome.score?);
        Some(Self { caption, photo, map, roi, most })
    }

    fn figure(&self, most: f32) -> String {
        let Roi { width, height, .. } = self.roi;
        let map_image = |jpeg: Vec<u8>| {
            format!(
                "<img alt=\"map\" style=\"aspect-ratio:{width}/{height}\" src=\"data:image/jpeg;base64,{}\">",
                BASE64.encode(jpeg)
            )
        };
        let map = heat_map(&self.map, most).as_ref().and_then(jpeg).map_or(String::new(), map_image);
        let caption = &self.caption;
        let photo =
            format!("<img alt=\"{caption}\" src=\"data:image/jpeg;base64,{}\">", BASE64.encode(&self.photo));
        format!("<figure>{photo}{map}<figcaption>{caption}</figcaption></figure>")
    }
}

/// Encodes as JPEG, a tenth of a PNG's size: a page holds four dozen pictures.
fn jpeg(frame: &Frame) -> Option<Vec<u8>> {
    const QUALITY: u8 = 85;
    let Size { width, height } = frame.size();
    let (pixels, colour) = match frame.pixels() {
        Pixels::Grey8(values) => (values, ColorType::Luma),
        Pixels::Rgb8(values) => (values, ColorType::Rgb),
        Pixels::Grey16(_) | Pixels::Rgb16(_) => return None,
    };
    let mut bytes = Vec::new();
    let encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.encode(pixels, u16::try_from(width).ok()?, u16::try_from(height).ok()?, colour).ok()?;
    Some(bytes)
}
