//! How the scores of normals become a threshold.

use std::fmt;
use std::str::FromStr;

use crate::written::{name_of, named};

/// How the scores of normals become a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The score that as many exceed as the target allows, or the largest: what it claims holds whatever the scores' distribution.
    #[default]
    Claim,
    /// What about the target of new normals exceed, estimated from the whole upper tail, but never more than [`Self::Claim`] takes:
    /// one odd photo decides nothing.
    Estimate,
}

impl Rule {
    const NAMES: [(&'static str, Self); 2] = [("claim", Self::Claim), ("estimate", Self::Estimate)];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}

/// A rule that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rule for thresholds; write claim or estimate")]
pub struct UnknownRule(String);

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        named(&Self::NAMES, text).ok_or_else(|| UnknownRule(text.to_owned()))
    }
}
