//! Fits Gaussians to the residuals of good parts.

use methods::gaussians::{Cells, GaussianSums, GaussiansError};
use methods::method::FitError;
use tch::{Device, Kind, Tensor};

use super::{CELL, LoadedGaussians, ResidualGaussians};
use crate::held_out::for_each_batch;
use crate::method::TrainError;
use crate::samples::{SampleBatch, Samples};
use crate::torch::to_array;

/// Good parts are split into this many folds: the distances of a fold's parts are measured by Gaussians of the others, because those
/// of the parts that Gaussians were fitted to are too small.
const FOLDS: usize = 5;
/// Share of a covariance's mean variance added to its diagonal.
const SHRINKAGE: f64 = 0.01;
/// With this many images a cell's covariance counts as much as that of all cells.
const TRUSTED: f64 = 20.0;

/// Running sums over the residuals of good parts, for each fold and level.
#[derive(Debug)]
struct ResidualSums {
    levels: Vec<Level>,
    folds: Vec<Vec<GaussianSums>>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    shape: [usize; 3],
    side: usize,
}

impl ResidualSums {
    /// Starts without parts, for residuals of these shapes (C, h, w) with this many rows of cells.
    ///
    /// # Errors
    /// If the cells don't tile a level.
    fn new(shapes: &[[usize; 3]], cell_rows: usize) -> Result<Self, GaussiansError> {
        let level = |&shape: &[usize; 3]| Level { shape, side: shape[1] / cell_rows.max(1) };
        let levels: Vec<Level> = shapes.iter().map(level).collect();
        let sums = levels.iter().map(|Level { shape: [channels, rows, columns], side }| {
            Ok(GaussianSums::around_zero(Cells::new(*rows, *columns, *side)?, *channels, true))
        });
        let sums: Vec<GaussianSums> = sums.collect::<Result<_, GaussiansError>>()?;
        Ok(Self { levels, folds: vec![sums; FOLDS] })
    }

    /// Adds the residuals (N×C×h×w for each level) of images of the parts with these numbers.
    fn add(&mut self, residuals: &[Tensor], parts: &[usize]) {
        for (level, residuals) in residuals.iter().enumerate() {
            let vectors = to_array(&residuals.permute([0, 2, 3, 1])).data;
            for (vectors, part) in vectors.chunks_exact(vectors.len() / parts.len()).zip(parts) {
                self.folds[part % FOLDS][level].add(vectors);
            }
        }
    }

    /// Fits Gaussians to all parts, and to all but each fold. `None` if the residuals don't differ from part to part.
    fn finish(&self, device: Device) -> Option<CrossFitted> {
        let without = |fold: usize| self.fit(|other| other != fold);
        let folds: Option<Vec<Vec<ResidualGaussians>>> = (0..FOLDS).map(without).collect();
        let load =
            |levels: Vec<ResidualGaussians>| levels.iter().map(|gaussians| gaussians.load(device)).collect();
        Some(CrossFitted { all: self.fit(|_| true)?, folds: folds?.into_iter().map(load).collect() })
    }

    fn fit(&self, is_used: impl Fn(usize) -> bool) -> Option<Vec<ResidualGaussians>> {
        let level = |(index, &Level { shape, side }): (usize, &Level)| {
            let used = self.folds.iter().enumerate().filter(|(fold, _)| is_used(*fold));
            let mut sums = used.map(|(_, levels)| &levels[index]);
            let mut all = sums.next()?.clone();
            sums.for_each(|sums| all.merge(sums));
            let (by_position, whitening) = all.finish(SHRINKAGE, Some(TRUSTED));
            let [channels, rows, columns] = shape;
            let positions = rows * columns;
            let mean = (0..channels * positions)
                .map(|at| by_position[at % positions * channels + at / positions])
                .collect();
            let is_finite = whitening.iter().all(|factor| factor.is_finite());
            is_finite.then_some(ResidualGaussians { shape, side, mean, whitening })
        };
        self.levels.iter().enumerate().map(level).collect()
    }
}

/// Gaussians of all parts, and for each fold those of the other folds.
#[derive(Debug)]
pub struct CrossFitted {
    /// For each level, the Gaussians of all parts.
    pub all: Vec<ResidualGaussians>,
    /// For each fold and level, those of the other folds.
    folds: Vec<Vec<LoadedGaussians>>,
}

impl CrossFitted {
    /// Fits Gaussians to the residuals of the fit images and the selection images; `residuals_of` returns those of a batch, N×C×h×w for
    /// each level. `None` if they don't differ from part to part.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn fit(
        [fit, selection]: [&mut Samples; 2],
        residuals_of: impl Fn(&SampleBatch) -> Vec<Tensor>,
    ) -> Result<Option<Self>, TrainError> {
        let first = residuals_of(&fit.batch(&[0], Kind::Float)?);
        let shape = |residuals: &Tensor| [1, 2, 3].map(|axis| residuals.size()[axis] as usize);
        let shapes: Vec<[usize; 3]> = first.iter().map(shape).collect();
        let cell_rows = fit.input().height as usize / CELL;
        let mut sums = ResidualSums::new(&shapes, cell_rows).map_err(FitError::from)?;
        for_each_batch([fit, selection], |batch, parts| sums.add(&residuals_of(batch), parts))?;
        Ok(sums.finish(first.first().map_or(Device::Cpu, Tensor::device)))
    }

    /// Computes the distances of residuals (N×C×h×w for each level) of images of the parts with these numbers, each by the Gaussians
    /// of the other folds: N×1×h×w for each level.
    #[must_use]
    pub fn distances(&self, residuals: &[Tensor], parts: &[usize]) -> Vec<Tensor> {
        let level = |(level, residuals): (usize, &Tensor)| {
            let of = |(sample, part): (usize, &usize)| {
                self.folds[part % FOLDS][level].distances(&residuals.narrow(0, sample as i64, 1))
            };
            Tensor::cat(&parts.iter().enumerate().map(of).collect::<Vec<_>>(), 0)
        };
        residuals.iter().enumerate().map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [[usize; 3]; 2] = [[3, 4, 8], [2, 2, 4]];

    fn residuals(scale: f64) -> Vec<Tensor> {
        let level = |[c, h, w]: [usize; 3]| {
            let size = [1, c as i64, h as i64, w as i64];
            let residuals = Tensor::randn(size, (Kind::Float, Device::Cpu)) * scale;
            // The first channel varies ten times as much as the others.
            let _ = residuals.narrow(1, 0, 1).g_mul_scalar_(10.0);
            residuals
        };
        SHAPES.map(level).into()
    }

    #[test]
    fn good_parts_have_distances_around_1_and_small_unusual_residuals_large_ones() {
        tch::manual_seed(4);
        let parts: Vec<Vec<Tensor>> = (0..60).map(|_| residuals(0.1)).collect();
        let mut sums = ResidualSums::new(&SHAPES, 1).unwrap();
        parts.iter().enumerate().for_each(|(part, residuals)| sums.add(residuals, &[part]));
        let fitted = sums.finish(Device::Cpu).unwrap();
        let mean = |distances: &Tensor| distances.mean(Kind::Double).double_value(&[]);
        let mut usual = [0.0, 0.0];
        for (part, residuals) in parts.iter().enumerate() {
            for (sum, distances) in usual.iter_mut().zip(fitted.distances(residuals, &[part])) {
                *sum += mean(&distances) / parts.len() as f64;
            }
        }
        assert!(usual.iter().all(|distance| (0.7..1.3).contains(distance)), "{usual:?}");
        // Shorter than most residuals of good parts, but in a channel that hardly varies.
        let unusual = residuals(0.0);
        unusual.iter().for_each(|level| {
            let _ = level.narrow(1, 1, 1).g_add_scalar_(0.8);
        });
        for (level, gaussians) in fitted.all.iter().enumerate() {
            let distance = mean(&gaussians.load(Device::Cpu).distances(&unusual[level]));
            assert!(distance > 10.0 * usual[level], "{distance}");
        }
    }

    #[test]
    fn parts_that_do_not_differ_have_no_gaussians_and_cells_must_tile() {
        let mut sums = ResidualSums::new(&SHAPES, 1).unwrap();
        (0..6).for_each(|part| sums.add(&residuals(0.0), &[part]));
        assert!(sums.finish(Device::Cpu).is_none());
        assert!(ResidualSums::new(&SHAPES, 3).is_err());
    }
}
