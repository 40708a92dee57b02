//! A map of distances → the image's score: one way for all methods that give such a map.
//!
//! Distances are standardised place by place: how many deviations a place is from what good parts have there. Then the worst
//! places count, at several shares of the map, so that a scratch of a few pixels and a stain over a quarter of the part are both
//! found. Each share's mean is told against that of good parts, and the score is their mean:
//!
//! score = mean over shares s of (mean of the worst s of the standardised map − cₛ) / dₛ
//!
//! with cₛ and dₛ the median and the spread on good parts. What good parts have is measured on parts that the model hasn't seen.
//!
//! People see the distances themselves, smoothed: standardising tells images apart, but draws the outlines of defects no better.
//!
//! | file | job |
//! |---|---|
//! | `places.rs` | mean and deviation of each place |
//! | `fit.rs` | maps of parts that the model hasn't seen → the score, and what it is for each of them |
//! | `graph.rs` | the score in an exported model |
//! | `kept.rs` | the score as named arrays |

mod fit;
mod graph;
mod kept;
mod places;

use networks::resample::{Matrix, bilinear, edge_padded, gaussian};
use shared_format::Size;

pub use fit::HeldOut;
pub use places::Places;

use crate::smoothing::SMOOTHING;

/// Shares of the map, in thousandths, whose worst places count: from a scratch to a stain.
pub const SHARES: [usize; 3] = [2, 10, 50];

/// How maps of distances become scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageScore {
    /// Rows and columns of the maps.
    pub grid: [usize; 2],
    /// Positions that lie beyond the maps on each side, of which they say nothing.
    pub margin: usize,
    /// What good parts have at each place.
    pub places: Places,
    /// What the mean of the worst places is on good parts, for each of [`SHARES`].
    pub shares: [Usual; SHARES.len()],
}

/// What a number is on good parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The median.
    pub centre: f32,
    /// The spread; above 0.
    pub spread: f32,
}

impl ImageScore {
    /// A score for maps of this grid of which it isn't known what good parts have.
    #[must_use]
    pub fn plain(grid: [usize; 2]) -> Self {
        let positions = grid.iter().product();
        let places = Places { mean: vec![0.0; positions], deviation: vec![1.0; positions] };
        Self { grid, margin: 0, places, shares: [Usual { centre: 0.0, spread: 1.0 }; SHARES.len()] }
    }
}

/// Places that make up a share of this many thousandths of a map.
fn places_of(share: usize, positions: usize) -> usize {
    (positions * share).div_ceil(1000).clamp(1, positions.max(1))
}

/// What makes a map of the grid the anomaly map that people see, of the input's size. The margin looks as the map's edge does.
fn enlarge([rows, columns]: [usize; 2], margin: usize, input: Size) -> [Matrix; 2] {
    [(rows, input.height), (columns, input.width)].map(|(from, to)| {
        let smooth = edge_padded(from, margin).after(&gaussian(from, SMOOTHING));
        bilinear(from + 2 * margin, to as usize).after(&smooth)
    })
}
