//! The features of a list of images: computed on demand, and cached if they fit in memory.

use std::path::{Path, PathBuf};

use half::f16;

use super::extract::{Extractor, FeatureError, Features};
use super::projection::{Moments, Projection};
use super::sample::sample_indices;

/// Maximum size of the cache, in bytes: about 800 images at 256² with EfficientNet-Lite0, 300 with ResNet-18.
const CACHE_BYTES: usize = 256 << 20;

/// Number of images that a projection is fitted to; more change nothing.
const PROJECTION_IMAGES: usize = 64;
/// The largest 16-bit float.
const LARGEST: f32 = 65_504.0;

/// Images with their features.
#[derive(Debug)]
pub struct FeatureSet {
    extractor: Extractor,
    paths: Vec<PathBuf>,
    /// In 16 bits: a backbone's features aren't accurate to better than a thousandth.
    cache: Vec<Option<Vec<Vec<f16>>>>,
    fits_cache: bool,
    /// The mean feature of each image seen so far.
    means: Vec<Option<Vec<f64>>>,
}

impl FeatureSet {
    /// Makes a set of the images at `paths`.
    #[must_use]
    pub fn new(extractor: Extractor, paths: Vec<PathBuf>) -> Self {
        let bytes = extractor.shape().iter().product::<usize>()
            * size_of::<f16>()
            * extractor.samples()
            * paths.len();
        let (cache, means) = (vec![None; paths.len()], vec![None; paths.len()]);
        Self { extractor, cache, fits_cache: bytes <= CACHE_BYTES, means, paths }
    }

    /// Returns the channels, rows and columns of a sample's features.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.extractor.shape()
    }

    /// Returns the channels of each backbone level, in order.
    #[must_use]
    pub fn groups(&self) -> &[usize] {
        self.extractor.groups()
    }

    /// Returns the number of samples of each image: its tiles and their mirrored copies.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.extractor.samples()
    }

    /// Returns the paths of the images.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Returns the path of an image.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index]
    }

    /// Returns the mean of an image's features over all positions, which is cached for every image.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn mean_of(&mut self, index: usize) -> Result<&[f64], FeatureError> {
        if self.means[index].is_none() {
            self.of(index)?;
        }
        Ok(self.means[index].as_deref().unwrap_or_default())
    }

    /// Returns the features of an image's samples.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn of(&mut self, index: usize) -> Result<Vec<Features>, FeatureError> {
        if let Some(cached) = &self.cache[index] {
            let channels = self.extractor.shape()[0];
            let vectors = |half: &Vec<f16>| half.iter().map(|x| x.to_f32()).collect();
            return Ok(cached.iter().map(|half| Features { channels, vectors: vectors(half) }).collect());
        }
        let mut features = self.extractor.of_file(&self.paths[index])?;
        self.means[index] = Some(mean(&features, self.extractor.shape()[0]));
        if self.fits_cache {
            let half = |x: &f32| f16::from_f32(x.clamp(-LARGEST, LARGEST));
            let cached: Vec<Vec<f16>> =
                features.iter().map(|sample| sample.vectors.iter().map(half).collect()).collect();
            // The first call must return the same values as later ones.
            for (sample, cached) in features.iter_mut().zip(&cached) {
                sample.vectors.iter_mut().zip(cached).for_each(|(x, half)| *x = half.to_f32());
            }
            self.cache[index] = Some(cached);
        }
        Ok(features)
    }
}

impl FeatureSet {
    /// Fits a projection onto the directions in which some of the images at `indices`, chosen by the seed, vary
    /// most.
    ///
    /// # Errors
    /// See [`FeatureError`].
    pub fn projection(
        &mut self,
        indices: &[usize],
        outputs: usize,
        seed: u64,
    ) -> Result<Projection, FeatureError> {
        let mut moments = Moments::new(self.shape()[0]);
        for index in sample_indices(indices, PROJECTION_IMAGES, seed) {
            self.of(index)?.iter().for_each(|sample| moments.add(&sample.vectors));
        }
        Ok(Projection::fit(&moments, self.groups(), outputs, seed))
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
