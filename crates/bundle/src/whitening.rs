//! Turns a covariance into the factor that whitens vectors.

/// Returns Wᵀ with W = L⁻¹ and covariance = L Lᵀ: for a row vector v, |v Wᵀ|² = v Σ⁻¹ vᵀ.
///
/// `covariance` and the result are d × d, row-major. A direction without variance counts as having almost none.
#[must_use]
pub fn inverse_factor(covariance: &[f64], d: usize) -> Vec<f32> {
    inverse_factor_f64(covariance, d).iter().map(|&x| x as f32).collect()
}

/// Like [`inverse_factor`], in 64-bit floats.
#[must_use]
pub fn inverse_factor_f64(covariance: &[f64], d: usize) -> Vec<f64> {
    let mut lower = vec![0f64; d * d];
    for i in 0..d {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| lower[i * d + k] * lower[j * d + k]).sum();
            let rest = covariance[i * d + j] - inner;
            lower[i * d + j] =
                if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / lower[j * d + j] };
        }
    }
    let mut inverse = vec![0f64; d * d];
    for row in 0..d {
        let (before, from) = inverse.split_at_mut(row * d);
        let out = &mut from[..d];
        for (k, above) in before.chunks_exact(d).enumerate() {
            let factor = lower[row * d + k];
            out[..=k].iter_mut().zip(above).for_each(|(sum, x)| *sum += factor * x);
        }
        for (column, x) in out[..=row].iter_mut().enumerate() {
            let one = if row == column { 1.0 } else { 0.0 };
            *x = (one - *x) / lower[row * d + row];
        }
    }
    (0..d * d).map(|i| inverse[(i % d) * d + i / d]).collect()
}
