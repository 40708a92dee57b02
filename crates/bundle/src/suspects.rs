//! Names normals whose scores don't belong to the others': photos of bad parts among the good ones.
//!
//! A score is suspect if it is above the median by more than three times the distance from the median down to the 10 % quantile. Bad
//! parts score high, so they hardly touch the lower half of the scores, which sets this bound: with a fifth of bad parts, the median
//! moves up by about a quarter of that distance.
//!
//! The factor was chosen for finding four in five bad parts. Some good parts look odder than some bad ones, so good ones are named, too:
//! a few in a hundred, one in ten at worst. A person has to look (`docs/methods.md` has the figures).

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::calibrate::quantile;

/// A score is suspect from this many times the spread below the median. Between 2.5 and 3.25 if chosen on all sets but one.
const FACTOR: f32 = 3.0;
/// The spread below the median reaches down to this quantile.
const LOW: f64 = 0.1;
/// With fewer scores, the quantile is that of one or two photos.
const MIN_SCORES: usize = 10;
/// Minimum spread, as a share of the median's magnitude: scores that are the same but for rounding name nobody.
const MIN_SPREAD: f32 = 1e-3;

/// A photo that may show a bad part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The photo's path, or the part's name.
    pub name: String,
    /// Its score.
    pub score: f32,
}

/// Writes the file's name and the score.
impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Path::new(&self.name).file_name();
        let name = file.map_or_else(|| self.name.as_str().into(), |file| file.to_string_lossy());
        write!(f, "{name} {:.2}", self.score)
    }
}

/// Returns the indices of the scores that don't belong to the others', highest first; none of fewer than ten scores.
#[must_use]
pub fn suspects(scores: &[f32]) -> Vec<usize> {
    if scores.len() < MIN_SCORES {
        return vec![];
    }
    let mut ascending = scores.to_vec();
    ascending.sort_by(f32::total_cmp);
    let median = quantile(&ascending, 0.5);
    let spread = (median - quantile(&ascending, LOW)).max(MIN_SPREAD * median.abs());
    if spread <= 0.0 {
        return vec![];
    }
    let mut above: Vec<usize> =
        (0..scores.len()).filter(|&at| scores[at] > median + FACTOR * spread).collect();
    above.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    /// Draws from a Gumbel distribution, whose longer tail is the right one, as with the scores of good parts.
    fn good(random: &mut Seeded) -> f32 {
        let uniform = (random.below(1 << 20) as f32 + 0.5) / (1 << 20) as f32;
        -(-uniform.ln()).ln()
    }

    #[test]
    fn few_good_parts_are_named_and_bad_ones_do_not_hide_each_other() {
        let mut random = Seeded::new(11, 0);
        for (normals, bad) in [(20, 0), (20, 1), (100, 5), (100, 20), (400, 20)] {
            let (mut named, mut wrongly, rounds) = (0, 0, 200);
            for _ in 0..rounds {
                let mut scores: Vec<f32> = (0..normals).map(|_| good(&mut random)).collect();
                scores.extend((0..bad).map(|_| 10.0 + good(&mut random)));
                let found = suspects(&scores);
                named += found.iter().filter(|&&at| at >= normals).count();
                wrongly += found.iter().filter(|&&at| at < normals).count();
            }
            assert!(named * 50 >= rounds * bad * 49, "{normals} and {bad}: {named}");
            assert!(wrongly * 20 <= rounds * normals, "{normals} and {bad}: {wrongly}");
        }
    }

    #[test]
    fn the_highest_comes_first() {
        let mut scores: Vec<f32> = (0..20).map(|n| n as f32 / 10.0).collect();
        (scores[3], scores[11]) = (50.0, 70.0);
        assert_eq!(suspects(&scores), [11, 3]);
        let suspect = Suspect { name: "train/good/a.png".to_owned(), score: 70.0 };
        assert_eq!(suspect.to_string(), "a.png 70.00");
    }

    #[test]
    fn too_few_scores_and_equal_ones_name_nobody() {
        assert_eq!(suspects(&[]), [0usize; 0]);
        assert_eq!(suspects(&[1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 1.0, 90.0]), [0usize; 0]);
        assert_eq!(suspects(&[4.0; 30]), [0usize; 0]);
        let mut rounded = [4.0; 30];
        rounded[7] = 4.001;
        assert_eq!(suspects(&rounded), [0usize; 0]);
    }
}
