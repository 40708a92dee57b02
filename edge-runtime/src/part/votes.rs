//! Combines the verdicts of a part's frames into the part's verdict.

use shared_format::Verdict;

use crate::line_file::{VoteRule, VotesConfig};

/// A zone named by `votes.zones` that a bundle doesn't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "votes.zones has the level {level}, but {}; correct the level, or remove it",
    if known.is_empty() { "the bundle has no zones".to_owned() } else { format!("the bundle's zones have the levels {known}") }
)]
pub struct UnknownZone {
    level: u8,
    known: String,
}

/// How many frames reject a part, for each group of zones that is counted together.
///
/// A frame has one score per zone of its bundle, or a single one if the bundle has no zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteCount {
    frames: u16,
    groups: Vec<Group>,
}

/// Zones that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// Number of rejected frames that reject the part.
    needed: u16,
    /// Indices of its zones; `None` stands for all scores of a frame.
    zones: Option<Vec<usize>>,
}

impl VoteCount {
    /// Creates the rule of the line file for a bundle whose zones have these levels.
    ///
    /// # Errors
    /// [`UnknownZone`] if the line file names a zone that the bundle lacks.
    pub fn new(rule: &VotesConfig, levels: &[u8]) -> Result<Self, UnknownZone> {
        let needed = needed(rule);
        let mut groups = vec![];
        for zone in &rule.zones {
            let index = levels.iter().position(|level| *level == zone.level).ok_or_else(|| {
                let known: Vec<String> = levels.iter().map(ToString::to_string).collect();
                UnknownZone { level: zone.level, known: known.join(", ") }
            })?;
            groups.push(Group { needed: zone.rejects, zones: Some(vec![index]) });
        }
        let is_named =
            |index: &usize| groups.iter().flat_map(|group| &group.zones).flatten().any(|i| i == index);
        let others: Vec<usize> = (0..levels.len()).filter(|index| !is_named(index)).collect();
        if groups.is_empty() {
            groups.push(Group { needed, zones: None });
        } else if !others.is_empty() {
            groups.push(Group { needed, zones: Some(others) });
        }
        Ok(Self { frames: rule.frames, groups })
    }

    /// Returns the number of frames that vote.
    #[must_use]
    pub const fn frames(&self) -> u16 {
        self.frames
    }

    /// Returns the score that decides a part, out of those of all its frames: if `k` rejected frames reject it, the `k`-th
    /// largest. The part is rejected exactly if this is above the threshold. `None` if there are too few or too many frames.
    #[must_use]
    pub fn deciding_score(&self, frames: &[Vec<f32>]) -> Option<f32> {
        if frames.len() != usize::from(self.frames) {
            return None;
        }
        self.deciding(frames).map(|deciding| deciding.score)
    }

    /// Returns the largest of the groups' deciding scores.
    fn deciding(&self, frames: &[Vec<f32>]) -> Option<ScoreOfZone> {
        let of_groups = self.groups.iter().filter_map(|group| group.kth_largest(frames));
        of_groups.reduce(|most, other| if other.score > most.score { other } else { most })
    }
}

/// A score and the index of its zone.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ScoreOfZone {
    score: f32,
    zone: usize,
}

impl Group {
    /// Returns a frame's largest score in this group.
    fn score(&self, scores: &[f32]) -> Option<ScoreOfZone> {
        let all = scores.iter().copied().enumerate().map(|(zone, score)| ScoreOfZone { score, zone });
        let of_group = all.filter(|of| self.zones.as_ref().is_none_or(|zones| zones.contains(&of.zone)));
        of_group.reduce(|most, other| if other.score > most.score { other } else { most })
    }

    /// Returns the largest score that as many frames reach as are needed, or the smallest if there are fewer frames.
    fn kth_largest(&self, frames: &[Vec<f32>]) -> Option<ScoreOfZone> {
        let mut descending: Vec<ScoreOfZone> =
            frames.iter().filter_map(|scores| self.score(scores)).collect();
        descending.sort_by(|a, b| b.score.total_cmp(&a.score));
        let rank = usize::from(self.needed).min(descending.len());
        descending.get(rank.checked_sub(1)?).copied()
    }
}

/// The votes of one part's frames.
#[derive(Debug, Clone)]
pub struct Votes<'c> {
    count: &'c VoteCount,
    threshold: f32,
    /// The scores of the frames that could be judged.
    frames: Vec<Vec<f32>>,
    faults: u16,
}

impl<'c> Votes<'c> {
    /// Starts without votes; `threshold` is the bundle's.
    #[must_use]
    pub const fn new(count: &'c VoteCount, threshold: f32) -> Self {
        Self { count, threshold, frames: vec![], faults: 0 }
    }

    /// Adds a frame's scores; none for a frame that could not be judged.
    pub fn add(&mut self, scores: Vec<f32>) {
        if scores.is_empty() {
            self.faults += 1;
        } else {
            self.frames.push(scores);
        }
    }

    /// Returns the score that stands for the part: above the threshold exactly if the part is rejected. A part may be decided
    /// before all its frames are in; with fewer scores than the number of rejects needed, this is the smallest score.
    #[must_use]
    pub fn deciding_score(&self) -> Option<f32> {
        self.count.deciding(&self.frames).map(|deciding| deciding.score)
    }

    /// Returns the index of the zone that [`Self::deciding_score`] comes from.
    #[must_use]
    pub fn deciding_zone(&self) -> Option<usize> {
        self.count.deciding(&self.frames).map(|deciding| deciding.zone)
    }

    /// Returns the number of frames that have voted.
    #[must_use]
    pub fn judged(&self) -> u16 {
        u16::try_from(self.frames.len()).unwrap_or(u16::MAX).saturating_add(self.faults)
    }

    /// Returns the part's verdict once no further frame can change it; `None` before. A frame that could not be judged
    /// counts for neither side: if the others don't decide without it, the part is a fault.
    #[must_use]
    pub fn decided(&self) -> Option<Verdict> {
        let open = self.count.frames.saturating_sub(self.judged());
        self.verdict(open)
    }

    /// Returns the verdict if no further frame comes: missing frames count as faults.
    #[must_use]
    pub fn close(mut self) -> Verdict {
        self.faults += self.count.frames.saturating_sub(self.judged());
        self.verdict(0).unwrap_or(Verdict::Fault)
    }

    fn verdict(&self, open: u16) -> Option<Verdict> {
        let rejects = |group: &Group| {
            let is_rejected = |scores: &&Vec<f32>| {
                group.score(scores).is_some_and(|of| Verdict::of(of.score, self.threshold) == Verdict::Reject)
            };
            u16::try_from(self.frames.iter().filter(is_rejected).count()).unwrap_or(u16::MAX)
        };
        let unknown = self.faults.saturating_add(open);
        let groups = || self.count.groups.iter();
        if groups().any(|group| rejects(group) >= group.needed) {
            Some(Verdict::Reject)
        } else if groups().all(|group| rejects(group).saturating_add(unknown) < group.needed) {
            Some(Verdict::Pass)
        } else if open == 0 {
            Some(Verdict::Fault)
        } else {
            None
        }
    }
}

/// Returns the number of rejected frames that reject a part.
const fn needed(rule: &VotesConfig) -> u16 {
    match (rule.rule, rule.rejects) {
        (VoteRule::Majority, _) => rule.frames / 2 + 1,
        (VoteRule::AtLeast, Some(rejects)) => rejects,
        (VoteRule::Any | VoteRule::AtLeast, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_file::ZoneVotes;
    use Verdict::{Fault, Pass, Reject};

    fn config(rule: VoteRule, frames: u16, rejects: Option<u16>) -> VotesConfig {
        VotesConfig { frames, rule, rejects, ..VotesConfig::default() }
    }

    /// Returns the verdict before and after the end, for scores of 0 and 1 and a threshold between.
    fn vote(
        rule: VoteRule,
        frames: u16,
        rejects: Option<u16>,
        given: &[Verdict],
    ) -> (Option<Verdict>, Verdict) {
        let count = VoteCount::new(&config(rule, frames, rejects), &[]).unwrap();
        let mut votes = Votes::new(&count, 0.5);
        for verdict in given {
            votes.add(match verdict {
                Pass => vec![0.0],
                Reject => vec![1.0],
                Fault => vec![],
            });
        }
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

    /// Checks that the part is rejected exactly if its deciding score is above the threshold, and that its zone has that score.
    fn check(rule: &VotesConfig, levels: &[u8], frames: &[Vec<f32>]) {
        let count = VoteCount::new(rule, levels).unwrap();
        let deciding = count.deciding_score(frames).unwrap();
        for threshold in (-1..8).map(|half| half as f32 / 2.0) {
            let mut votes = Votes::new(&count, threshold);
            frames.iter().for_each(|scores| votes.add(scores.clone()));
            assert_eq!(votes.decided(), Some(Verdict::of(deciding, threshold)), "{rule:?} {frames:?}");
            assert_eq!(votes.deciding_score(), Some(deciding));
            let zone = votes.deciding_zone().unwrap();
            assert!(frames.iter().any(|scores| scores[zone] == deciding), "{rule:?} {frames:?}");
        }
    }

    #[test]
    fn a_part_is_rejected_exactly_where_its_deciding_score_is_above_the_threshold() {
        let rules = |frames: u16| {
            let at_least = (1..=frames).map(|rejects| (VoteRule::AtLeast, Some(rejects)));
            [(VoteRule::Any, None), (VoteRule::Majority, None)].into_iter().chain(at_least)
        };
        let digits = |code: u32, count: u16| (0..count).map(move |i| (code / 4_u32.pow(i.into()) % 4) as f32);
        // All scores from 0 to 3 of up to five frames, against every threshold between, at and beyond them.
        for frames in 1..=5_u16 {
            for code in 0..4_u32.pow(frames.into()) {
                let scores: Vec<Vec<f32>> = digits(code, frames).map(|score| vec![score]).collect();
                for (rule, rejects) in rules(frames) {
                    check(&config(rule, frames, rejects), &[], &scores);
                }
            }
        }
        // Two frames of three zones, of which one is counted on its own.
        for code in 0..4_u32.pow(6) {
            let scores: Vec<f32> = digits(code, 6).collect();
            let frames: Vec<Vec<f32>> = scores.chunks(3).map(<[f32]>::to_vec).collect();
            for ((rule, rejects), of_zone) in rules(2).zip([1, 2, 1, 2]) {
                let zones = vec![ZoneVotes { level: 100, rejects: of_zone }];
                check(&VotesConfig { zones, ..config(rule, 2, rejects) }, &[200, 100, 50], &frames);
            }
        }
        let two = VoteCount::new(&config(VoteRule::Any, 2, None), &[]).unwrap();
        assert_eq!([1, 3].map(|frames| two.deciding_score(&vec![vec![1.0]; frames])), [None, None]);
    }

    #[test]
    fn a_zone_of_its_own_needs_its_own_number_of_frames() {
        let zones = vec![ZoneVotes { level: 100, rejects: 2 }];
        let rule = VotesConfig { zones, ..config(VoteRule::Any, 3, None) };
        let count = VoteCount::new(&rule, &[255, 100]).unwrap();
        let decided = |frames: [[f32; 2]; 3]| {
            let mut votes = Votes::new(&count, 0.5);
            frames.iter().for_each(|scores| votes.add(scores.to_vec()));
            (votes.deciding_zone().unwrap(), votes.close())
        };
        assert_eq!(decided([[0.0, 9.0], [0.1, 0.0], [0.0, 0.0]]).1, Pass, "one frame of two");
        assert_eq!(decided([[0.0, 9.0], [0.1, 8.0], [0.0, 0.0]]), (1, Reject));
        assert_eq!(
            decided([[0.9, 9.0], [0.1, 0.0], [0.0, 0.0]]),
            (0, Reject),
            "one frame is enough elsewhere"
        );
        // Rejects of different groups don't add up.
        let rule = VotesConfig { rule: VoteRule::AtLeast, rejects: Some(2), ..rule };
        let count = VoteCount::new(&rule, &[255, 100]).unwrap();
        let mut votes = Votes::new(&count, 0.5);
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]].iter().for_each(|scores| votes.add(scores.to_vec()));
        assert_eq!(votes.close(), Pass);
    }

    #[test]
    fn a_zone_that_the_bundle_lacks_is_named() {
        let zones = vec![ZoneVotes { level: 100, rejects: 1 }];
        let rule = VotesConfig { zones, ..VotesConfig::default() };
        let error = VoteCount::new(&rule, &[255, 128]).unwrap_err().to_string();
        assert!(error.contains("level 100") && error.contains("255, 128"), "{error}");
        let error = VoteCount::new(&rule, &[]).unwrap_err().to_string();
        assert!(error.contains("the bundle has no zones"), "{error}");
    }
}
