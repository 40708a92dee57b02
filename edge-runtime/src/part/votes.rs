//! Combines the verdicts of a part's frames into the part's verdict.

use shared_format::Verdict;

use crate::line_file::{self, VoteRule};

/// The votes of one part's frames.
#[derive(Debug, Clone, Copy)]
pub struct Votes {
    frames: u16,
    needed: u16,
    judged: u16,
    rejects: u16,
    faults: u16,
}

impl Votes {
    /// Starts without votes, under the rule of the line file.
    #[must_use]
    pub const fn new(rule: &line_file::VotesConfig) -> Self {
        Self { frames: rule.frames, needed: needed(rule), judged: 0, rejects: 0, faults: 0 }
    }

    /// Adds a frame's verdict.
    pub const fn add(&mut self, verdict: Verdict) {
        self.judged += 1;
        match verdict {
            Verdict::Pass => {}
            Verdict::Reject => self.rejects += 1,
            Verdict::Fault => self.faults += 1,
        }
    }

    /// Returns the score that stands for the part, out of those of the judged frames: above the threshold exactly if the
    /// part is rejected. A part may be decided before all its frames are in; with fewer scores than the number of rejects
    /// needed, this is the smallest score.
    #[must_use]
    pub fn deciding_score(&self, scores: &[f32]) -> Option<f32> {
        kth_largest(scores, self.needed)
    }

    /// Returns the number of frames that have voted.
    #[must_use]
    pub const fn judged(&self) -> u16 {
        self.judged
    }

    /// Returns the part's verdict once no further frame can change it; `None` before. A frame that could not be judged
    /// counts for neither side: if the others don't decide without it, the part is a fault.
    #[must_use]
    pub const fn decided(&self) -> Option<Verdict> {
        let open = self.frames.saturating_sub(self.judged);
        if self.rejects >= self.needed {
            Some(Verdict::Reject)
        } else if self.rejects + self.faults + open < self.needed {
            Some(Verdict::Pass)
        } else if open == 0 {
            Some(Verdict::Fault)
        } else {
            None
        }
    }

    /// Returns the verdict if no further frame comes: missing frames count as faults.
    #[must_use]
    pub const fn close(mut self) -> Verdict {
        self.faults += self.frames.saturating_sub(self.judged);
        self.judged = self.frames;
        match self.decided() {
            Some(verdict) => verdict,
            None => Verdict::Fault,
        }
    }
}

/// Returns the number of rejected frames that reject a part.
const fn needed(rule: &line_file::VotesConfig) -> u16 {
    match (rule.rule, rule.rejects) {
        (VoteRule::Majority, _) => rule.frames / 2 + 1,
        (VoteRule::AtLeast, Some(rejects)) => rejects,
        (VoteRule::Any | VoteRule::AtLeast, _) => 1,
    }
}

/// Returns the score that decides a part, out of those of all its frames: if `k` rejected frames reject it, the `k`-th
/// largest. The part is rejected exactly if this is above the threshold. `None` if there are too few or too many scores.
#[must_use]
pub fn deciding_score(rule: &line_file::VotesConfig, scores: &[f32]) -> Option<f32> {
    if scores.len() != usize::from(rule.frames) {
        return None;
    }
    kth_largest(scores, needed(rule))
}

/// Returns the `k`-th largest score, or the smallest if there are fewer than `k`; `None` if there are none.
fn kth_largest(scores: &[f32], k: u16) -> Option<f32> {
    let mut descending = scores.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    let rank = usize::from(k).min(descending.len());
    descending.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fault, Pass, Reject};

    fn vote(
        rule: VoteRule,
        frames: u16,
        rejects: Option<u16>,
        given: &[Verdict],
    ) -> (Option<Verdict>, Verdict) {
        let mut votes = Votes::new(&line_file::VotesConfig { frames, rule, rejects });
        given.iter().for_each(|&verdict| votes.add(verdict));
        (votes.decided(), votes.close())
    }

    #[test]
    fn one_frame_decides_alone() {
        for verdict in [Pass, Reject, Fault] {
            assert_eq!(vote(VoteRule::Any, 1, None, &[verdict]), (Some(verdict), verdict));
        }
        assert_eq!(vote(VoteRule::Any, 1, None, &[]), (None, Fault));
    }

    #[test]
    fn a_part_is_decided_as_soon_as_it_can_be() {
        assert_eq!(vote(VoteRule::Any, 3, None, &[Pass, Reject]).0, Some(Reject));
        assert_eq!(vote(VoteRule::Any, 3, None, &[Pass, Pass]), (None, Fault));
        assert_eq!(vote(VoteRule::Majority, 3, None, &[Pass, Pass]), (Some(Pass), Pass));
        assert_eq!(vote(VoteRule::Majority, 4, None, &[Reject, Reject, Pass]), (None, Fault));
        assert_eq!(vote(VoteRule::AtLeast, 5, Some(2), &[Reject, Pass, Reject]).0, Some(Reject));
    }

    #[test]
    fn frames_without_a_verdict_never_make_a_pass() {
        assert_eq!(vote(VoteRule::Any, 2, None, &[Pass, Fault]).0, Some(Fault));
        assert_eq!(vote(VoteRule::Majority, 3, None, &[Fault, Reject, Pass]).0, Some(Fault));
        assert_eq!(vote(VoteRule::Majority, 3, None, &[Fault, Pass, Pass]).0, Some(Pass));
        assert_eq!(vote(VoteRule::AtLeast, 3, Some(3), &[Fault, Reject, Pass]).0, Some(Pass));
    }

    #[test]
    fn a_part_is_rejected_exactly_where_its_deciding_score_is_above_the_threshold() {
        let rules = |frames: u16| {
            let at_least = (1..=frames).map(|rejects| (VoteRule::AtLeast, Some(rejects)));
            [(VoteRule::Any, None), (VoteRule::Majority, None)].into_iter().chain(at_least)
        };
        // All scores from 0 to 3 of up to five frames, against every threshold between, at and beyond them.
        for frames in 1..=5_u16 {
            for code in 0..4_u32.pow(frames.into()) {
                let scores: Vec<f32> = (0..frames).map(|i| (code / 4_u32.pow(i.into()) % 4) as f32).collect();
                for (rule, rejects) in rules(frames) {
                    let rule = line_file::VotesConfig { frames, rule, rejects };
                    let deciding = deciding_score(&rule, &scores).unwrap();
                    for threshold in (-1..8).map(|half| half as f32 / 2.0) {
                        let mut votes = Votes::new(&rule);
                        scores.iter().for_each(|&score| votes.add(Verdict::of(score, threshold)));
                        assert_eq!(
                            votes.decided(),
                            Some(Verdict::of(deciding, threshold)),
                            "{rule:?} {scores:?}"
                        );
                    }
                }
            }
        }
        let two = line_file::VotesConfig { frames: 2, rule: VoteRule::Any, rejects: None };
        assert_eq!([deciding_score(&two, &[1.0]), deciding_score(&two, &[1.0; 3])], [None, None]);
    }
}
