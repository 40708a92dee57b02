//! How much of a bottleneck is computed at a time.

use std::ops::RangeInclusive;

use super::stage::Stage;
use crate::depthwise::BLOCK;
use crate::simd::{Element, Vectors};
use crate::spec::Shape;

/// How many floats a thread works on at a time.
struct Room {
    /// Expanded rows of a block, which is [`BLOCK`] channels side by side, pixel after pixel.
    expanded: usize,
    /// A group's filtered rows.
    filtered: usize,
}

impl Room {
    /// What second-level caches hold: a processor with vectors of sixteen has 1 MiB and more, a board's 512 KiB. 16-bit floats are
    /// for boards; where they are rounded to, the cut is the same, and with it the sums.
    fn of<E: Element>(path: E::Path) -> Self {
        let wide = E::IS_SINGLE && path.lanes() > 8;
        let floats = if wide { 1 << 16 } else { (1 << 14) * size_of::<f32>() / size_of::<E>() };
        Self { expanded: floats, filtered: if wide { 2 * floats } else { 4 * floats } }
    }
}

/// Channels of a group, the blocks that are projected at a time.
const GROUP: RangeInclusive<usize> = 2 * BLOCK..=10 * BLOCK;
/// What adding to an output value costs, in multiplications.
const ADDING: usize = 4;

/// Channels and rows at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut {
    /// Channels of a group.
    pub group: usize,
    /// Rows of the output, at most.
    pub rows: usize,
}

impl Cut {
    /// That of the least work; `None` where the channels can't be cut into groups.
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
            // Rows that a band reads beyond those of its own are expanded twice.
            let again = (bands - 1) * kernel.saturating_sub(stride) * wide.width;
            let expanding = again * expand.spec.taps() * wide.channels;
            let adding = wide.channels / group * output.len() * ADDING;
            (expanding + adding, Self { group, rows })
        };
        fitting.map(work).min().map(|(_, cut)| cut)
    }
}
