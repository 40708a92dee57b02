//! Which candidate to use.
//!
//! Among many candidates one finds the given defects best by chance. So another than the reference is chosen only if choosing pays:
//! each defect in turn is left out, the others choose, and what counts is how the chosen candidate scores the one left out.

/// Another candidate must gain more than this, as an AUROC.
pub const MIN_GAIN: f64 = 0.02;

/// The candidate to use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The candidate that finds all known defects best.
    pub best: usize,
    /// How much AUROC choosing gains on defects that took no part in it.
    pub gain: f64,
    /// The candidate to use: `best` if `gain` is above [`MIN_GAIN`], otherwise the reference.
    pub chosen: usize,
}

/// Chooses. `ranks` has for each candidate the rank of each defect: the share of normals that score lower, 0..1. Their mean is
/// the candidate's AUROC. Returns `None` without candidates or defects.
#[must_use]
pub fn choose(ranks: &[Vec<f64>], reference: usize) -> Option<Choice> {
    let defects = ranks.get(reference)?.len();
    if defects == 0 || ranks.iter().any(|ranks| ranks.len() != defects) {
        return None;
    }
    let sums: Vec<f64> = ranks.iter().map(|ranks| ranks.iter().sum()).collect();
    let best_by = |sum: &dyn Fn(usize) -> f64| {
        // The reference wins ties.
        (0..ranks.len()).fold(reference, |best, other| if sum(other) > sum(best) { other } else { best })
    };
    let gain_of = |defect: usize| {
        let chosen = best_by(&|candidate| sums[candidate] - ranks[candidate][defect]);
        ranks[chosen][defect] - ranks[reference][defect]
    };
    let gain = (0..defects).map(gain_of).sum::<f64>() / defects as f64;
    let best = best_by(&|candidate| sums[candidate]);
    Some(Choice { best, gain, chosen: if gain > MIN_GAIN { best } else { reference } })
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    #[test]
    fn a_candidate_that_finds_what_the_reference_misses_is_chosen() {
        let ranks = [vec![0.7; 10], vec![0.9; 10]];
        let choice = choose(&ranks, 0).unwrap();
        assert_eq!((choice.best, choice.chosen), (1, 1));
        assert!((choice.gain - 0.2).abs() < 1e-12);
        assert_eq!(choose(&ranks, 1).unwrap().chosen, 1);
    }

    #[test]
    fn a_gain_of_one_defect_chooses_nothing() {
        // The other candidate is better only because of one defect, which can't choose for itself.
        let mut other = vec![0.8; 8];
        other[3] = 1.0;
        let choice = choose(&[vec![0.8; 8], other], 0).unwrap();
        assert_eq!((choice.best, choice.chosen), (1, 0));
        assert!(choice.gain <= 0.0, "{}", choice.gain);
    }

    #[test]
    fn among_candidates_that_differ_by_chance_the_best_looks_better_than_choosing_is() {
        let (mut apparent, mut gain, mut taken) = (0.0, 0.0, 0);
        for round in 0..200 {
            let mut random = Seeded::new(round, 0);
            let ranks: Vec<Vec<f64>> =
                (0..12).map(|_| (0..10).map(|_| random.below(1000) as f64 / 1000.0).collect()).collect();
            let mean = |candidate: usize| ranks[candidate].iter().sum::<f64>() / 10.0;
            let choice = choose(&ranks, 0).unwrap();
            apparent += (mean(choice.best) - mean(0)) / 200.0;
            gain += choice.gain / 200.0;
            taken += usize::from(choice.chosen != 0);
        }
        assert!(apparent > 0.1, "{apparent}");
        assert!(gain.abs() < 0.05, "{gain}");
        assert!(taken < 150, "{taken}");
    }

    #[test]
    fn nothing_to_choose_from() {
        assert_eq!(choose(&[], 0), None);
        assert_eq!(choose(&[vec![]], 0), None);
        assert_eq!(choose(&[vec![0.5], vec![0.5, 0.6]], 0), None);
    }
}
