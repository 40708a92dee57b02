//! The figures as a table.

use std::fmt::Write as _;

use bundle::evaluate::{Figures, KindFigures};

/// A table with a row for each kind of defect and one for all; a dash stands for what the images can't tell.
#[must_use]
pub fn table(figures: &Figures) -> String {
    let mut text =
        String::from("                 image AUROC  pixel AUROC  AUPRO@30%  rejected good  rejected bad\n");
    if figures.kinds.len() > 1 {
        for (kind, of_kind) in &figures.kinds {
            row(&mut text, kind, of_kind);
        }
    }
    row(&mut text, "all", &figures.all);
    let _ = writeln!(text, "threshold {:.4}", figures.threshold);
    if figures.n_fault > 0 {
        let _ =
            writeln!(text, "{} image(s) could not be judged (fault) and count in no figure", figures.n_fault);
    }
    if figures.unreadable_masks > 0 {
        let _ = writeln!(
            text,
            "{} mask(s) can't be read: their images count in no pixel figure",
            figures.unreadable_masks
        );
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
        "{kind:<16} {:>11}  {:>11}  {:>9}  {:>13}  {:>12}",
        area(figures.image_auroc),
        area(figures.pixel_auroc),
        area(figures.aupro_30),
        share(figures.fpr_at_threshold, figures.n_normal),
        share(figures.tpr_at_threshold, figures.n_defective)
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
        };
        let text = table(&Figures { all, threshold: 1.5, n_fault: 2, unreadable_masks: 3, kinds: [].into() });
        assert!(text.contains("0.9877") && text.contains("1/20 5.0 %") && text.contains('–'), "{text}");
        assert!(text.contains("2 image(s) could not be judged"), "{text}");
        assert!(text.contains("3 mask(s) can't be read"), "{text}");
    }
}
