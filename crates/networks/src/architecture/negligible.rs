//! Weights that training left at next to nothing.

/// Below this share of the largest value a weight is far below what rounding takes off the others' sum.
const NEGLIGIBLE: f32 = 1e-12;

/// The values of a convolution's weight or bias, 0 for those that are negligible beside the largest.
///
/// Weight decay takes what a unit that never fires weighs towards 0, and at last among the subnormal numbers, with which
/// processors compute up to a hundred times more slowly than with all others.
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
        // Where all are small they are small together, but never subnormal.
        assert_eq!(without_negligible(&[1e-30, 2e-38, 1e-39]), [1e-30f32, 2e-38, 0.0]);
        assert!(without_negligible(&[]).is_empty());
    }
}
