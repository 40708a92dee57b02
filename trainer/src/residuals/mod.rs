//! How far a student's residuals are from those of good parts.
//!
//! A residual is what the teacher's features differ from the student's. Good parts have residuals, too, and they are not alike: at an
//! edge, or in a channel that follows the light, the student is often wrong by as much as a crack differs. So a residual isn't judged by its
//! length but by its Mahalanobis distance from the good parts' residuals at the same position: the local Gaussians of the default
//! method, of residuals instead of features (Mahalanobis distances of features: Defard et al.: *PaDiM*, 2021).
//!
//! | file | purpose |
//! |---|---|
//! | `fit.rs` | good parts' residuals → Gaussians, and each part's distances by Gaussians of the others |
//! | `graph.rs` | the distances in an exported model |
//! | `state.rs` | the Gaussians as named arrays |

mod fit;
mod graph;
mod state;

pub use fit::CrossFitted;

use tch::{Device, Kind, Tensor};

/// Side in pixels of the input of the squares whose positions share a covariance. An input's sides are multiples of it.
pub const CELL: usize = 32;

/// A Gaussian of the residuals at each position of a level: a mean for each position, a covariance for each cell of `side` × `side`
/// positions.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualGaussians {
    /// Channels, rows and columns of the level.
    pub shape: [usize; 3],
    /// Positions on a cell's side; cells tile the level.
    pub side: usize,
    /// The mean residual, channels × rows × columns.
    pub mean: Vec<f32>,
    /// For each cell, row by row, the factor that whitens a row vector: cells × channels × channels.
    pub whitening: Vec<f32>,
}

impl ResidualGaussians {
    /// Returns the numbers of rows and columns of cells.
    #[must_use]
    pub const fn cells(&self) -> [usize; 2] {
        [self.shape[1] / self.side, self.shape[2] / self.side]
    }

    /// Loads them into libtorch.
    #[must_use]
    pub fn load(&self, device: Device) -> LoadedGaussians {
        let [channels, rows, columns] = self.shape.map(|n| n as i64);
        let load =
            |values: &[f32], shape: [i64; 3]| Tensor::from_slice(values).reshape(shape).to_device(device);
        let cells = self.cells().map(|n| n as i64);
        LoadedGaussians {
            side: self.side as i64,
            cells,
            mean: load(&self.mean, [channels, rows, columns]),
            whitening: load(&self.whitening, [cells[0] * cells[1], channels, channels]),
        }
    }
}

/// [`ResidualGaussians`] in libtorch.
#[derive(Debug)]
pub struct LoadedGaussians {
    side: i64,
    cells: [i64; 2],
    mean: Tensor,
    whitening: Tensor,
}

impl LoadedGaussians {
    /// Computes the squared Mahalanobis distances of residuals (N×C×h×w) divided by C, so that they are about 1 on good parts: N×1×h×w, in
    /// 32-bit floats.
    pub fn distances(&self, residuals: &Tensor) -> Tensor {
        let (side, [cell_rows, cell_columns]) = (self.side, self.cells);
        let centred = residuals.to_kind(Kind::Float) - &self.mean;
        let (samples, channels) = (centred.size()[0], centred.size()[1]);
        let by_cell = centred
            .reshape([samples, channels, cell_rows, side, cell_columns, side])
            .permute([2, 4, 0, 3, 5, 1])
            .reshape([cell_rows * cell_columns, samples * side * side, channels]);
        let squares = by_cell.matmul(&self.whitening).square();
        squares
            .mean_dim([2i64].as_slice(), false, Kind::Float)
            .reshape([cell_rows, cell_columns, samples, side, side])
            .permute([2, 0, 3, 1, 4])
            .reshape([samples, 1, cell_rows * side, cell_columns * side])
    }
}

#[cfg(test)]
mod tests {
    use networks::onnx::GraphBuilder;

    use super::*;
    use crate::torch::to_array;

    /// Two channels on 4 × 6 positions in cells of 2 × 2.
    fn gaussians() -> ResidualGaussians {
        let values = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect();
        ResidualGaussians { shape: [2, 4, 6], side: 2, mean: values(48, 0.7), whitening: values(6 * 4, 1.3) }
    }

    #[test]
    fn a_position_is_whitened_by_its_own_cell() {
        let gaussians = gaussians();
        let residuals = Tensor::arange(96, (Kind::Float, Device::Cpu)).cos().reshape([2, 2, 4, 6]);
        let distances = gaussians.load(Device::Cpu).distances(&residuals);
        assert_eq!(distances.size(), [2, 1, 4, 6]);
        for (sample, row, column) in [(0, 0, 0), (0, 1, 3), (1, 2, 5), (1, 3, 1)] {
            let at = |channel: usize| (channel * 4 + row) * 6 + column;
            let seen = |channel: usize| {
                let place = [sample, channel, row, column].map(|n| n as i64);
                residuals.double_value(&place) - f64::from(gaussians.mean[at(channel)])
            };
            let cell = row / 2 * 3 + column / 2;
            let factor = |i: usize, j: usize| f64::from(gaussians.whitening[cell * 4 + i * 2 + j]);
            let white = [0, 1].map(|j| seen(0) * factor(0, j) + seen(1) * factor(1, j));
            let expected = (white[0] * white[0] + white[1] * white[1]) / 2.0;
            let ours = distances.double_value(&[sample as i64, 0, row as i64, column as i64]);
            assert!((ours - expected).abs() < 1e-5, "{ours} {expected}");
        }
    }

    #[test]
    fn the_exported_model_computes_the_same() {
        let gaussians = gaussians();
        let mut graph = GraphBuilder::new("residuals");
        let image = graph.input("image", &[1, 2, 4, 6]);
        let distances = gaussians.add(&mut graph, &image, "level");
        graph.output("anomaly_map", &distances);
        let mut network = judge::Network::load(&graph.finish(), [1, 2, 4, 6], &["anomaly_map"], 1).unwrap();
        let residuals = Tensor::arange(48, (Kind::Float, Device::Cpu)).cos().reshape([1, 2, 4, 6]);
        let ours = network.run(&to_array(&residuals).data).unwrap();
        let expected = to_array(&gaussians.load(Device::Cpu).distances(&residuals)).data;
        assert!(ours[0].iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{ours:?} {expected:?}");
    }
}
