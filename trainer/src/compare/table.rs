//! Formats the comparison as Markdown.

use std::fmt::Write as _;

use super::candidate::Candidate;
use super::defects::KnownDefects;
use super::measure::Measured;

/// The result of a candidate: what was measured, or why nothing was.
pub type Outcome = (Candidate, Result<Measured, String>);

/// Formats a line for each candidate; `chosen` is marked, and those that are not `within` the budget say so.
#[must_use]
pub fn table(
    outcomes: &[Outcome],
    defects: &KnownDefects,
    within: &dyn Fn(&Measured) -> bool,
    chosen: Option<usize>,
) -> String {
    let mut text = String::from(
        "| method | teacher | pixels | align | AUROC | worst kind | found | GMAC | ms | training | |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (index, (candidate, outcome)) in outcomes.iter().enumerate() {
        let Candidate { method, teacher, pixels, align } = candidate;
        let _ = write!(text, "| {method} | {teacher} | {pixels} | {align} |");
        let _ = match outcome {
            Ok(measured) => {
                let remark = match (chosen == Some(index), within(measured)) {
                    (true, _) => "chosen",
                    (false, true) => "",
                    (false, false) => "over the budget",
                };
                let worst = measured.worst_kind(defects);
                let worst = worst.map_or(String::new(), |(kind, auroc)| format!("{kind} {auroc:.3}"));
                let Measured { found, gmac, frame_ms, train_s, .. } = measured;
                writeln!(
                    text,
                    " {:.3} | {worst} | {found} of {} | {gmac:.2} | {frame_ms:.1} | {train_s:.0} s | {remark} |",
                    measured.auroc(),
                    defects.images.len(),
                )
            }
            Err(reason) => writeln!(text, " {} |||||||", reason.replace('|', "/")),
        };
    }
    text
}
