//! Charts as SVG text.

use std::fmt::Write as _;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 36.0;
const BINS: usize = 40;

/// Colours of normal and defective images; told apart with any colour vision.
pub const NORMAL: &str = "#0072b2";
/// See [`NORMAL`].
pub const DEFECTIVE: &str = "#d55e00";

/// How the scores of normal and defective images spread, with the threshold as a line. `items` are (score, is
/// defective).
pub fn histogram(items: &[(f32, bool)], threshold: f32) -> String {
    let all = items.iter().map(|item| item.0).chain([threshold]);
    let (low, high) = all.fold((f32::MAX, f32::MIN), |(low, high), s| (low.min(s), high.max(s)));
    let span = f64::from(high - low).max(1e-12);
    let place = |score: f32| f64::from(score - low) / span;
    let mut bins = [[0usize; 2]; BINS];
    for &(score, defective) in items {
        bins[((place(score) * BINS as f64) as usize).min(BINS - 1)][usize::from(defective)] += 1;
    }
    let tallest = bins.iter().flatten().copied().max().unwrap_or(1).max(1) as f64;
    let (inner_width, inner_height) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
    let mut svg = open("Histogram of the scores of normal and defective images");
    let bar_width = inner_width / BINS as f64;
    for (index, counts) in bins.iter().enumerate() {
        for (count, colour) in counts.iter().zip([NORMAL, DEFECTIVE]) {
            let tall = *count as f64 / tallest * inner_height;
            let (x, y) = (MARGIN + index as f64 * bar_width, HEIGHT - MARGIN - tall);
            let _ = write!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{bar_width:.1}" height="{tall:.1}" fill="{colour}" fill-opacity="0.6"/>"#
            );
        }
    }
    let x = MARGIN + place(threshold) * inner_width;
    let _ = write!(
        svg,
        r#"<line x1="{x:.1}" y1="{MARGIN}" x2="{x:.1}" y2="{}" stroke="currentColor" stroke-dasharray="5 3"/>"#,
        HEIGHT - MARGIN
    );
    let _ = write!(
        svg,
        r#"<text x="{x:.1}" y="{}" text-anchor="middle">threshold {threshold:.3}</text>"#,
        MARGIN - 8.0
    );
    axes(&mut svg, &format!("{low:.2}"), &format!("{high:.2}"), "score");
    svg + "</svg>"
}

/// The ROC curve of the image scores. `items` are (score, is defective).
pub fn roc(items: &[(f32, bool)]) -> String {
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|item| item.1).count().max(1) as f64;
    let negatives = sorted.iter().filter(|item| !item.1).count().max(1) as f64;
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut points = String::new();
    let mut point = |alarms: f64, hits: f64| {
        let x = MARGIN + alarms / negatives * (WIDTH - 2.0 * MARGIN);
        let y = HEIGHT - MARGIN - hits / positives * (HEIGHT - 2.0 * MARGIN);
        let _ = write!(points, "{x:.1},{y:.1} ");
    };
    point(0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let defective = ties.iter().filter(|item| item.1).count();
        hits += defective as f64;
        alarms += (ties.len() - defective) as f64;
        point(alarms, hits);
    }
    let mut svg = open("ROC curve of the image scores");
    let _ = write!(svg, r#"<polyline points="{points}" fill="none" stroke="{DEFECTIVE}" stroke-width="2"/>"#);
    axes(&mut svg, "0", "1", "share of good parts rejected");
    let _ =
        write!(svg, r#"<text x="{MARGIN}" y="{}">share of defective parts rejected</text>"#, MARGIN - 8.0);
    svg + "</svg>"
}

fn open(title: &str) -> String {
    format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

fn axes(svg: &mut String, low: &str, high: &str, label: &str) {
    let (left, right, bottom) = (MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN);
    let _ = write!(svg, r#"<path d="M{left} {MARGIN}V{bottom}H{right}" fill="none" stroke="currentColor"/>"#);
    let y = bottom + 18.0;
    let _ = write!(
        svg,
        r#"<text x="{left}" y="{y}">{low}</text><text x="{right}" y="{y}" text-anchor="end">{high}</text>"#
    );
    let _ = write!(svg, r#"<text x="{}" y="{y}" text-anchor="middle">{label}</text>"#, WIDTH / 2.0);
}
