//! The rule that turns the scores of normals into a threshold.

use std::fmt;
use std::str::FromStr;

use shared_format::Sample;
use shared_format::conformal::Choice;

use crate::parse::{by_name, name_of};

/// The rule that turns the scores of normals into a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThresholdRule {
    /// [`Self::Claim`] if the normals are enough for the target and enough of them decide, else [`Self::Estimate`]: the largest of few
    /// scores may be those of odd photos, far above all defects. Two must decide if the normals are held out. If they are cross-fitted,
    /// five must: these support an estimate only, whatever the rule.
    #[default]
    Auto,
    /// The score that no more normals exceed than the target allows, or the largest score. Its claim holds whatever the
    /// distribution of the scores.
    Claim,
    /// The score that about the target share of new normals exceeds, estimated from the whole upper tail, but never above
    /// [`Self::Claim`]: one odd photo doesn't decide it.
    Estimate,
}

impl ThresholdRule {
    const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("claim", Self::Claim), ("estimate", Self::Estimate)];

    /// Returns whether the threshold is an estimate, if that is below the claim's.
    pub(crate) const fn estimates(self, claim: Choice, sample: Sample) -> bool {
        let deciding = match sample {
            Sample::HeldOut => 2,
            Sample::CrossFitted => 5,
        };
        match self {
            Self::Auto => !claim.reaches_target || claim.rank < deciding,
            Self::Claim => false,
            Self::Estimate => true,
        }
    }
}

impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}

/// An unknown rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown threshold rule `{0}`; write auto, claim or estimate")]
pub struct UnknownThresholdRule(String);

impl FromStr for ThresholdRule {
    type Err = UnknownThresholdRule;

    fn from_str(text: &str) -> Result<Self, UnknownThresholdRule> {
        by_name(&Self::NAMES, text).ok_or_else(|| UnknownThresholdRule(text.to_owned()))
    }
}
