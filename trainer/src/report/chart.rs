//! Draws charts as SVG text. `script.js` moves their thresholds.

use std::fmt::Write as _;

use super::escape;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const ROW: f64 = 30.0;
const BOTTOM: f64 = 26.0;
const ROC_WIDTH: f64 = 420.0;
const ROC_HEIGHT: f64 = 280.0;
const MARGIN: f64 = 44.0;
/// The largest share of rejected good parts that the ROC curve shows: no line runs with more.
const USEFUL: f64 = 0.1;

/// Colours of normal and defective images, distinguishable with any colour vision.
pub const NORMAL: &str = "#0072b2";
/// See [`NORMAL`].
pub const DEFECTIVE: &str = "#d55e00";

/// Maps scores to an axis from 0 to 1: by their logarithm, so that the good ones don't collapse into one bar, or by their rank if
/// some scores have no logarithm.
#[derive(Debug)]
pub struct Scale {
    sorted: Vec<f32>,
    is_logarithmic: bool,
}

impl Scale {
    /// Creates a scale for these scores and the threshold.
    #[must_use]
    pub fn new(scores: &[f32], threshold: f32) -> Self {
        let mut sorted: Vec<f32> = scores.iter().copied().chain([threshold]).collect();
        sorted.sort_by(f32::total_cmp);
        sorted.dedup();
        let is_logarithmic = sorted.first().is_some_and(|least| *least > 0.0);
        Self { sorted, is_logarithmic }
    }

    /// Returns a score's position.
    #[must_use]
    pub fn position(&self, score: f32) -> f64 {
        let (Some(&least), Some(&most)) = (self.sorted.first(), self.sorted.last()) else { return 0.5 };
        if most <= least {
            return 0.5;
        }
        if self.is_logarithmic {
            let log = |score: f32| f64::from(score).ln();
            return (log(score) - log(least)) / (log(most) - log(least));
        }
        self.sorted.partition_point(|known| *known < score) as f64 / (self.sorted.len() - 1) as f64
    }

    const fn label(&self) -> &'static str {
        if self.is_logarithmic { "score, logarithmic" } else { "score, by rank" }
    }
}

/// Draws a row of dots for each kind, the good parts first, with the threshold as a line. `kinds` are name, whether defective, and
/// scores.
pub fn strips(kinds: &[(String, bool, Vec<f32>)], threshold: f32, scale: &Scale) -> String {
    let height = TOP + ROW * kinds.len() as f64 + BOTTOM;
    let x = |score: f32| LEFT + scale.position(score) * (WIDTH - LEFT - RIGHT);
    let mut svg = open("scores", WIDTH, height, "Scores of good and defective images");
    for (at, (name, defective, scores)) in kinds.iter().enumerate() {
        let middle = TOP + ROW * (at as f64 + 0.5);
        let colour = if *defective { DEFECTIVE } else { NORMAL };
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 10.0,
            middle + 4.0,
            escape(name)
        );
        for (number, &score) in scores.iter().enumerate() {
            // Equal scores are drawn beside each other.
            let y = middle + (number % 5) as f64 * 4.0 - 8.0;
            let _ = write!(
                svg,
                r#"<circle cx="{:.1}" cy="{y:.1}" r="3" fill="{colour}" fill-opacity="0.5"/>"#,
                x(score)
            );
        }
    }
    let at = x(threshold);
    let bottom = height - BOTTOM;
    let _ = write!(
        svg,
        r#"<line id="threshold" x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{bottom}" stroke="currentColor" stroke-dasharray="5 3"/><text id="threshold-text" x="{at:.1}" y="{:.1}" text-anchor="middle">threshold {threshold:.3}</text><text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
        TOP - 8.0,
        f64::midpoint(LEFT, WIDTH - RIGHT),
        height - 6.0,
        scale.label()
    );
    svg + "</svg>"
}

/// Returns a score's x position in [`strips`], in its units.
#[must_use]
pub fn across(score: f32, scale: &Scale) -> f64 {
    LEFT + scale.position(score) * (WIDTH - LEFT - RIGHT)
}

/// Draws the ROC curve of the image scores, up to the largest tolerable share of rejected good parts. `items` are (score, is
/// defective).
pub fn roc(items: &[(f32, bool)]) -> String {
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|item| item.1).count().max(1) as f64;
    let negatives = sorted.iter().filter(|item| !item.1).count().max(1) as f64;
    let (mut hits, mut alarms) = (0.0, 0.0);
    let x = |alarms: f64| MARGIN + alarms / USEFUL * (ROC_WIDTH - 2.0 * MARGIN);
    let y = |hits: f64| ROC_HEIGHT - MARGIN - hits * (ROC_HEIGHT - 2.0 * MARGIN);
    let mut points = format!("{:.1},{:.1} ", x(0.0), y(0.0));
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let defective = ties.iter().filter(|item| item.1).count();
        let before = (alarms, hits);
        hits += defective as f64 / positives;
        alarms += (ties.len() - defective) as f64 / negatives;
        if alarms > USEFUL {
            let share = (USEFUL - before.0) / (alarms - before.0);
            let _ = write!(points, "{:.1},{:.1}", x(USEFUL), y(before.1 + share * (hits - before.1)));
            break;
        }
        let _ = write!(points, "{:.1},{:.1} ", x(alarms), y(hits));
    }
    let mut svg =
        open("roc", ROC_WIDTH, ROC_HEIGHT, "ROC curve of the image scores, up to 10 % false alarms");
    let (right, bottom) = (ROC_WIDTH - MARGIN, ROC_HEIGHT - MARGIN);
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let _ = write!(
            svg,
            r##"<line x1="{MARGIN}" y1="{0:.1}" x2="{right}" y2="{0:.1}" stroke="#ddd"/><text x="{1:.1}" y="{2:.1}" text-anchor="end">{3:.0}</text><text x="{4:.1}" y="{5:.1}" text-anchor="middle">{6:.0}</text>"##,
            y(share),
            MARGIN - 6.0,
            y(share) + 4.0,
            100.0 * share,
            x(share * USEFUL),
            bottom + 16.0,
            100.0 * share * USEFUL
        );
    }
    let _ = write!(
        svg,
        r#"<polyline points="{points}" fill="none" stroke="{DEFECTIVE}" stroke-width="2"/><circle id="working-point" r="5" cx="-20" cy="0" fill="currentColor"/><text x="{:.1}" y="{:.1}" text-anchor="middle">% of good parts rejected</text><text x="{MARGIN}" y="{:.1}">% of defective parts rejected</text>"#,
        ROC_WIDTH / 2.0,
        ROC_HEIGHT - 8.0,
        MARGIN - 14.0
    );
    svg + "</svg>"
}

/// Returns the values that `script.js` needs to place the working point on [`roc`]: left, width for a share of 1, bottom, height, and
/// the largest share shown.
#[must_use]
pub fn roc_frame() -> [f64; 5] {
    let (width, height) = (ROC_WIDTH - 2.0 * MARGIN, ROC_HEIGHT - 2.0 * MARGIN);
    [MARGIN, width / USEFUL, ROC_HEIGHT - MARGIN, height, USEFUL]
}

fn open(id: &str, width: f64, height: f64, title: &str) -> String {
    format!(
        r#"<svg id="{id}" viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" aria-label="{title}"><title>{title}</title>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_lie_by_their_logarithm_or_by_rank() {
        let scale = Scale::new(&[1.0, 10.0, 100.0], 10.0);
        assert!((scale.position(10.0) - 0.5).abs() < 1e-6 && scale.is_logarithmic);
        let scale = Scale::new(&[-1.0, 0.0, 1.0, 1000.0], 0.0);
        assert_eq!(
            [-1.0, 0.0, 1.0, 1000.0].map(|score| scale.position(score)),
            [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]
        );
        assert_eq!(Scale::new(&[2.0], 2.0).position(2.0), 0.5);
        assert_eq!(Scale::new(&[], 2.0).position(2.0), 0.5);
    }

    #[test]
    fn the_roc_curve_ends_at_its_useful_end() {
        // Of 20 good parts the fourth falls beyond 10 %.
        let items: Vec<(f32, bool)> =
            (0..20).map(|i| (i as f32, false)).chain([(18.5, true), (3.0, true)]).collect();
        let svg = roc(&items);
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let last: f64 = points.split_whitespace().last().unwrap().split(',').next().unwrap().parse().unwrap();
        assert!((last - (ROC_WIDTH - MARGIN)).abs() < 0.1, "{points}");
    }
}
