//! How far maps of distances are smoothed: one option, which several methods share.

use networks::{State, StateError};

use crate::method::FitError;

/// Standard deviation of the Gaussian that smooths maps of distances unless another is asked for, in their positions.
pub const SMOOTHING: f64 = 1.0;
/// What command lines say of it.
pub const SMOOTHING_HELP: &str = "how far the map is smoothed, in positions of the features' grid (of 8 pixels; standard \
                                  deviation of a Gaussian); more finds larger and fainter defects, less draws small ones sharper";
/// The most that makes sense.
const MAX: f64 = 64.0;
/// The name under which a model's notes hold it.
pub const SMOOTHING_NOTE: &str = "smoothing";

/// A smoothing that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no smoothing; write a number of positions from 0 to {MAX}")]
pub struct SmoothingError(String);

/// A smoothing that would change nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--smoothing is for a score of the method's own; give {0} too, or leave it out")]
struct UnusedSmoothing(&'static str);

/// Refuses a smoothing that the common image score has no use for; `own_score` is the option that gives another one.
///
/// # Errors
/// Names that option.
pub fn check_use(smoothing: f64, has_own_score: bool, own_score: &'static str) -> Result<(), FitError> {
    if has_own_score || smoothing == SMOOTHING {
        Ok(())
    } else {
        Err(FitError::Options(Box::new(UnusedSmoothing(own_score))))
    }
}

/// Reads a smoothing, as users and models' notes write it.
///
/// # Errors
/// Says which numbers can be used.
pub fn smoothing(text: &str) -> Result<f64, SmoothingError> {
    let sigma = text.parse::<f64>().ok().filter(|sigma| (0.0..=MAX).contains(sigma));
    sigma.ok_or_else(|| SmoothingError(text.to_owned()))
}

/// The smoothing in a model's notes; models that were fitted before there was a choice have none.
///
/// # Errors
/// If it is out of range.
pub(crate) fn smoothing_of(state: &State) -> Result<f64, StateError> {
    let Some(text) = state.notes.get(SMOOTHING_NOTE) else { return Ok(SMOOTHING) };
    smoothing(text).map_err(|_| StateError::values(SMOOTHING_NOTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_possible_smoothings_are_read() {
        assert_eq!(smoothing("0"), Ok(0.0));
        assert_eq!(smoothing("1.5"), Ok(1.5));
        for text in ["", "-1", "65", "inf", "NaN", "wide"] {
            assert!(smoothing(text).is_err(), "{text}");
        }
        assert_eq!(smoothing_of(&State::default()), Ok(SMOOTHING));
    }
}
