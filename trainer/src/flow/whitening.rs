//! The fixed first step of a flow: channels with mean 0, deviation 1 and no correlation on good parts.

use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use crate::method::TrainError;
use crate::progress;
use crate::samples::Samples;
use crate::torch::{load_tensor, to_array};

/// This share of the mean variance is added to every direction's, as in PaDiM here: the smallest variances are those of noise.
const SHRINKAGE: f64 = 0.01;
/// Minimum variance: all images may have the same single colour.
const VARIANCE_FLOOR: f64 = 1e-10;

/// x ↦ W x + o at every position.
#[derive(Debug)]
pub struct Whitening {
    /// W, channels × channels.
    pub matrix: Tensor,
    /// o, one value for each channel.
    pub offset: Tensor,
}

/// Sums over positions.
struct Sums {
    positions: f64,
    /// Of the features, channels × 1.
    first: Tensor,
    /// Of their products, channels × channels.
    second: Tensor,
}

impl Whitening {
    /// Creates one that changes nothing.
    #[must_use]
    pub fn identity(channels: usize, kind: Kind, device: Device) -> Self {
        let channels = channels as i64;
        Self {
            matrix: Tensor::eye(channels, (kind, device)),
            offset: Tensor::zeros([channels], (kind, device)),
        }
    }

    /// Measures these features, N×C×h×w.
    #[must_use]
    pub fn of(features: &Tensor) -> Self {
        Sums::of(features).whitening(features.kind(), features.device())
    }

    /// Measures each level of the teacher on the fit images; returns `None` if a stop was requested.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn measured(fit: &mut Samples, device: Device) -> Result<Option<Vec<Self>>, TrainError> {
        let count = fit.count();
        let bar = progress::bar(count as u64, "Teacher's channels");
        let mut levels: Vec<Sums> = vec![];
        for index in 0..count {
            if progress::stop_requested() {
                return Ok(None);
            }
            for (at, features) in fit.batch(&[index], Kind::Float)?.targets.iter().enumerate() {
                let sums = Sums::of(features);
                match levels.get_mut(at) {
                    Some(known) => known.add(&sums),
                    None => levels.push(sums),
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Some(levels.iter().map(|sums| sums.whitening(Kind::Float, device)).collect()))
    }

    /// Transforms x, N×C×h×w.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let weight = self.matrix.unsqueeze(-1).unsqueeze(-1);
        x.to_kind(self.matrix.kind()).conv2d(&weight, Some(&self.offset), [1, 1], [0, 0], [1, 1], 1)
    }

    /// Adds it to `state`, its names prefixed with `prefix`.
    pub fn add_to(&self, state: &mut Weights, prefix: &str) {
        state.insert(format!("{prefix}matrix"), to_array(&self.matrix));
        state.insert(format!("{prefix}offset"), to_array(&self.offset));
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights, prefix: &str) -> Result<(), StateError> {
        load_tensor(state, &format!("{prefix}matrix"), &mut self.matrix)?;
        load_tensor(state, &format!("{prefix}offset"), &mut self.offset)
    }
}

impl Sums {
    /// Adds up the positions of features, N×C×h×w.
    fn of(features: &Tensor) -> Self {
        let size = features.size();
        let values = features
            .to_device(Device::Cpu)
            .to_kind(Kind::Double)
            .permute([1, 0, 2, 3])
            .reshape([size[1], -1]);
        Self {
            positions: (size[0] * size[2] * size[3]) as f64,
            first: values.sum_dim_intlist([1i64].as_slice(), true, Kind::Double),
            second: values.matmul(&values.tr()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.positions += other.positions;
        self.first += &other.first;
        self.second += &other.second;
    }

    /// Returns the whitening: Λ^(−1/2) Vᵀ (x − m), with V and Λ the covariance's eigenvectors and eigenvalues.
    fn whitening(&self, kind: Kind, device: Device) -> Whitening {
        let mean = &self.first / self.positions;
        let covariance = &self.second / self.positions - mean.matmul(&mean.tr());
        let (variances, vectors) = covariance.linalg_eigh("L");
        let variances = variances.clamp_min(0.0);
        let shrunk = &variances + variances.mean(Kind::Double) * SHRINKAGE;
        let matrix = vectors.tr() / shrunk.clamp_min(VARIANCE_FLOOR).sqrt().unsqueeze(1);
        let offset = -matrix.matmul(&mean).squeeze_dim(1);
        Whitening {
            matrix: matrix.to_kind(kind).to_device(device).contiguous(),
            offset: offset.to_kind(kind).to_device(device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_out_uncorrelated_with_deviation_1() {
        tch::manual_seed(5);
        let independent = Tensor::randn([6, 4, 16, 16], (Kind::Double, Device::Cpu));
        let mixing = Tensor::randn([4, 4, 1, 1], (Kind::Double, Device::Cpu));
        let features = independent.conv2d(&mixing, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1) + 3.0;
        let mut sums = Sums::of(&features.narrow(0, 0, 2));
        sums.add(&Sums::of(&features.narrow(0, 2, 4)));
        let whitening = sums.whitening(Kind::Double, Device::Cpu);
        let white = Sums::of(&whitening.forward(&features));
        let mean = (&white.first / white.positions).abs().max().double_value(&[]);
        assert!(mean < 1e-9, "{mean:e}");
        let covariance = &white.second / white.positions;
        let off_diagonal = (&covariance - covariance.diag(0).diag(0)).abs().max().double_value(&[]);
        assert!(off_diagonal < 1e-9, "{off_diagonal:e}");
        // Shrinkage leaves the largest direction nearly at deviation 1 and none above it.
        let largest = covariance.diag(0).max().double_value(&[]);
        assert!((0.95..=1.0).contains(&largest), "{largest}");
    }

    #[test]
    fn a_picture_of_one_colour_stays_finite() {
        let features = Tensor::ones([2, 3, 4, 4], (Kind::Float, Device::Cpu)) * 0.7;
        let white = Whitening::of(&features).forward(&features);
        assert!(white.abs().max().double_value(&[]) < 1.0);
    }
}
