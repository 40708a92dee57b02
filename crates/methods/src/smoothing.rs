//! The smoothing of distance maps: an option shared by several methods.

use networks::{ModelState, StateError};

use crate::method::FitError;

/// Default standard deviation of the Gaussian that smooths distance maps, in positions.
pub const SMOOTHING: f64 = 1.0;
/// Help text of the option.
pub const SMOOTHING_HELP: &str = "smoothing of the map: standard deviation of a Gaussian, in positions of the features' grid (8 \
                                  pixels); more finds larger and fainter defects, less shows small ones more sharply";
/// The largest useful value.
const MAX: f64 = 64.0;
/// Its name in a model's notes.
pub const SMOOTHING_NOTE: &str = "smoothing";

/// A smoothing that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid smoothing `{0}`: expected a number of positions from 0 to {MAX}")]
pub struct SmoothingError(String);

/// A smoothing that would have no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--smoothing only applies to the method's own score; give {0} too, or leave it out")]
struct UnusedSmoothing(&'static str);

/// Refuses a smoothing that the common image score would ignore; `own_score` is the option that selects the method's
/// own score.
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

/// Parses a smoothing, as written by users and in models' notes.
///
/// # Errors
/// Names the valid range.
pub fn smoothing(text: &str) -> Result<f64, SmoothingError> {
    let sigma = text.parse::<f64>().ok().filter(|sigma| (0.0..=MAX).contains(sigma));
    sigma.ok_or_else(|| SmoothingError(text.to_owned()))
}

/// Reads the smoothing from a model's notes; models fitted before the option existed have none.
///
/// # Errors
/// If it is out of range.
pub(crate) fn smoothing_of(state: &ModelState) -> Result<f64, StateError> {
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
        assert_eq!(smoothing_of(&ModelState::default()), Ok(SMOOTHING));
    }
}
