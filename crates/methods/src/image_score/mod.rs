//! Turns a map of distances into the image's score, in the same way for all methods with such a map.
//!
//! Distances are standardised position by position: by how many deviations a position differs from good parts. Then the worst
//! positions count, at several shares of the map, so that both a scratch of a few pixels and a stain over a quarter of the part
//! are found. The mean of each share is compared with that of good parts, and the score is the average:
//!
//! score = mean over shares s of (mean of the worst s of the standardised map − cₛ) / dₛ
//!
//! with cₛ and dₛ the median and the spread on good parts. All statistics come from parts that the model hasn't seen.
//!
//! A map of several tiles is standardised as a whole, but shares are those of a tile, and the worst tile decides: otherwise a defect that
//! is a share of a tile would be a small part of that share of the frame. A tile includes its overlap with its neighbours, so a defect on
//! a seam lies within a tile if it is smaller than the overlap.
//!
//! The displayed map shows the smoothed distances themselves: standardising separates images better, but doesn't outline defects
//! better. A model with zones also returns the standardised map, which zones are scored by.
//!
//! | file | job |
//! |---|---|
//! | `positions.rs` | mean and deviation at each position |
//! | `fit.rs` | maps of parts that the model hasn't seen → the score, and its value for each of them |
//! | `graph.rs` | the score in an exported model |
//! | `state.rs` | the score as named arrays |

mod fit;
mod graph;
mod positions;
mod state;

use networks::resample::{Matrix, bilinear, edge_padded, gaussian};
use shared_format::{RobustStats, Size, Tiles};

pub use fit::{EnlargedMap, HeldOut};
pub(crate) use fit::{Standardised, stats_of};
pub use positions::PositionStats;

use crate::smoothing::SMOOTHING;
use crate::taught_defects::Discriminants;

/// Shares of the map, in thousandths, whose worst positions count: from a scratch to a stain.
pub const SHARES: [usize; 3] = [2, 10, 50];

/// The parameters that turn maps of distances into scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageScorer {
    /// Rows and columns of the maps.
    pub grid: [usize; 2],
    /// Positions beyond the maps on each side, about which the maps say nothing.
    pub margin: usize,
    /// The tiles that a map shows together; each has a score of its own, of which the largest counts.
    pub tiles: Tiles,
    /// The statistics of good parts at each position.
    pub positions: PositionStats,
    /// The usual mean of the worst positions on good parts, for each of [`SHARES`].
    pub shares: [RobustStats; SHARES.len()],
    /// The second score, if defects were taught.
    pub taught: Option<Discriminants>,
    /// Whether the exported model also returns the standardised map.
    pub score_map: bool,
}

impl ImageScorer {
    /// Returns a score for maps of this grid without statistics of good parts.
    #[must_use]
    pub fn plain(grid: [usize; 2]) -> Self {
        let positions = grid.iter().product();
        let stats = PositionStats { mean: vec![0.0; positions], deviation: vec![1.0; positions] };
        Self {
            grid,
            margin: 0,
            tiles: Tiles::ONE,
            positions: stats,
            shares: [RobustStats::NEUTRAL; SHARES.len()],
            taught: None,
            score_map: false,
        }
    }
}

/// Returns how many positions make up `share` thousandths of a map.
pub(crate) fn positions_in_share(share: usize, positions: usize) -> usize {
    (positions * share).div_ceil(1000).clamp(1, positions.max(1))
}

/// Returns the matrices that turn a map of the grid into the displayed anomaly map, of the input's size. The margin repeats the
/// map's edge.
fn enlarge([rows, columns]: [usize; 2], margin: usize, input: Size) -> [Matrix; 2] {
    [(rows, input.height), (columns, input.width)].map(|(from, to)| {
        let smooth = edge_padded(from, margin).after(&gaussian(from, SMOOTHING));
        bilinear(from + 2 * margin, to as usize).after(&smooth)
    })
}
