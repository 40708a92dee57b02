//! Reduces channels independently of the data.

use crate::features::Projection;
use bundle::seeded::Seeded;
use serde::{Deserialize, Serialize};

const STREAM: u64 = 0xad1;

/// How features are reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// Random orthonormal directions (Kim et al.: *Semi-orthogonal Embedding for Efficient Unsupervised Anomaly
    /// Segmentation*, 2021).
    Orthogonal,
    /// Random channels: the paper's choice.
    Random,
}

/// Returns a reduction from `channels` to at most `outputs`, chosen by the seed.
#[must_use]
pub fn reduce(kind: Reduction, channels: usize, outputs: usize, seed: u64) -> Projection {
    let outputs = outputs.min(channels);
    let mut random = Seeded::new(seed, STREAM);
    let matrix = match kind {
        Reduction::Orthogonal => Projection::orthonormal(channels, outputs, &mut random),
        Reduction::Random => {
            let mut order: Vec<usize> = (0..channels).collect();
            random.shuffle(&mut order);
            let mut matrix = vec![0.0; outputs * channels];
            order.iter().take(outputs).enumerate().for_each(|(row, &at)| matrix[row * channels + at] = 1.0);
            matrix
        }
    };
    Projection { outputs, mean: vec![0.0; channels], matrix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_orthonormal() {
        for kind in [Reduction::Orthogonal, Reduction::Random] {
            let p = reduce(kind, 30, 7, 1);
            for a in 0..7 {
                for b in 0..7 {
                    let row = |i: usize| &p.matrix[30 * i..30 * (i + 1)];
                    let product: f32 = row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum();
                    assert!((product - if a == b { 1.0 } else { 0.0 }).abs() < 1e-5, "{kind:?} {a} {b}");
                }
            }
            assert_eq!(reduce(kind, 4, 9, 1).outputs, 4);
            assert_ne!(reduce(kind, 30, 7, 1), reduce(kind, 30, 7, 2));
        }
    }
}
