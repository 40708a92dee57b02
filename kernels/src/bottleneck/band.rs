//! Computes some rows of a bottleneck's output, one channel group after another.

use super::convert::converted;
use super::expand::ExpandRows;
use super::group::Subgroup;
use super::weights::BottleneckWeights;
use crate::depthwise::{CHANNEL_BLOCK, DepthwiseRow};
use crate::microkernel::{ChannelLayout, Sink};
use crate::parallel::SharedOutput;
use crate::pointwise::PointwiseBlock;
use crate::simd::{Element, Simd, SimdTask};

/// Some rows of the output.
pub(super) struct Band<'a, E: Element> {
    pub packed: &'a BottleneckWeights<E>,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    pub output: SharedOutput<'a>,
    /// Rows of the output, as start and end (exclusive).
    pub rows: (usize, usize),
    /// The rows of expanded channels that they read.
    pub read: (usize, usize),
    pub scratch: BandScratch<'a, E>,
}

/// Scratch space for computing a band.
pub(super) struct BandScratch<'a, E> {
    /// The rows that are read: [block of the subgroup][pixel][channel of the block].
    pub expanded: &'a mut [E],
    /// The output's rows: [block][pixel][channel of the block].
    pub filtered: &'a mut [E],
    /// The input's rows, if they are copied.
    pub copy: &'a mut [f32],
    /// The input's rows, if they are converted.
    pub converted: &'a mut [E],
}

impl<E: Element> SimdTask<E> for Band<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { packed: b, residual, output, rows: (first, end), read: (top, bottom), .. } = self;
        let BandScratch { expanded, filtered, copy, converted: scratch } = self.scratch;
        let input = b.groups[0].subgroups[0].expand.input_rows(self.input, b.input, self.read, copy);
        let input = converted(s, input, scratch);
        let pixels = (end - first) * b.output.width;
        let (width, columns) = (b.wide.width, b.columns);
        let line = (columns[0] + width + columns[1]) * CHANNEL_BLOCK;
        for row in expanded.chunks_exact_mut(line) {
            row[..columns[0] * CHANNEL_BLOCK].fill(E::default());
            row[(columns[0] + width) * CHANNEL_BLOCK..].fill(E::default());
        }
        let rows = bottom - top;
        let block_stride = rows * line;
        for (index, group) in b.groups.iter().enumerate() {
            let mut images = filtered.chunks_exact_mut(pixels * CHANNEL_BLOCK);
            for Subgroup { expand, blocks } in &group.subgroups {
                let output = SharedOutput::new(&mut *expanded);
                s.run(ExpandRows { expand, input, output, block_stride, rows, width, columns });
                let inputs = expanded.chunks_exact(block_stride);
                for ((depthwise, input), image) in blocks.iter().zip(inputs).zip(&mut images) {
                    let output = SharedOutput::new(image);
                    for row in first..end {
                        s.run(DepthwiseRow {
                            depthwise,
                            input,
                            top,
                            residual: None,
                            output,
                            row,
                            to: row - first,
                        });
                    }
                }
            }
            let last = index + 1 == b.groups.len();
            s.run(PointwiseBlock {
                pointwise: &group.project,
                input: filtered,
                run_length: CHANNEL_BLOCK,
                sink: Sink::Image { output, residual: residual.filter(|_| last), accumulate: index > 0 },
                layout: ChannelLayout::all_contiguous(b.output.channels),
                first: first * b.output.width,
                gaps: None,
            });
        }
    }
}
