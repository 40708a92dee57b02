//! Chooses how much of a bottleneck is computed at a time.

use std::ops::RangeInclusive;

use super::stage::BottleneckStage;
use crate::depthwise::CHANNEL_BLOCK;
use crate::simd::{Dispatch, Element};
use crate::spec::Shape;

/// The number of floats that a thread works on at a time.
struct ScratchSize {
    /// Expanded rows of a block, which stores [`CHANNEL_BLOCK`] channels contiguously, pixel after pixel.
    expanded: usize,
    /// A group's filtered rows.
    filtered: usize,
}

impl ScratchSize {
    /// Sizes the scratch space for the L2 cache: processors with vectors of sixteen floats have 1 MiB or more, boards 512 KiB. 16-bit
    /// floats are meant for boards; emulation uses the same blocking, so that the sums are the same.
    fn of<E: Element>(isa: E::Isa) -> Self {
        let wide = E::IS_SINGLE && isa.lanes() > 8;
        let floats = if wide { 1 << 16 } else { (1 << 14) * size_of::<f32>() / size_of::<E>() };
        Self { expanded: floats, filtered: if wide { 2 * floats } else { 4 * floats } }
    }
}

/// Channels per group, i.e. in the blocks that are projected together.
const GROUP: RangeInclusive<usize> = 2 * CHANNEL_BLOCK..=10 * CHANNEL_BLOCK;
/// The cost of adding to an output value, in multiplications.
const ADD_COST: usize = 4;

/// The channels and rows computed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BottleneckBlocking {
    /// Channels per group.
    pub group: usize,
    /// Maximum number of output rows.
    pub rows: usize,
}

impl BottleneckBlocking {
    /// Returns the blocking with the least work; `None` if the channels can't be split into groups.
    pub fn best<E: Element>(
        isa: E::Isa,
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        output: Shape,
    ) -> Option<Self> {
        let (scratch, wide) = (ScratchSize::of::<E>(isa), depthwise.spec.input);
        let (kernel, stride) = (depthwise.spec.kernel[0], depthwise.spec.stride[0]);
        let fitting =
            GROUP.filter(|&group| group.is_multiple_of(CHANNEL_BLOCK) && wide.channels.is_multiple_of(group));
        let work = |group: usize| {
            let expanded =
                (scratch.expanded / (wide.width * CHANNEL_BLOCK)).saturating_sub(kernel) / stride + 1;
            let max_rows = expanded.min(scratch.filtered / (output.width * group)).max(1);
            let bands = output.height.div_ceil(max_rows);
            let rows = output.height.div_ceil(bands);
            // Rows that a band shares with the next one are expanded twice.
            let again = (bands - 1) * kernel.saturating_sub(stride) * wide.width;
            let expanding = again * expand.spec.taps() * wide.channels;
            let adding = wide.channels / group * output.len() * ADD_COST;
            (expanding + adding, Self { group, rows })
        };
        fitting.map(work).min().map(|(_, blocking)| blocking)
    }
}
