//! The features of a list of images: computed when they are asked for, and kept while they are few.

use std::borrow::Cow;
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
    /// The mean feature of each image that was looked at.
    means: Vec<Option<Vec<f64>>>,
}

impl FeatureSet {
    /// Of the images at `paths`.
    #[must_use]
    pub fn new(extractor: Extractor, paths: Vec<PathBuf>) -> Self {
        let bytes = extractor.shape().iter().product::<usize>() * 4 * extractor.samples() * paths.len();
        let (kept, means) = (vec![None; paths.len()], vec![None; paths.len()]);
        Self { extractor, kept, keeps: bytes <= KEPT, means, paths }
    }

    /// Channels, rows and columns of a sample's features.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.extractor.shape()
    }

    /// Channels of each backbone level, in order.
    #[must_use]
    pub fn groups(&self) -> &[usize] {
        self.extractor.groups()
    }

    /// Samples of each image: its tiles, and their mirrored copies.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.extractor.samples()
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

    /// The mean of an image's features over all positions, which is kept for every image.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn mean_of(&mut self, index: usize) -> Result<&[f64], FeatureError> {
        if self.means[index].is_none() {
            self.of(index)?;
        }
        Ok(self.means[index].as_deref().unwrap_or_default())
    }

    /// The features of an image's samples.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn of(&mut self, index: usize) -> Result<Cow<'_, [Features]>, FeatureError> {
        if self.kept[index].is_none() {
            let features = self.extractor.of_file(&self.paths[index])?;
            self.means[index] = Some(mean(&features, self.extractor.shape()[0]));
            if !self.keeps {
                return Ok(Cow::Owned(features));
            }
            self.kept[index] = Some(features);
        }
        Ok(Cow::Borrowed(self.kept[index].as_deref().unwrap_or_default()))
    }
}

fn mean(samples: &[Features], channels: usize) -> Vec<f64> {
    let (mut sum, mut count) = (vec![0f64; channels], 0.0);
    for vector in samples.iter().flat_map(|sample| sample.vectors.chunks_exact(channels)) {
        sum.iter_mut().zip(vector).for_each(|(s, &x)| *s += f64::from(x));
        count += 1.0;
    }
    sum.iter().map(|s| s / f64::max(count, 1.0)).collect()
}
