//! The figures as one self-contained page: histogram, ROC curve, overlays.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bundle::dataset::GOOD;
use bundle::evaluate::{Figures, Outcome};
use judge::{Judge, decode_file, encode_png, overlay, region_of_interest};
use shared_format::{Sample, Verdict};

use super::chart::{DEFECTIVE, NORMAL, histogram, roc};
use super::table;

/// Pictures in each group.
const PICTURES: usize = 6;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222;\
    background:#fff}pre{background:#f4f4f4;padding:1rem;overflow:auto}svg{width:100%;max-width:480px;font-size:12px;\
    fill:currentColor}figure{display:inline-block;margin:.4rem;width:190px;vertical-align:top}img{width:100%}\
    figcaption{font-size:.8rem;overflow-wrap:anywhere}";

/// The page's HTML. The overlays are judged and drawn anew by `judge`.
#[must_use]
pub fn page(judge: &mut Judge, outcomes: &[Outcome], figures: &Figures) -> String {
    let scores: Vec<(f32, bool)> = outcomes.iter().filter_map(|o| Some((o.score?, o.kind != GOOD))).collect();
    let thresholds = &judge.bundle().thresholds;
    let (method, teacher) = (escape(&thresholds.method), escape(&thresholds.teacher));
    let evidence = thresholds.evidence;
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Nominal: evaluation</title><style>{STYLE}</style>\
         <h1>Evaluation</h1><p>Method {method}, teacher {teacher}. The threshold rests on {} normals{}: at \
         most {:.2} % of good parts are rejected on average, where the line's parts are like them.</p><pre>{}</pre>",
        evidence.normals,
        match evidence.sample {
            Sample::HeldOut => " that trained nothing",
            Sample::CrossFitted => ", each scored by a model of the others (an estimate)",
        },
        evidence.claimed_fpr() * 100.0,
        escape(&table(figures))
    );
    let _ = write!(
        html,
        "<p><b style=\"color:{NORMAL}\">■ good</b> <b style=\"color:{DEFECTIVE}\">■ defective</b></p>{}{}",
        histogram(&scores, figures.threshold),
        roc(&scores)
    );
    let groups: [(&str, bool, bool, Verdict); 4] = [
        ("Defective, rejected: the highest scores", true, true, Verdict::Reject),
        ("Defective, passed: the lowest scores", true, false, Verdict::Pass),
        ("Good, rejected: the highest scores", false, true, Verdict::Reject),
        ("Good, passed: the highest scores", false, true, Verdict::Pass),
    ];
    for (title, defective, highest_first, verdict) in groups {
        let mut group: Vec<&Outcome> =
            outcomes.iter().filter(|o| (o.kind != GOOD) == defective && o.verdict == verdict).collect();
        group.sort_by(|a, b| a.score.unwrap_or(0.0).total_cmp(&b.score.unwrap_or(0.0)));
        if highest_first {
            group.reverse();
        }
        let _ = write!(html, "<h2>{title}</h2><p>{} in all</p>", group.len());
        group.iter().take(PICTURES).for_each(|outcome| html += &figure(judge, outcome));
    }
    html + "</html>\n"
}

fn figure(judge: &mut Judge, outcome: &Outcome) -> String {
    let name = escape(&outcome.path.file_name().unwrap_or_default().to_string_lossy());
    let caption =
        format!("{name} ({}), score {:.3}", escape(&outcome.kind), outcome.score.unwrap_or(f32::NAN));
    let picture = picture(judge, outcome).map_or(String::new(), |png| {
        format!("<img alt=\"{caption}\" src=\"data:image/png;base64,{}\">", BASE64.encode(png))
    });
    format!("<figure>{picture}<figcaption>{caption}</figcaption></figure>")
}

fn picture(judge: &mut Judge, outcome: &Outcome) -> Option<Vec<u8>> {
    let frame = decode_file(&outcome.path).ok()?;
    let judgement = judge.judge(&frame);
    let thresholds = &judge.bundle().thresholds;
    let roi = region_of_interest(&thresholds.recipe, frame.size()).ok()?;
    encode_png(&overlay(&frame, &judgement, roi, thresholds.pixel_threshold)).ok()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
