//! A bottleneck's weights for one float type, and the splitting of its work into bands.

use super::band::{Band, Room};
use super::cut::Cut;
use super::group::Group;
use super::stage::Stage;
use crate::buffer::{cut_length, cut_off, lend};
use crate::depthwise::BLOCK;
use crate::share::{self, Target};
use crate::simd::{Element, Vectors};
use crate::spec::{Error, Shape};

/// The weights, by groups of the expanded channels.
#[derive(Debug)]
pub(super) struct Packed<E: Element> {
    pub input: Shape,
    pub wide: Shape,
    /// Columns of zeros before and after the filtered image.
    pub columns: [usize; 2],
    pub output: Shape,
    pub groups: Vec<Group<E>>,
    cut: Cut,
    path: E::Path,
}

impl<E: Element> Packed<E> {
    /// Packs the stages, which must form a bottleneck and have the right numbers of weights.
    pub fn new(
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        output: Shape,
        path: E::Path,
    ) -> Result<Self, Error> {
        let wide = depthwise.spec.input;
        let cut = Cut::best::<E>(path, expand, depthwise, output).ok_or_else(|| {
            Error::Unsupported(format!("{} channels can't be split into groups", wide.channels))
        })?;
        let groups = (0..wide.channels).step_by(cut.group);
        let groups =
            groups.map(|first| Group::new(path, expand, depthwise, project, first..first + cut.group));
        let groups = groups.collect::<Result<_, _>>()?;
        let (input, columns) = (expand.spec.input, depthwise.spec.padding[1]);
        Ok(Self { input, wide, columns, output, groups, cut, path })
    }

    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = Target::new(output);
        let height = self.output.height;
        let bands = height.div_ceil(self.cut.rows).next_multiple_of(share::idle_threads()).min(height);
        share::for_each(bands, |band| {
            let rows @ (first, end) = (band * height / bands, (band + 1) * height / bands);
            // All parts are alike, except that the last may have fewer blocks.
            let part = &self.groups[0].parts[0];
            let read = (part.blocks[0].reads(first).0, part.blocks[0].reads(end - 1).1);
            let width = self.wide.width + self.columns[0] + self.columns[1];
            let expanded = (read.1 - read.0) * width * BLOCK * part.blocks.len();
            let filtered = (end - first) * self.output.width * self.cut.group;
            let copied = part.expand.copied(read.1 - read.0);
            let converted = if E::IS_SINGLE { 0 } else { part.expand.read(self.input, read.1 - read.0) };
            let length = [expanded, filtered, converted].map(cut_length::<E>);
            lend(length.iter().sum::<usize>() + cut_length::<f32>(copied), |mut room| {
                let room = Room {
                    expanded: cut_off(&mut room, expanded),
                    filtered: cut_off(&mut room, filtered),
                    copy: cut_off(&mut room, copied),
                    converted: cut_off(&mut room, converted),
                };
                self.path.run(Band { packed: self, input, residual, output, rows, read, room });
            });
        });
    }
}
