//! Computes the features that a small network learns: a backbone's two levels, combined as in PatchCore's code, with fewer channels.

use tch::{Device, Kind, Tensor};

/// Number of channels that each level's patches are averaged to, before both together are averaged to the outputs.
const BETWEEN: i64 = 1024;

/// Projects two levels to the target. All steps of PatchCore's code (3×3 patches; averages of neighbouring
/// channels, twice) are linear in each position's patch, so they are one convolution per level.
#[derive(Debug)]
pub struct TargetProjection {
    kernels: [Tensor; 2],
}

impl TargetProjection {
    /// Creates the projection for levels with these numbers of channels.
    #[must_use]
    pub fn new(channels: [i64; 2], outputs: i64, device: Device) -> Self {
        let mut index = 0;
        let kernels = channels.map(|channels| {
            // One row for each of a patch's values: its contribution to each output.
            let average = |rows: &Tensor, to: i64| rows.unsqueeze(1).adaptive_avg_pool1d([to]).squeeze_dim(1);
            let patch = 9 * channels;
            let level = average(&Tensor::eye(patch, (Kind::Float, Device::Cpu)), BETWEEN);
            let other = level.zeros_like();
            let both = if index == 0 { [level, other] } else { [other, level] };
            index += 1;
            let rows = average(&Tensor::cat(&both, 1), outputs);
            rows.transpose(0, 1).contiguous().reshape([outputs, channels, 3, 3]).to_device(device)
        });
        Self { kernels }
    }

    /// Computes the target, N×outputs on the finer level's grid, in 32-bit floats.
    pub fn apply(&self, fine: &Tensor, coarse: &Tensor) -> Tensor {
        let [fine, coarse] = [(fine, &self.kernels[0]), (coarse, &self.kernels[1])].map(|(level, kernel)| {
            level.to_kind(Kind::Float).conv2d(kernel, None::<Tensor>, [1, 1], [1, 1], [1, 1], 1)
        });
        let grid = [fine.size()[2], fine.size()[3]];
        fine + coarse.upsample_bilinear2d(grid, false, None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the target as PatchCore's code does, step by step.
    fn step_by_step(fine: &Tensor, coarse: &Tensor, outputs: i64) -> Tensor {
        let grid = [fine.size()[2], fine.size()[3]];
        let patches = |level: &Tensor| {
            let (n, height, width) = (level.size()[0], level.size()[2], level.size()[3]);
            let unfolded = level.im2col([3, 3], [1, 1], [1, 1], [1, 1]).reshape([n, -1, height, width]);
            let resized = unfolded.upsample_bilinear2d(grid, false, None, None);
            resized.permute([0, 2, 3, 1]).reshape([n * grid[0] * grid[1], 1, -1])
        };
        let [fine_patches, coarse_patches] =
            [fine, coarse].map(|level| patches(level).adaptive_avg_pool1d([BETWEEN]));
        let both = Tensor::cat(&[fine_patches, coarse_patches], 2).adaptive_avg_pool1d([outputs]);
        both.reshape([fine.size()[0], grid[0], grid[1], outputs]).permute([0, 3, 1, 2])
    }

    #[test]
    fn one_convolution_a_level_is_all_of_it() {
        tch::set_num_threads(1);
        tch::manual_seed(1);
        let [fine, coarse] =
            [[2, 5, 8, 12], [2, 150, 4, 6]].map(|shape| Tensor::randn(shape, (Kind::Float, Device::Cpu)));
        let target = TargetProjection::new([5, 150], 96, Device::Cpu).apply(&fine, &coarse);
        let expected = step_by_step(&fine, &coarse, 96);
        assert_eq!(target.size(), [2, 96, 8, 12]);
        let difference = (&target - &expected).abs().max().double_value(&[]);
        assert!(difference < 1e-5 * expected.abs().max().double_value(&[]), "{difference:e}");
    }
}
