//! The methods that are fitted, behind one call: features of good parts → ONNX model.

use shared_format::Size;

use crate::features::{FeatureError, FeatureSet, Levels};
use crate::{padim, patchcore};
use networks::teacher::Teacher;

/// A method with its options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted {
    /// See [`crate::patchcore`].
    PatchCore(patchcore::Options),
    /// See [`crate::padim`].
    Padim(padim::Options),
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The features.
    #[error(transparent)]
    Features(FeatureError),
    /// The Gaussians.
    #[error(transparent)]
    Padim(padim::PadimError),
}

impl Fitted {
    /// The method's name in bundles.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PatchCore(_) => patchcore::NAME,
            Self::Padim(_) => padim::NAME,
        }
    }

    /// The backbone levels that its features are made of.
    #[must_use]
    pub const fn levels(&self) -> Levels {
        match self {
            Self::PatchCore(_) => Levels::Coarse,
            Self::Padim(_) => Levels::All,
        }
    }

    /// The method with what depends on the number of images chosen for `images` of them: models that are fitted to parts of
    /// the same set then score alike.
    #[must_use]
    pub fn settled(self, images: usize) -> Self {
        match self {
            Self::PatchCore(options) => {
                let score = options.score.or(Some(patchcore::Score::of_images(images)));
                Self::PatchCore(patchcore::Options { score, ..options })
            }
            Self::Padim(_) => self,
        }
    }

    /// Fits to the images at `indices` of `set` and gives the ONNX model for input size `input`. `progress` is called after
    /// each image. `None` where it says `false`.
    ///
    /// # Errors
    /// See [`FitError`].
    pub fn model(
        &self,
        teacher: &Teacher,
        input: Size,
        set: &mut FeatureSet,
        indices: &[usize],
        progress: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<u8>>, FitError> {
        match self {
            Self::PatchCore(options) => {
                let model = patchcore::fit(set, indices, options, progress).map_err(FitError::Features)?;
                Ok(model.map(|model| patchcore::build(teacher, &model, input, false)))
            }
            Self::Padim(options) => {
                let model = padim::fit(set, indices, options, progress).map_err(FitError::Padim)?;
                Ok(model.map(|model| padim::build(teacher, &model, input, false)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patchcore::{Options, Score};

    #[test]
    fn one_score_for_a_set_and_its_parts() {
        let score = |method: Fitted| match method {
            Fitted::PatchCore(options) => options.score,
            Fitted::Padim(_) => None,
        };
        let method = Fitted::PatchCore(Options::default());
        assert_eq!(score(method.settled(45)), Some(Score::Standardised));
        assert_eq!(score(method.settled(45).settled(36)), Some(Score::Standardised));
        assert_eq!(score(method.settled(36)), Some(Score::Worst));
    }
}
