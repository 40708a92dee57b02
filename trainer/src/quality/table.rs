//! Formats rows as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bundle::evaluate::ConfidenceInterval;
use bundle::evaluate::bootstrap::{Ranked, draws};

use super::row::{Measured, QualityRow};

/// Formats a table of the rows, then mean and worst set of each method, and how methods differ.
#[must_use]
pub fn table(rows: &[QualityRow]) -> String {
    let mut text = String::from(
        "| set | method | image AUROC | pixel AUROC | AUPRO@30% | 1 %: defects found | good rejected | 5 %: defects found | \
         good rejected | GMAC | ms | training |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        line(&mut text, row);
    }
    let means = means(rows);
    if !means.is_empty() {
        text += "\n| method | sets | image AUROC: mean | worst | pixel AUROC: mean | worst | 1 %: defects found | good rejected | \
                 5 %: defects found | good rejected |\n|---|---|---|---|---|---|---|---|---|---|\n";
        text += &means;
    }
    let differences = differences(rows);
    if !differences.is_empty() {
        text +=
            "\n| set | image AUROC of | less that of | difference | 95 % interval |\n|---|---|---|---|---|\n";
        text += &differences;
    }
    text
}

fn line(text: &mut String, row: &QualityRow) {
    let seed = if row.seed == 0 { String::new() } else { format!(" (seed {})", row.seed) };
    let (set, name) = (&row.set, row.name() + &seed);
    let Some(measured) = &row.measured else {
        let reason = row.failed.as_deref().unwrap_or("not measured").replace('|', "/");
        let _ = writeln!(text, "| {set} | {name} | {reason} ||||||||||");
        return;
    };
    let all = &measured.figures.all;
    let at_5 = &measured.at_5_percent;
    let cells = [
        area(all.image_auroc, all.intervals.image_auroc),
        area(all.pixel_auroc, all.intervals.pixel_auroc),
        area(all.aupro_30, all.intervals.aupro_30),
        share(all.tpr_at_threshold, all.intervals.tpr_at_threshold),
        share(all.fpr_at_threshold, all.intervals.fpr_at_threshold),
        share(at_5.defective, at_5.defective_interval),
        share(at_5.good, at_5.good_interval),
        format!("{:.2}", measured.gmac),
        format!("{:.1}", measured.frame_ms),
        format!("{:.0} s", measured.train_s),
    ];
    let _ = writeln!(text, "| {set} | {name} | {} |", cells.join(" | "));
}

fn area(value: Option<f64>, interval: Option<ConfidenceInterval>) -> String {
    let within = interval.map_or(String::new(), |i| format!(" ({:.3} to {:.3})", i.low, i.high));
    value.map_or("–".to_owned(), |value| format!("{value:.3}{within}"))
}

fn share(value: Option<f64>, interval: Option<ConfidenceInterval>) -> String {
    let within =
        interval.map_or(String::new(), |i| format!(" ({:.0} to {:.0})", 100.0 * i.low, 100.0 * i.high));
    value.map_or("–".to_owned(), |value| format!("{:.0} %{within}", 100.0 * value))
}

/// Groups the measured rows by method; several seeds of a set count as one set, by their mean.
fn by_method(rows: &[QualityRow]) -> BTreeMap<String, BTreeMap<&str, Vec<&Measured>>> {
    let mut methods: BTreeMap<String, BTreeMap<&str, Vec<&Measured>>> = BTreeMap::new();
    for row in rows {
        if let Some(measured) = &row.measured {
            methods.entry(row.name()).or_default().entry(&row.set).or_default().push(measured);
        }
    }
    methods
}

fn means(rows: &[QualityRow]) -> String {
    let mut text = String::new();
    for (name, sets) in by_method(rows) {
        let of = |figure: fn(&Measured) -> Option<f64>| -> Vec<f64> {
            let of_set =
                |seeds: &Vec<&Measured>| mean(&seeds.iter().filter_map(|m| figure(m)).collect::<Vec<_>>());
            sets.values().filter_map(of_set).collect()
        };
        let areas = |figure| {
            let values = of(figure);
            let worst = values.iter().copied().min_by(f64::total_cmp);
            format!("{} | {}", area(mean(&values), None), area(worst, None))
        };
        let shares = |figure| share(mean(&of(figure)), None);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            sets.len(),
            areas(|m| m.figures.all.image_auroc),
            areas(|m| m.figures.all.pixel_auroc),
            shares(|m| m.figures.all.tpr_at_threshold),
            shares(|m| m.figures.all.fpr_at_threshold),
            shares(|m| m.at_5_percent.defective),
            shares(|m| m.at_5_percent.good),
        );
    }
    text
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Compares every two methods on each set with the same seed, on the same resamples of the same images.
fn differences(rows: &[QualityRow]) -> String {
    let mut text = String::new();
    let sets: BTreeSet<(&str, u64)> = rows.iter().map(|row| (row.set.as_str(), row.seed)).collect();
    for (set, seed) in sets {
        let of_set: Vec<(&QualityRow, &Measured)> = rows
            .iter()
            .filter(|row| row.set == set && row.seed == seed)
            .filter_map(|row| Some((row, row.measured.as_ref()?)))
            .collect();
        for (at, (a, of_a)) in of_set.iter().enumerate() {
            for (b, of_b) in &of_set[at + 1..] {
                if let Some((difference, ConfidenceInterval { low, high })) = difference(of_a, of_b) {
                    let _ = writeln!(
                        text,
                        "| {set} | {} | {} | {difference:+.3} | {low:+.3} to {high:+.3} |",
                        a.name(),
                        b.name()
                    );
                }
            }
        }
    }
    text
}

/// Returns the difference and its interval, or `None` if the two judged different images.
fn difference(a: &Measured, b: &Measured) -> Option<(f64, ConfidenceInterval)> {
    let sorts: Vec<bool> = a.scores.iter().map(|score| score.1).collect();
    if !sorts.iter().eq(b.scores.iter().map(|score| &score.1)) {
        return None;
    }
    let (of_a, of_b) = (Ranked::new(&a.scores), Ranked::new(&b.scores));
    let less = |times: &[u32]| Some(of_a.auroc(times)? - of_b.auroc(times)?);
    let once = vec![1; sorts.len()];
    Some((less(&once)?, ConfidenceInterval::of(draws(&sorts).map(|times| less(&times)))?))
}
