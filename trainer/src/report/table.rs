//! Formats the figures as a table.

use std::fmt::Write as _;

use bundle::evaluate::{ConfidenceInterval, Figures, Intervals, KindFigures};

/// Formats a table with a row for each kind of defect and one for all; a dash marks a figure that the images can't provide.
#[must_use]
pub fn table(figures: &Figures) -> String {
    let mut text =
        String::from("                 image AUROC  pixel AUROC    AUPRO@30%  rejected good  rejected bad\n");
    if figures.kinds.len() > 1 {
        for (kind, of_kind) in &figures.kinds {
            row(&mut text, kind, of_kind);
        }
    }
    row(&mut text, "all", &figures.all);
    intervals(&mut text, &figures.all.intervals);
    let _ = writeln!(text, "threshold {:.4}", figures.threshold);
    if figures.n_fault > 0 {
        let _ = writeln!(
            text,
            "{} image(s) could not be judged (fault) and are excluded from all figures",
            figures.n_fault
        );
    }
    for (count, what) in
        [(figures.unreadable_masks, "can't be read"), (figures.empty_masks, "of defective images are empty")]
    {
        if count > 0 {
            let _ =
                writeln!(text, "{count} mask(s) {what}: their images are excluded from the pixel figures");
        }
    }
    text
}

fn row(text: &mut String, kind: &str, figures: &KindFigures) {
    let area = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.4}"));
    let share = |value: Option<f64>, n: usize| {
        value.map_or("–".to_owned(), |v| format!("{:.0}/{n} {:.1} %", v * n as f64, v * 100.0))
    };
    let _ = writeln!(
        text,
        "{kind:<16} {:>11}  {:>11}  {:>11}  {:>13}  {:>12}",
        area(figures.image_auroc),
        area(figures.pixel_auroc),
        area(figures.aupro_30),
        share(figures.fpr_at_threshold, figures.n_normal),
        share(figures.tpr_at_threshold, figures.n_defective)
    );
}

/// Adds the intervals below the figures.
fn intervals(text: &mut String, of: &Intervals) {
    let area = |interval: Option<ConfidenceInterval>| {
        interval.map_or("–".to_owned(), |i| format!("{:.3}–{:.3}", i.low, i.high))
    };
    let share = |interval: Option<ConfidenceInterval>| {
        interval.map_or("–".to_owned(), |i| format!("{:.1}–{:.1} %", 100.0 * i.low, 100.0 * i.high))
    };
    let _ = writeln!(
        text,
        "{:<16} {:>11}  {:>11}  {:>11}  {:>13}  {:>12}",
        "  95 % interval",
        area(of.image_auroc),
        area(of.pixel_auroc),
        area(of.aupro_30),
        share(of.fpr_at_threshold),
        share(of.tpr_at_threshold)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_a_dash() {
        let all = KindFigures {
            image_auroc: Some(0.98765),
            pixel_auroc: None,
            aupro_30: None,
            fpr_at_threshold: Some(0.05),
            tpr_at_threshold: None,
            n_normal: 20,
            n_defective: 0,
            intervals: Intervals {
                image_auroc: Some(ConfidenceInterval { low: 0.95, high: 0.99 }),
                fpr_at_threshold: Some(ConfidenceInterval { low: 0.0, high: 0.15 }),
                ..Intervals::default()
            },
        };
        let text = table(&Figures {
            all,
            threshold: 1.5,
            n_fault: 2,
            unreadable_masks: 3,
            empty_masks: 4,
            missing_masks: 5,
            kinds: [].into(),
        });
        assert!(text.contains("0.9877") && text.contains("1/20 5.0 %") && text.contains('–'), "{text}");
        assert!(text.contains("0.950–0.990") && text.contains("0.0–15.0 %"), "{text}");
        assert!(text.contains("2 image(s) could not be judged"), "{text}");
        assert!(text.contains("3 mask(s) can't be read"), "{text}");
        assert!(text.contains("4 mask(s) of defective images are empty"), "{text}");
    }
}
