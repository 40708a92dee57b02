//! Reports the outcomes: a table and a page.

use std::fmt::Write as _;

use super::disturbance::Disturbance;
use super::outcome::{Outcomes, Side, StressStep};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 170.0;
const MARGIN: f64 = 42.0;
const LINE: &str = "#0072b2";
const BROKEN: &str = "#d55e00";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222;\
    background:#fff}pre{background:#f4f4f4;padding:1rem;overflow:auto}svg{width:300px;font-size:11px;fill:currentColor}\
    figure{display:inline-block;width:300px;margin:.6rem;vertical-align:top}figcaption{font-weight:600}";

/// Formats a row for each step and a sentence for each disturbance.
#[must_use]
pub fn table(outcomes: &Outcomes) -> String {
    let mut text = String::from("disturbance           strength  rejected   median score / threshold\n");
    row(&mut text, outcomes, "none", &outcomes.undisturbed);
    let mut last = None;
    for step in &outcomes.steps {
        let name = step.disturbance.filter(|_| step.disturbance != last).map_or("", Disturbance::name);
        row(&mut text, outcomes, name, step);
        last = step.disturbance;
    }
    let _ = writeln!(text, "* more than the claim of at most {:.2} % allows", 100.0 * outcomes.claimed);
    let (rejected, judged) = outcomes.total();
    let share = 100.0 * rejected as f64 / judged.max(1) as f64;
    let _ = writeln!(text, "all disturbances together: {rejected} of {judged} rejected ({share:.1} %)");
    for disturbance in tried(outcomes) {
        let _ = writeln!(text, "{}: {}", disturbance.name(), sentence(outcomes, disturbance));
    }
    text
}

fn row(text: &mut String, outcomes: &Outcomes, name: &str, step: &StressStep) {
    let strength = step.disturbance.map_or(String::new(), |_| step.strength.to_string());
    let share = format!("{}/{}", step.rejected, step.judged);
    let mark = if outcomes.is_broken(step) { "*" } else { " " };
    let median = step.median.map_or("–".to_owned(), |median| format!("{median:.2}"));
    let _ = writeln!(text, "{name:<20}  {strength:>8}  {share:>8}{mark}  {median}");
}

fn tried(outcomes: &Outcomes) -> impl Iterator<Item = Disturbance> + '_ {
    Disturbance::ALL
        .into_iter()
        .filter(|disturbance| outcomes.steps.iter().any(|step| step.disturbance == Some(*disturbance)))
}

/// States how far the claim holds.
fn sentence(outcomes: &Outcomes, disturbance: Disturbance) -> String {
    let [below, above] = outcomes.sides(disturbance);
    let side = |side: Side<'_>, way: &str| match side {
        Side { holds: None, breaks: None } => None,
        Side { holds: Some(last), breaks: None } => {
            Some(format!("holds {way} {}, the limit tested", last.strength))
        }
        Side { holds: Some(last), breaks: Some(_) } => Some(format!("holds {way} {}", last.strength)),
        Side { holds: None, breaks: Some(first) } => Some(format!("already breaks at {}", first.strength)),
    };
    let both: Vec<String> = [side(below, "down to"), side(above, "up to")].into_iter().flatten().collect();
    both.join("; ")
}

/// Writes a page with a curve for each disturbance.
#[must_use]
pub fn page(outcomes: &Outcomes) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Nominal: stress</title><style>{STYLE}</style><h1>Good parts, seen less well</h1><p>Share of {} good photos that \
         are rejected. The bundle claims at most {:.2} % (dashed); a filled dot is more than the claim allows.</p>",
        outcomes.undisturbed.judged,
        100.0 * outcomes.claimed
    );
    for disturbance in tried(outcomes) {
        let _ = write!(
            html,
            "<figure><figcaption>{}</figcaption>{}<div>{}</div></figure>",
            disturbance.name(),
            curve(outcomes, disturbance),
            sentence(outcomes, disturbance)
        );
    }
    let _ = write!(html, "<pre>{}</pre></html>", table(outcomes));
    html + "\n"
}

/// Draws the rejected share by strength, including the undisturbed photos.
fn curve(outcomes: &Outcomes, disturbance: Disturbance) -> String {
    let neutral = StressStep { strength: disturbance.neutral(), ..outcomes.undisturbed.clone() };
    let of_disturbance = outcomes.steps.iter().filter(|step| step.disturbance == Some(disturbance));
    let mut steps: Vec<&StressStep> = of_disturbance.chain([&neutral]).collect();
    steps.sort_by(|a, b| a.strength.total_cmp(&b.strength));
    let last = (steps.len() - 1).max(1) as f64;
    let x = |at: usize| MARGIN + at as f64 / last * (WIDTH - 2.0 * MARGIN);
    let y = |share: f64| HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Share of good photos rejected, by {}\">",
        disturbance.name()
    );
    let (left, right) = (MARGIN, WIDTH - MARGIN);
    for (share, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        let _ = write!(
            svg,
            "<line x1=\"{left}\" y1=\"{0:.1}\" x2=\"{right}\" y2=\"{0:.1}\" stroke=\"#ccc\"/><text x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{label}</text>",
            y(share),
            left - 4.0,
            y(share) + 4.0
        );
    }
    let _ = write!(
        svg,
        "<line x1=\"{left}\" y1=\"{0:.1}\" x2=\"{right}\" y2=\"{0:.1}\" stroke=\"currentColor\" stroke-dasharray=\"5 3\"/>",
        y(outcomes.claimed)
    );
    let share = |step: &StressStep| step.rejected as f64 / step.judged.max(1) as f64;
    let points: Vec<String> =
        steps.iter().enumerate().map(|(at, step)| format!("{:.1},{:.1}", x(at), y(share(step)))).collect();
    let _ = write!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    for (at, step) in steps.iter().enumerate() {
        let fill = if outcomes.is_broken(step) { BROKEN } else { "#fff" };
        let _ = write!(
            svg,
            "<circle cx=\"{0:.1}\" cy=\"{1:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{LINE}\"><title>{2}: {3} of {4}</title>\
             </circle><text x=\"{0:.1}\" y=\"{5:.1}\" text-anchor=\"middle\">{2}</text>",
            x(at),
            y(share(step)),
            step.strength,
            step.rejected,
            step.judged,
            HEIGHT - MARGIN + 16.0
        );
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_where_the_claim_breaks_and_the_page_draws_it() {
        let step = |strength, rejected| StressStep {
            disturbance: Some(Disturbance::Gain),
            strength,
            rejected,
            judged: 40,
            median: Some(0.5),
        };
        let undisturbed = StressStep { disturbance: None, ..step(0.0, 0) };
        let steps = vec![step(0.8, 30), step(0.9, 0), step(1.1, 1)];
        let outcomes = Outcomes { claimed: 0.05, undisturbed, steps };
        let text = table(&outcomes);
        assert!(text.contains("gain: holds down to 0.9; holds up to 1.1, the limit tested"), "{text}");
        assert!(text.contains("30/40*"), "{text}");
        assert!(text.contains("31 of 120 rejected (25.8 %)"), "{text}");
        let page = page(&outcomes);
        assert_eq!(page.matches("<circle").count(), 4);
        assert_eq!(page.matches(BROKEN).count(), 1);
        assert!(!page.contains("blur"), "{page}");
    }
}
