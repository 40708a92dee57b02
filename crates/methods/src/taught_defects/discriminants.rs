//! The learned model: a linear discriminant for each kind of defect.

use crate::features::Projection;

/// The worst positions that make up the likeness, in thousandths of a tile's.
pub(super) const SHARE: usize = 10;

/// Weight of how unlike good parts a position is, beside how like a defect. Both have a deviation of 1 on good parts.
pub(super) const ANOMALY_WEIGHT: f32 = 2.0;
/// More than this many deviations don't count: an odd place on a good part must not look like a defect for that alone.
pub(super) const MOST_DEVIATIONS: f32 = 3.0;

/// A linear discriminant for each kind. With x the features at a position and a its standardised distance from good parts, but at
/// most 3, its likeness to the kind is t = (w · (x − m) + 2a − c) / d; a tile's is the mean of t over the worst positions: about 0 on good parts,
/// with a deviation of about 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Discriminants {
    /// The kinds' names.
    pub kinds: Vec<String>,
    /// Kinds × channels: w / d; and m.
    pub projection: Projection,
    /// 2 / d of each kind.
    pub weights: Vec<f32>,
    /// −c / d of each kind.
    pub offsets: Vec<f32>,
}
