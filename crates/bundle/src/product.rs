//! Tells another product from a defect.
//!
//! A defect, even a large one, leaves much of a part as it was; another product is unlike good parts nearly everywhere. So the lower
//! quartile of the anomaly map is compared with those of good parts that the model hasn't seen.

/// The limit is at least this share of itself above the largest quartile of the good parts …
const ABOVE_LARGEST: f32 = 0.25;
/// … and this many times their median quartile.
const OF_MEDIAN: f32 = 2.0;

/// Returns the limit for the lower quartile of a frame's map, given those of good parts; `None` without any.
#[must_use]
pub fn product_limit(quartiles: &[f32]) -> Option<f32> {
    let mut ascending = quartiles.to_vec();
    ascending.sort_by(f32::total_cmp);
    let (largest, median) = (*ascending.last()?, *ascending.get(ascending.len() / 2)?);
    Some((largest + ABOVE_LARGEST * largest.abs()).max(OF_MEDIAN * median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_good_part_comes_near_the_limit() {
        // Similar parts: twice what is usual.
        assert_eq!(product_limit(&[1.25, 0.75, 1.0]), Some(2.0));
        // An odd part among them stays below.
        assert_eq!(product_limit(&[1.0, 4.0, 1.0, 1.0]), Some(5.0));
        // A map of a third-party model may have any range.
        assert_eq!(product_limit(&[-4.0, -2.0, -3.0]), Some(-1.5));
        assert_eq!(product_limit(&[]), None);
    }
}
