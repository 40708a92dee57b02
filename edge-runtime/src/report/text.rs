//! The lines of text for a serial peer. For their grammar, see `docs/serial.md`.

use std::fmt::Write;

use super::PartReport;
use crate::gate::{Alarms, GateCounts};
use crate::part::{Disposition, Reason};
use crate::report::significant;

/// Appends the line of a part, such as `P 123 REJECT 0.87000`, followed by the reason if that isn't the verdict.
pub fn write_part(report: &PartReport, out: &mut String) {
    let release = &report.release;
    let word = match release.disposition {
        Disposition::Pass => "PASS",
        Disposition::Reject => "REJECT",
    };
    let score = report.score().map_or_else(|| "-".to_owned(), significant);
    // Writing to a string can't fail.
    let _ = write!(out, "P {} {word} {score}", release.part);
    if release.reason != Reason::Verdict {
        let _ = write!(out, " {}", release.reason);
    }
    out.push('\n');
}

/// Formats the answer to `?`: the numbers of parts triggered, passed, rejected, with a fault, without a verdict in time,
/// beyond the queue, and held, followed by the alarms.
#[must_use]
pub fn status(counts: &GateCounts, alarms: &Alarms) -> String {
    let GateCounts { triggered, passed, rejected, faults, missing, overflowed, held, .. } = counts;
    let names = [
        (alarms.not_ready, "not-ready"),
        (alarms.blind, "blind"),
        (alarms.rejects_in_a_row, "rejects-in-a-row"),
        (alarms.challenge_missed, "challenge-missed"),
        (alarms.unconfirmed, "unconfirmed"),
        (alarms.output_failed, "output-failed"),
        (alarms.missed, "missed"),
        (alarms.triggers_lost, "triggers-lost"),
        (alarms.tracking_lost, "tracking-lost"),
    ];
    let on: Vec<_> = names.into_iter().filter_map(|(on, name)| on.then_some(name)).collect();
    let alarms = if on.is_empty() { "-".to_owned() } else { on.join(",") };
    format!("S {triggered} {passed} {rejected} {faults} {missing} {overflowed} {held} {alarms}")
}

#[cfg(test)]
mod tests {
    use super::super::part::tests::{missing, rejected};
    use super::*;

    fn line(report: &PartReport) -> String {
        let mut out = String::new();
        write_part(report, &mut out);
        out
    }

    #[test]
    fn a_part_is_one_line() {
        assert_eq!(line(&rejected()), "P 123 REJECT 0.87000\n");
        assert_eq!(line(&missing()), "P 125 REJECT - missing\n");
        let mut passed = rejected();
        passed.release.disposition = Disposition::Pass;
        passed.release.reason = Reason::Held;
        assert_eq!(line(&passed), "P 123 PASS 0.87000 held\n");
    }

    #[test]
    fn the_status_counts_parts_and_names_alarms() {
        let counts = GateCounts {
            triggered: 9,
            passed: 4,
            rejected: 3,
            faults: 2,
            missing: 1,
            held: 5,
            ..GateCounts::default()
        };
        assert_eq!(status(&counts, &Alarms::default()), "S 9 4 3 2 1 0 5 -");
        let alarms = Alarms { blind: true, unconfirmed: true, ..Alarms::default() };
        assert_eq!(status(&counts, &alarms), "S 9 4 3 2 1 0 5 blind,unconfirmed");
    }
}
