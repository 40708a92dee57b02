//! How many photos were rejected, and where the claim breaks.

use serde::Serialize;

use super::disturbance::Disturbance;

/// The claim counts as broken if, under it, at least as many rejected photos would be less probable than this.
const UNLIKELY: f64 = 0.05;

/// All photos under one disturbance at one strength.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StressStep {
    /// `None` for the photos as they are.
    pub disturbance: Option<Disturbance>,
    /// See [`Disturbance`].
    pub strength: f64,
    /// Number of photos that were rejected or could not be judged.
    pub rejected: usize,
    /// Number of photos.
    pub judged: usize,
    /// The median score divided by the threshold: above 1, half of the photos are rejected.
    pub median: Option<f32>,
}

/// The outcomes of all steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcomes {
    /// The maximum share of good parts that the bundle claims to reject.
    pub claimed: f64,
    /// The photos as they are.
    pub undisturbed: StressStep,
    /// By disturbance, in ascending order of strength.
    pub steps: Vec<StressStep>,
}

/// How far the claim holds on one side of the neutral strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side<'a> {
    /// The last step that holds; `None` if the first one doesn't.
    pub holds: Option<&'a StressStep>,
    /// The first step that doesn't; `None` if all hold.
    pub breaks: Option<&'a StressStep>,
}

impl Outcomes {
    /// Returns how many photos were rejected and how many judged in all steps together, those as they are left out.
    #[must_use]
    pub fn total(&self) -> (usize, usize) {
        self.steps
            .iter()
            .fold((0, 0), |(rejected, judged), step| (rejected + step.rejected, judged + step.judged))
    }

    /// Returns whether the number of rejected photos contradicts the claim.
    #[must_use]
    pub fn is_broken(&self, step: &StressStep) -> bool {
        tail(step.rejected, step.judged, self.claimed) < UNLIKELY
    }

    /// Returns the sides below and above the neutral strength, as far as they have steps.
    #[must_use]
    pub fn sides(&self, disturbance: Disturbance) -> [Side<'_>; 2] {
        let of = |below: bool| {
            let mut steps: Vec<&StressStep> = self
                .steps
                .iter()
                .filter(|step| step.disturbance == Some(disturbance))
                .filter(|step| (step.strength < disturbance.neutral()) == below)
                .collect();
            if below {
                steps.reverse();
            }
            let at = steps.iter().position(|step| self.is_broken(step));
            let before = at.unwrap_or(steps.len());
            Side { holds: before.checked_sub(1).map(|last| steps[last]), breaks: at.map(|at| steps[at]) }
        };
        [of(true), of(false)]
    }
}

/// Returns the probability of at least `hits` among `n` if each has the probability `p`.
fn tail(hits: usize, n: usize, p: f64) -> f64 {
    if hits == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    // log C(n, k) + k log p + (n − k) log (1 − p), from k to k + 1 by a ratio.
    let mut log = n as f64 * (-p).ln_1p();
    let odds = (p / (1.0 - p)).ln();
    let mut below = 0.0;
    for k in 0..hits {
        below += log.exp();
        log += ((n - k) as f64 / (k + 1) as f64).ln() + odds;
    }
    (1.0 - below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_the_binomial_distribution() {
        assert_eq!(tail(0, 10, 0.1), 1.0);
        assert!((tail(1, 10, 0.1) - (1.0 - 0.9f64.powi(10))).abs() < 1e-12);
        assert!((tail(10, 10, 0.5) - 0.5f64.powi(10)).abs() < 1e-12);
        assert_eq!((tail(1, 10, 0.0), tail(3, 10, 1.0)), (0.0, 1.0));
    }

    #[test]
    fn the_claim_breaks_at_the_first_strength_that_rejects_too_many() {
        let step = |strength: f64, rejected| {
            let disturbance = Some(Disturbance::Gain);
            StressStep { disturbance, strength, rejected, judged: 50, median: None }
        };
        let steps = vec![step(0.6, 50), step(0.8, 9), step(0.9, 1), step(1.1, 2), step(1.2, 3)];
        let outcomes = Outcomes { claimed: 0.05, undisturbed: step(1.0, 0), steps };
        let [darker, brighter] = outcomes.sides(Disturbance::Gain);
        assert_eq!(darker.holds.map(|step| step.strength), Some(0.9));
        assert_eq!(darker.breaks.map(|step| step.strength), Some(0.8));
        assert_eq!((brighter.holds.map(|step| step.strength), brighter.breaks), (Some(1.2), None));
        let [none, also_none] = outcomes.sides(Disturbance::Blur);
        assert_eq!((none.holds, also_none.breaks), (None, None));
    }
}
