//! The features of a list of images: computed when they are asked for, and kept while they are few.

use std::path::{Path, PathBuf};

use super::extract::{Extractor, FeatureError, Features};

/// Features that are kept at most, in bytes: of about a hundred images at 256².
const KEPT: usize = 160 << 20;

/// Images with their features.
#[derive(Debug)]
pub struct FeatureSet {
    extractor: Extractor,
    paths: Vec<PathBuf>,
    kept: Vec<Option<Vec<Features>>>,
    keeps: bool,
}

impl FeatureSet {
    /// Of the images at `paths`, `tiles` tiles each.
    #[must_use]
    pub fn new(extractor: Extractor, paths: Vec<PathBuf>, tiles: usize) -> Self {
        let bytes = extractor.shape().iter().product::<usize>() * 4 * tiles * paths.len();
        Self { extractor, kept: vec![None; paths.len()], keeps: bytes <= KEPT, paths }
    }

    /// Channels, rows and columns of a tile's features.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.extractor.shape()
    }

    /// Channels of each backbone level, in order.
    #[must_use]
    pub fn groups(&self) -> &[usize] {
        self.extractor.groups()
    }

    /// The images.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// An image.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index]
    }

    /// The features of an image's tiles.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn of(&mut self, index: usize) -> Result<std::borrow::Cow<'_, [Features]>, FeatureError> {
        use std::borrow::Cow;
        if self.kept[index].is_none() {
            let features = self.extractor.of_file(&self.paths[index])?;
            if !self.keeps {
                return Ok(Cow::Owned(features));
            }
            self.kept[index] = Some(features);
        }
        Ok(Cow::Borrowed(self.kept[index].as_deref().unwrap_or_default()))
    }
}
