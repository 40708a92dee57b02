//! Finds parts that look unlike the others: another product, a part upside down, or no part at all.

use super::extract::FeatureError;
use super::set::FeatureSet;

/// A part is unlike the others if its mean feature is farther from their median than this many times the median distance.
const OUTLIER_RATIO: f64 = 4.0;
/// Two groups of parts are two products if their centres are this many times as far apart as parts are from their own centre.
/// The ratio is at most 1.7 on eight sets of one product each, and at least 3.2 on all mixtures of two of them.
const MIN_SEPARATION: f64 = 2.5;
/// Minimum number of parts in a group.
const MIN_GROUP: usize = 2;
/// A group of at most this many parts, all of them outliers, is reported part by part.
const MAX_SINGLE_OUTLIERS: usize = 5;
/// Rounds of Lloyd's algorithm.
const ROUNDS: usize = 10;
/// Distances below this share of the features' magnitude are rounding noise: the images are the same.
const ROUNDING_NOISE: f64 = 1e-4;

/// What the mean features of parts reveal.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierReport {
    /// Indices of the images that look unlike the others.
    pub outliers: Vec<usize>,
    /// Indices of the images of the smaller group, if there are two groups that look like two products; these then don't count
    /// as outliers.
    pub second_group: Vec<usize>,
    /// Whether all images are the same.
    pub identical: bool,
}

/// Compares the mean features of the images at `indices`.
///
/// # Errors
/// See [`FeatureError`].
pub fn find_outliers(set: &mut FeatureSet, indices: &[usize]) -> Result<OutlierReport, FeatureError> {
    let mut means = vec![];
    for &index in indices {
        means.push(set.mean_of(index)?.to_vec());
    }
    Ok(compare(&means, indices))
}

fn compare(means: &[Vec<f64>], indices: &[usize]) -> OutlierReport {
    let channels = means.first().map_or(0, Vec::len);
    let centre: Vec<f64> =
        (0..channels).map(|c| median(means.iter().map(|mean| mean[c]).collect())).collect();
    let distances: Vec<f64> = means.iter().map(|mean| distance(mean, &centre)).collect();
    let size = centre.iter().map(|x| x * x).sum::<f64>().sqrt();
    let typical = median(distances.clone()).max(ROUNDING_NOISE * size);
    let far = |&(_, &d): &(&usize, &f64)| d > OUTLIER_RATIO * typical;
    let mut outliers: Vec<usize> =
        indices.iter().zip(&distances).filter(far).map(|(&index, _)| index).collect();
    let group = second_group(means, &distances, ROUNDING_NOISE * size);
    let mut second_group: Vec<usize> = group.iter().map(|&at| indices[at]).collect();
    if second_group.len() <= MAX_SINGLE_OUTLIERS && second_group.iter().all(|index| outliers.contains(index))
    {
        second_group.clear();
    }
    outliers.retain(|index| !second_group.contains(index));
    OutlierReport { outliers, second_group, identical: distances.iter().all(|&d| d <= ROUNDING_NOISE * size) }
}

/// Returns the smaller of two groups that are far apart, by 2-means (Lloyd), starting from the image farthest from the common
/// centre and the image farthest from that one. Distances below `min_distance` are rounding noise.
fn second_group(means: &[Vec<f64>], from_centre: &[f64], min_distance: f64) -> Vec<usize> {
    let farthest = |distances: &[f64]| {
        let indexed = distances.iter().enumerate();
        indexed.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
    };
    let Some(first) = means.get(farthest(from_centre)) else { return vec![] };
    let from_first: Vec<f64> = means.iter().map(|mean| distance(mean, first)).collect();
    let mut centres = [first.clone(), means[farthest(&from_first)].clone()];
    let mut groups = [vec![], vec![]];
    for _ in 0..ROUNDS {
        groups = [vec![], vec![]];
        for (index, mean) in means.iter().enumerate() {
            let second = distance(mean, &centres[1]) < distance(mean, &centres[0]);
            groups[usize::from(second)].push(index);
        }
        if groups.iter().any(|group| group.len() < MIN_GROUP) {
            return vec![];
        }
        centres = [0, 1].map(|group| average(means, &groups[group]));
    }
    let radius = |group: usize| {
        let squares = groups[group].iter().map(|&index| distance(&means[index], &centres[group]).powi(2));
        (squares.sum::<f64>() / groups[group].len() as f64).sqrt()
    };
    let separated =
        distance(&centres[0], &centres[1]) > MIN_SEPARATION * radius(0).max(radius(1)).max(min_distance);
    let [first, second] = groups;
    match (separated, first.len() < second.len()) {
        (false, _) => vec![],
        (true, true) => first,
        (true, false) => second,
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

fn average(means: &[Vec<f64>], members: &[usize]) -> Vec<f64> {
    let channels = means.first().map_or(0, Vec::len);
    let sum = |channel: usize| members.iter().map(|&index| means[index][channel]).sum::<f64>();
    (0..channels).map(|channel| sum(channel) / members.len().max(1) as f64).collect()
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
        assert_eq!(
            compare(&good, &all),
            OutlierReport { outliers: vec![], second_group: vec![], identical: false }
        );
        let mixed = [good, parts(3, 20.0)].concat();
        let all: Vec<usize> = (0..43).collect();
        let found = compare(&mixed, &all);
        assert_eq!((found.outliers, found.second_group), (vec![40, 41, 42], vec![]));
    }

    #[test]
    fn half_of_another_product_is_a_group_and_one_product_is_none() {
        let mixed = [parts(20, 10.0), parts(18, 20.0)].concat();
        let all: Vec<usize> = (100..138).collect();
        assert_eq!(compare(&mixed, &all).second_group, (120..138).collect::<Vec<_>>());
        // One product whose light drifts from first to last.
        let mut drifting = parts(40, 10.0);
        for (at, mean) in drifting.iter_mut().enumerate() {
            mean.iter_mut().for_each(|x| *x += at as f64 / 20.0);
        }
        let all: Vec<usize> = (0..40).collect();
        assert!(compare(&drifting, &all).second_group.is_empty());
        assert!(compare(&mixed[..1], &all[..1]).second_group.is_empty());
        assert!(compare(&[], &[]).second_group.is_empty());
    }

    #[test]
    fn the_same_picture_again_and_again() {
        let same = vec![vec![1.0, 2.0, 3.0]; 6];
        let found = compare(&same, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(found, OutlierReport { outliers: vec![], second_group: vec![], identical: true });
    }
}
