//! Chooses how much of a bottleneck is computed at a time.

use std::ops::RangeInclusive;

use super::stage::Stage;
use crate::depthwise::BLOCK;
use crate::simd::{Element, Vectors};
use crate::spec::Shape;

/// The number of floats that a thread works on at a time.
struct Room {
    /// Expanded rows of a block, which stores [`BLOCK`] channels contiguously, pixel after pixel.
    expanded: usize,
    /// A group's filtered rows.
    filtered: usize,
}

impl Room {
    /// Sizes the scratch space for the L2 cache: processors with vectors of sixteen floats have 1 MiB or more, boards 512 KiB. 16-bit
    /// floats are meant for boards; emulation uses the same cut, so that the sums are the same.
    fn of<E: Element>(path: E::Path) -> Self {
        let wide = E::IS_SINGLE && path.lanes() > 8;
        let floats = if wide { 1 << 16 } else { (1 << 14) * size_of::<f32>() / size_of::<E>() };
        Self { expanded: floats, filtered: if wide { 2 * floats } else { 4 * floats } }
    }
}

/// Channels per group, i.e. in the blocks that are projected together.
const GROUP: RangeInclusive<usize> = 2 * BLOCK..=10 * BLOCK;
/// The cost of adding to an output value, in multiplications.
const ADDING: usize = 4;

/// The channels and rows computed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut {
    /// Channels per group.
    pub group: usize,
    /// Maximum number of output rows.
    pub rows: usize,
}

impl Cut {
    /// Returns the cut with the least work; `None` if the channels can't be split into groups.
    pub fn best<E: Element>(
        path: E::Path,
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        output: Shape,
    ) -> Option<Self> {
        let (room, wide) = (Room::of::<E>(path), depthwise.spec.input);
        let (kernel, stride) = (depthwise.spec.kernel[0], depthwise.spec.stride[0]);
        let fitting =
            GROUP.filter(|&group| group.is_multiple_of(BLOCK) && wide.channels.is_multiple_of(group));
        let work = |group: usize| {
            let expanded = (room.expanded / (wide.width * BLOCK)).saturating_sub(kernel) / stride + 1;
            let most = expanded.min(room.filtered / (output.width * group)).max(1);
            let bands = output.height.div_ceil(most);
            let rows = output.height.div_ceil(bands);
            // Rows that a band shares with the next one are expanded twice.
            let again = (bands - 1) * kernel.saturating_sub(stride) * wide.width;
            let expanding = again * expand.spec.taps() * wide.channels;
            let adding = wide.channels / group * output.len() * ADDING;
            (expanding + adding, Self { group, rows })
        };
        fitting.map(work).min().map(|(_, cut)| cut)
    }
}
