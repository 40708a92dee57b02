//! Some rows of a bottleneck's output, group after group of its channels.

use super::Bottleneck;
use super::expand::Rows;
use super::group::Part;
use crate::depthwise::{BLOCK, Row};
use crate::pointwise::Pixels;
use crate::share::Target;
use crate::simd::{Simd, Task};
use crate::tile::Split;

/// Some rows of the output.
pub(super) struct Band<'a> {
    pub bottleneck: &'a Bottleneck,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    pub output: Target<'a>,
    /// Rows of the output: first and the one past the last.
    pub rows: (usize, usize),
    /// The rows of the many channels that they read.
    pub read: (usize, usize),
    /// Room for those: block of the part, pixel, channel of the block.
    pub expanded: &'a mut [f32],
    /// Room for the output's rows: block, pixel, channel of the block.
    pub filtered: &'a mut [f32],
    /// Room for the input's rows, where they are copied.
    pub copy: &'a mut [f32],
}

impl Task for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { bottleneck: b, residual, output, rows: (first, end), read: (top, bottom), .. } = self;
        let read = self.read;
        let input = b.groups[0].parts[0].expand.rows(self.input, b.input, read, self.copy);
        let pixels = (end - first) * b.output.width;
        let (width, columns) = (b.wide.width, b.columns);
        let line = (columns[0] + width + columns[1]) * BLOCK;
        for row in self.expanded.chunks_exact_mut(line) {
            row[..columns[0] * BLOCK].fill(0.0);
            row[(columns[0] + width) * BLOCK..].fill(0.0);
        }
        let rows = bottom - top;
        let apart = rows * line;
        for (index, group) in b.groups.iter().enumerate() {
            let mut filtered = self.filtered.chunks_exact_mut(pixels * BLOCK);
            for Part { expand, blocks } in &group.parts {
                let output = Target::new(&mut *self.expanded);
                s.run(Rows { expand, input, output, apart, rows, width, columns });
                let images = self.expanded.chunks_exact(apart);
                for ((depthwise, input), filtered) in blocks.iter().zip(images).zip(&mut filtered) {
                    let output = Target::new(filtered);
                    for row in first..end {
                        s.run(Row { depthwise, input, top, residual: None, output, row, to: row - first });
                    }
                }
            }
            let last = index + 1 == b.groups.len();
            s.run(Pixels {
                pointwise: &group.project,
                input: self.filtered,
                block: BLOCK,
                residual: residual.filter(|_| last),
                output,
                split: Split::none(b.output.channels),
                first: first * b.output.width,
                gaps: None,
                adds: index > 0,
            });
        }
    }
}
