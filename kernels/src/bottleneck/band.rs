//! Computes some rows of a bottleneck's output, one channel group after another.

use super::convert::converted;
use super::expand::Rows;
use super::group::Part;
use super::packed::Packed;
use crate::depthwise::{BLOCK, Row};
use crate::pointwise::Pixels;
use crate::share::Target;
use crate::simd::{Element, Simd, Task};
use crate::tile::{Sink, Split};

/// Some rows of the output.
pub(super) struct Band<'a, E: Element> {
    pub packed: &'a Packed<E>,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    pub output: Target<'a>,
    /// Rows of the output, as start and end (exclusive).
    pub rows: (usize, usize),
    /// The rows of expanded channels that they read.
    pub read: (usize, usize),
    pub room: Room<'a, E>,
}

/// Scratch space for computing a band.
pub(super) struct Room<'a, E> {
    /// The rows that are read: [block of the part][pixel][channel of the block].
    pub expanded: &'a mut [E],
    /// The output's rows: [block][pixel][channel of the block].
    pub filtered: &'a mut [E],
    /// The input's rows, if they are copied.
    pub copy: &'a mut [f32],
    /// The input's rows, if they are converted.
    pub converted: &'a mut [E],
}

impl<E: Element> Task<E> for Band<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { packed: b, residual, output, rows: (first, end), read: (top, bottom), .. } = self;
        let Room { expanded, filtered, copy, converted: room } = self.room;
        let input = b.groups[0].parts[0].expand.rows(self.input, b.input, self.read, copy);
        let input = converted(s, input, room);
        let pixels = (end - first) * b.output.width;
        let (width, columns) = (b.wide.width, b.columns);
        let line = (columns[0] + width + columns[1]) * BLOCK;
        for row in expanded.chunks_exact_mut(line) {
            row[..columns[0] * BLOCK].fill(E::default());
            row[(columns[0] + width) * BLOCK..].fill(E::default());
        }
        let rows = bottom - top;
        let apart = rows * line;
        for (index, group) in b.groups.iter().enumerate() {
            let mut images = filtered.chunks_exact_mut(pixels * BLOCK);
            for Part { expand, blocks } in &group.parts {
                let output = Target::new(&mut *expanded);
                s.run(Rows { expand, input, output, apart, rows, width, columns });
                let inputs = expanded.chunks_exact(apart);
                for ((depthwise, input), image) in blocks.iter().zip(inputs).zip(&mut images) {
                    let output = Target::new(image);
                    for row in first..end {
                        s.run(Row { depthwise, input, top, residual: None, output, row, to: row - first });
                    }
                }
            }
            let last = index + 1 == b.groups.len();
            s.run(Pixels {
                pointwise: &group.project,
                input: filtered,
                block: BLOCK,
                sink: Sink::Image { output, residual: residual.filter(|_| last), adds: index > 0 },
                split: Split::none(b.output.channels),
                first: first * b.output.width,
                gaps: None,
            });
        }
    }
}
