//! How fast a step learns.

/// The official recipe's learning rate …
const RATE: f64 = 0.4;
/// … and, ours, a linear warm-up over this share of the steps, then a cosine down to 0: a fixed length needs no luck
/// with the last step.
const WARM_UP: f64 = 0.05;

/// Linear warm-up, then half a cosine down to 0.
pub fn rate(step: u64, total: u64) -> f64 {
    let at = step as f64 / total as f64;
    let warm_up = (at + 1.0 / total as f64) / WARM_UP;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * (at - WARM_UP).max(0.0) / (1.0 - WARM_UP)).cos());
    RATE * warm_up.min(1.0) * cosine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        assert!(rate(0, 400) < 0.1 * RATE);
        assert!((rate(20, 400) - RATE).abs() < 0.01 * RATE);
        assert!(rate(399, 400) < 1e-3 * RATE);
    }
}
