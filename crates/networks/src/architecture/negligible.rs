//! Removes weights that training left close to 0.

/// A weight below this share of the largest value is far smaller than the rounding error of the others' sum.
const NEGLIGIBLE: f32 = 1e-12;

/// Returns the values of a convolution's weight or bias, with 0 for those that are negligible beside the largest.
///
/// Weight decay drives the weights of a unit that never fires towards 0, and eventually into the subnormal numbers,
/// which processors compute with up to a hundred times more slowly.
#[must_use]
pub fn without_negligible(values: &[f32]) -> Vec<f32> {
    let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let least = (NEGLIGIBLE * largest).max(f32::MIN_POSITIVE);
    values.iter().map(|&x| if x.abs() < least { 0.0 } else { x }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_far_below_the_largest_goes() {
        let kept = [0.5f32, -2.0, 1e-11, -3e-12, 0.0];
        assert_eq!(without_negligible(&kept), kept);
        assert_eq!(without_negligible(&[2.0, 1e-12, -1e-13, 1e-40, f32::NAN])[..4], [2.0f32, 0.0, 0.0, 0.0]);
        assert!(without_negligible(&[1.0, f32::NAN])[1].is_nan());
        // If all are small, they are kept, except for subnormal ones.
        assert_eq!(without_negligible(&[1e-30, 2e-38, 1e-39]), [1e-30f32, 2e-38, 0.0]);
        assert!(without_negligible(&[]).is_empty());
    }
}
