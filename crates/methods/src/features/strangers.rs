//! Parts that look unlike the others: of another product, upside down, or no part at all.

use super::extract::FeatureError;
use super::set::FeatureSet;

/// A part is unlike the others when its mean feature is farther from their median than this many times the median part's.
const TIMES: f64 = 4.0;
/// Distances below this share of the features' own size are rounding noise: the pictures are the same.
const SAME: f64 = 1e-4;

/// What the mean features of parts say of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// Indices of the images that look unlike the others.
    pub strangers: Vec<usize>,
    /// Whether all images show the same picture.
    pub identical: bool,
}

/// Compares the mean features of the images at `indices`.
///
/// # Errors
/// See [`FeatureError`].
pub fn likeness(set: &mut FeatureSet, indices: &[usize]) -> Result<Likeness, FeatureError> {
    let mut means = vec![];
    for &index in indices {
        means.push(set.mean_of(index)?.to_vec());
    }
    Ok(compare(&means, indices))
}

fn compare(means: &[Vec<f64>], indices: &[usize]) -> Likeness {
    let channels = means.first().map_or(0, Vec::len);
    let centre: Vec<f64> =
        (0..channels).map(|c| median(means.iter().map(|mean| mean[c]).collect())).collect();
    let distance =
        |mean: &Vec<f64>| mean.iter().zip(&centre).map(|(x, c)| (x - c).powi(2)).sum::<f64>().sqrt();
    let distances: Vec<f64> = means.iter().map(distance).collect();
    let size = centre.iter().map(|x| x * x).sum::<f64>().sqrt();
    let typical = median(distances.clone()).max(SAME * size);
    let far = |&(_, &d): &(&usize, &f64)| d > TIMES * typical;
    Likeness {
        strangers: indices.iter().zip(&distances).filter(far).map(|(&index, _)| index).collect(),
        identical: distances.iter().all(|&d| d <= SAME * size),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::seeded::Seeded;

    fn parts(count: usize, centre: f64) -> Vec<Vec<f64>> {
        let mut random = Seeded::new(3, centre as u64);
        let mut draw = move || random.below(2001) as f64 / 1000.0 - 1.0;
        (0..count).map(|_| (0..20).map(|_| centre + draw()).collect()).collect()
    }

    #[test]
    fn another_product_is_noticed_and_good_parts_are_not() {
        let good = parts(40, 10.0);
        let all: Vec<usize> = (0..40).collect();
        assert_eq!(compare(&good, &all), Likeness { strangers: vec![], identical: false });
        let mixed = [good, parts(3, 20.0)].concat();
        let all: Vec<usize> = (0..43).collect();
        assert_eq!(compare(&mixed, &all).strangers, [40, 41, 42]);
    }

    #[test]
    fn the_same_picture_again_and_again() {
        let same = vec![vec![1.0, 2.0, 3.0]; 6];
        let found = compare(&same, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(found, Likeness { strangers: vec![], identical: true });
    }
}
