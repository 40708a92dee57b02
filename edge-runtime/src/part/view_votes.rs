//! Combines the verdicts of a part's views into the part's verdict.

use shared_format::Verdict;

use crate::line_file::{VoteRule, VotesConfig};

/// What is known of a view of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewVote {
    /// Its frames don't decide yet; if it is optional, it may still turn out to be missing.
    Open {
        /// Whether the part can be judged without it.
        optional: bool,
    },
    /// It has no frame of the part, and the part is judged without it.
    Missing,
    /// Its frames have decided.
    Voted(Verdict),
}

/// How many views reject a part. A single view decides alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewCount {
    rule: VoteRule,
    rejects: u16,
}

/// The score that decides a view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewScore {
    /// The view's index.
    pub view: usize,
    /// The score that stands for its frames.
    pub score: f32,
    /// The threshold of the bundle that judged them.
    pub threshold: f32,
}

impl ViewCount {
    /// Creates the rule of the line file.
    #[must_use]
    pub fn new(votes: &VotesConfig) -> Self {
        Self { rule: votes.view_rule, rejects: votes.view_rejects.unwrap_or(1).max(1) }
    }

    /// Returns the part's verdict once no open view can change it; `None` before. A view that is a fault counts for neither side: if the others
    /// don't decide without it, the part is a fault, as is a part without any view.
    #[must_use]
    pub fn decided(&self, views: &[ViewVote]) -> Option<Verdict> {
        let count = |is: &dyn Fn(&ViewVote) -> bool| views.iter().filter(|view| is(view)).count();
        let present = views.len() - count(&|view| *view == ViewVote::Missing);
        let rejects = count(&|view| *view == ViewVote::Voted(Verdict::Reject));
        let faults = count(&|view| *view == ViewVote::Voted(Verdict::Fault));
        let open = count(&|view| matches!(view, ViewVote::Open { .. }));
        let optional = count(&|view| *view == ViewVote::Open { optional: true });
        // With fewer views, no more rejects are needed.
        if present > 0 && rejects >= self.needed(present) {
            return Some(Verdict::Reject);
        }
        // Whichever of the open optional views turn out to be missing, and if all others reject.
        let passes = |missing: usize, of_open: usize| {
            let left = present - missing;
            left > 0 && rejects + faults + of_open < self.needed(left)
        };
        if (0..=optional).all(|missing| passes(missing, open - missing)) {
            return Some(Verdict::Pass);
        }
        let may_pass = (0..=optional).any(|missing| passes(missing, 0));
        let may_be_rejected = (0..=optional)
            .any(|missing| present > missing && rejects + open - missing >= self.needed(present - missing));
        (!may_pass && !may_be_rejected).then_some(Verdict::Fault)
    }

    /// Returns the score that decides the part, out of those of its views: if `k` rejected views reject it, that of the view which is `k`-th in the order of
    /// how far it is above its threshold. The part is rejected exactly if this one is above its threshold.
    #[must_use]
    pub fn deciding(&self, scores: &[ViewScore]) -> Option<ViewScore> {
        let mut descending = scores.to_vec();
        descending.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
        let rank = self.needed(scores.len()).min(descending.len());
        descending.get(rank.checked_sub(1)?).copied()
    }

    /// Returns the number of rejects that reject a part of so many views.
    fn needed(&self, present: usize) -> usize {
        match self.rule {
            VoteRule::Any => 1,
            VoteRule::Majority => present / 2 + 1,
            // With fewer views than that, each must reject: else parts would pass because cameras fail.
            VoteRule::AtLeast => usize::from(self.rejects).min(present).max(1),
        }
    }
}

impl ViewScore {
    /// How far the score is above the threshold, in thresholds: bundles differ in scale.
    fn excess(&self) -> f32 {
        (self.score - self.threshold) / self.threshold.abs().max(f32::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fault, Pass, Reject};
    use ViewVote::{Missing, Open, Voted};

    fn count(rule: VoteRule, rejects: Option<u16>) -> ViewCount {
        ViewCount::new(&VotesConfig { view_rule: rule, view_rejects: rejects, ..VotesConfig::default() })
    }

    const RULES: [(VoteRule, Option<u16>); 5] = [
        (VoteRule::Any, None),
        (VoteRule::Majority, None),
        (VoteRule::AtLeast, Some(1)),
        (VoteRule::AtLeast, Some(2)),
        (VoteRule::AtLeast, Some(3)),
    ];

    /// All states of `views` views.
    fn all(views: u32) -> impl Iterator<Item = Vec<ViewVote>> {
        let states = [
            Open { optional: false },
            Open { optional: true },
            Missing,
            Voted(Pass),
            Voted(Reject),
            Voted(Fault),
        ];
        (0..6_usize.pow(views))
            .map(move |code| (0..views).map(|i| states[code / 6_usize.pow(i) % 6]).collect())
    }

    /// All ways in which a view can turn out.
    fn ends(view: ViewVote) -> Vec<ViewVote> {
        let mut ends = vec![Voted(Pass), Voted(Reject), Voted(Fault)];
        match view {
            Open { optional: true } => ends.push(Missing),
            Open { optional: false } => {}
            other => return vec![other],
        }
        ends
    }

    #[test]
    fn a_single_view_decides_alone() {
        for (rule, rejects) in RULES {
            for verdict in [Pass, Reject, Fault] {
                assert_eq!(count(rule, rejects).decided(&[Voted(verdict)]), Some(verdict), "{rule:?}");
            }
            assert_eq!(count(rule, rejects).decided(&[Open { optional: false }]), None);
            assert_eq!(count(rule, rejects).decided(&[Missing]), Some(Fault), "no view at all");
        }
    }

    #[test]
    fn a_part_is_decided_once_nothing_can_change_it_and_not_before() {
        for (rule, rejects) in RULES {
            let count = count(rule, rejects);
            for views in all(3) {
                // Every combination of how the open views turn out.
                let mut outcomes = vec![vec![]];
                for view in &views {
                    outcomes = outcomes
                        .iter()
                        .flat_map(|begun| {
                            ends(*view).into_iter().map(move |end| [begun.as_slice(), &[end]].concat())
                        })
                        .collect();
                }
                let verdicts: Vec<_> = outcomes.iter().map(|views| count.decided(views).unwrap()).collect();
                match count.decided(&views) {
                    // An open view may become a fault, which never makes a part pass.
                    Some(verdict) => {
                        assert!(verdicts.iter().all(|end| *end == verdict), "{rule:?} {views:?}")
                    }
                    None => assert!(verdicts.iter().any(|end| *end != verdicts[0]), "{rule:?} {views:?}"),
                }
            }
        }
    }

    #[test]
    fn no_part_passes_on_what_was_not_seen() {
        for (rule, rejects) in RULES {
            for views in all(3).filter(|views| !views.iter().any(|view| matches!(view, Open { .. }))) {
                let count = count(rule, rejects);
                let pass = count.decided(&views) == Some(Pass);
                assert!(!pass || views.contains(&Voted(Pass)), "{rule:?} {views:?}");
                // Whatever a faulty view would have said, the part would have passed.
                if pass && views.contains(&Voted(Fault)) {
                    let worst: Vec<_> = views
                        .iter()
                        .map(|view| if *view == Voted(Fault) { Voted(Reject) } else { *view })
                        .collect();
                    assert_eq!(count.decided(&worst), Some(Pass), "{rule:?} {views:?}");
                }
            }
        }
        let two = count(VoteRule::AtLeast, Some(2));
        assert_eq!(two.decided(&[Voted(Reject), Missing]), Some(Reject), "with one view, two can't reject");
        assert_eq!(two.decided(&[Voted(Reject), Voted(Pass), Missing]), Some(Pass));
        assert_eq!(two.decided(&[Voted(Reject), Voted(Pass), Voted(Fault)]), Some(Fault));
        let majority = count(VoteRule::Majority, None);
        assert_eq!(majority.decided(&[Voted(Reject), Voted(Pass), Missing]), Some(Pass), "one of two");
        assert_eq!(majority.decided(&[Voted(Reject), Voted(Reject), Open { optional: false }]), Some(Reject));
        assert_eq!(
            count(VoteRule::Any, None).decided(&[Voted(Reject), Open { optional: false }]),
            Some(Reject)
        );
    }

    #[test]
    fn a_part_is_rejected_exactly_where_its_deciding_view_is_above_its_threshold() {
        let thresholds = [0.5, 20.0, -3.0];
        for (rule, rejects) in RULES {
            let count = count(rule, rejects);
            for code in 0..4_u32.pow(3) {
                let scores: Vec<ViewScore> = (0..3)
                    .map(|view| {
                        let step = (code / 4_u32.pow(view) % 4) as f32 - 1.5;
                        let threshold = thresholds[view as usize];
                        ViewScore { view: view as usize, score: threshold + step, threshold }
                    })
                    .collect();
                let votes: Vec<_> =
                    scores.iter().map(|of| Voted(Verdict::of(of.score, of.threshold))).collect();
                let deciding = count.deciding(&scores).unwrap();
                assert_eq!(
                    count.decided(&votes),
                    Some(Verdict::of(deciding.score, deciding.threshold)),
                    "{rule:?} {scores:?}"
                );
            }
            assert_eq!(count.deciding(&[]), None);
        }
    }
}
