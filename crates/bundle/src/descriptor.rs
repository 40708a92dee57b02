//! Fits a [`Descriptor`] to the features of normals.

use shared_format::Descriptor;
use shared_format::image_score::FEATURES;

use crate::whitening::inverse_factor;

/// Minimum number of normals for a covariance of [`FEATURES`] features.
pub const MIN_NORMALS: usize = 2 * FEATURES;
/// Weight of the diagonal in the covariance, in normals: few normals say little about how features correlate.
const SHRINKAGE: f64 = FEATURES as f64;
/// Minimum deviation of a feature, as a share of its largest value: a feature that never varies must not decide alone.
const MIN_DEVIATION: f64 = 1e-3;

/// Why a descriptor can't be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// Too few normals.
    #[error(
        "the descriptor needs {MIN_NORMALS} normals used neither for training nor for calibration, but there are {0}; train with more images, or let the model give the score"
    )]
    TooFew(usize),
    /// The normals' features are all equal, or not finite.
    #[error(
        "the normals' anomaly maps are all alike, so no descriptor can be fitted; let the model give the score"
    )]
    Degenerate,
}

/// Fits a Gaussian to the features of normals, each computed by [`judge::image_score::features`].
///
/// The covariance is Σ = n/(n+8)·S + 8/(n+8)·diag(S), following Ledoit and Wolf: it is shrunk towards a matrix that few
/// samples estimate well. W is the inverse of its Cholesky factor.
///
/// # Errors
/// [`DescriptorError`] if there are too few normals or they are all alike.
pub fn fit(normals: &[[f32; FEATURES]]) -> Result<Descriptor, DescriptorError> {
    if normals.len() < MIN_NORMALS {
        return Err(DescriptorError::TooFew(normals.len()));
    }
    let count = normals.len() as f64;
    let mut mean = [0.0; FEATURES];
    for features in normals {
        (0..FEATURES).for_each(|i| mean[i] += f64::from(features[i]) / count);
    }
    let mut covariance = vec![0.0; FEATURES * FEATURES];
    for features in normals {
        let centred: [f64; FEATURES] = std::array::from_fn(|i| f64::from(features[i]) - mean[i]);
        for (row, a) in covariance.chunks_exact_mut(FEATURES).zip(&centred) {
            row.iter_mut().zip(&centred).for_each(|(c, b)| *c += a * b / (count - 1.0));
        }
    }
    let largest: [f64; FEATURES] = std::array::from_fn(|i| {
        normals.iter().map(|f| f64::from(f[i]).abs()).fold(f64::MIN_POSITIVE, f64::max)
    });
    let deviations = covariance.iter().step_by(FEATURES + 1).map(|variance| variance.sqrt());
    // Anything that rounding alone could cause doesn't count as a deviation.
    if deviations.zip(&largest).all(|(deviation, largest)| deviation <= f64::from(f32::EPSILON) * largest) {
        return Err(DescriptorError::Degenerate);
    }
    for (i, row) in covariance.chunks_exact_mut(FEATURES).enumerate() {
        let variance = row[i];
        row.iter_mut().for_each(|c| *c *= count / (count + SHRINKAGE));
        row[i] = variance + (MIN_DEVIATION * largest[i]).powi(2);
    }
    let transposed = inverse_factor(&covariance, FEATURES);
    if transposed.iter().any(|x| !x.is_finite()) {
        return Err(DescriptorError::Degenerate);
    }
    let whitening =
        std::array::from_fn(|row| std::array::from_fn(|column| transposed[column * FEATURES + row]));
    Ok(Descriptor { mean: mean.map(|x| x as f32), whitening })
}

#[cfg(test)]
mod tests {
    use judge::image_score::distance;

    use super::*;
    use crate::seeded::Seeded;

    /// Returns a sum of twelve uniform numbers, which is close to a Gaussian of deviation 1.
    fn gaussian(random: &mut Seeded) -> f32 {
        (0..12).map(|_| random.below(1 << 20) as f32 / (1 << 20) as f32).sum::<f32>() - 6.0
    }

    /// Returns correlated features at very different scales.
    fn normals(count: usize, seed: u64) -> Vec<[f32; FEATURES]> {
        let mut random = Seeded::new(seed, 0);
        let mut normal = || {
            let common = gaussian(&mut random);
            std::array::from_fn(|i| 10f32.powi(i as i32 - 4) * (5.0 + common + 0.5 * gaussian(&mut random)))
        };
        (0..count).map(|_| normal()).collect()
    }

    #[test]
    fn distances_of_new_normals_are_those_of_a_gaussian() {
        let descriptor = fit(&normals(2000, 1)).unwrap();
        let squares =
            normals(2000, 2).iter().map(|f| f64::from(distance(&descriptor, f)).powi(2)).sum::<f64>();
        // The mean of a χ² with 8 degrees of freedom is 8.
        assert!((squares / 2000.0 - 8.0).abs() < 0.4, "{}", squares / 2000.0);
    }

    #[test]
    fn what_breaks_the_common_movement_is_far_though_each_feature_is_usual() {
        let descriptor = fit(&normals(500, 1)).unwrap();
        let at = |deviations: [f32; FEATURES]| {
            distance(&descriptor, &std::array::from_fn(|i| 10f32.powi(i as i32 - 4) * (5.0 + deviations[i])))
        };
        assert!(at([2.0; FEATURES]) < 4.0);
        assert!(at([2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 2.0, -2.0]) > 8.0);
    }

    #[test]
    fn a_feature_that_never_moves_does_not_decide_alone() {
        let mut still = normals(50, 3);
        still.iter_mut().for_each(|f| f[0] = 1.0);
        let descriptor = fit(&still).unwrap();
        let mut moved = still[0];
        let before = distance(&descriptor, &moved);
        moved[0] = 1.0001;
        assert!((distance(&descriptor, &moved) - before).abs() < 0.1);
    }

    #[test]
    fn few_and_identical_normals_are_refused_with_what_to_do() {
        assert_eq!(fit(&normals(15, 1)), Err(DescriptorError::TooFew(15)));
        assert_eq!(fit(&[[1.0; FEATURES]; 40]), Err(DescriptorError::Degenerate));
        for error in [DescriptorError::TooFew(1), DescriptorError::Degenerate] {
            assert!(error.to_string().contains("let the model give the score"));
        }
    }
}
