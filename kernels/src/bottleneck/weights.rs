//! A bottleneck's weights for one float type, and the splitting of its work into bands.

use super::band::{Band, BandScratch};
use super::blocking::BottleneckBlocking;
use super::group::Group;
use super::stage::BottleneckStage;
use crate::buffer::{aligned_length, split_off_aligned, with_scratch};
use crate::depthwise::CHANNEL_BLOCK;
use crate::parallel::{self, SharedOutput};
use crate::simd::{Dispatch, Element};
use crate::spec::{Error, Shape};

/// The weights, by groups of the expanded channels.
#[derive(Debug)]
pub(super) struct BottleneckWeights<E: Element> {
    pub input: Shape,
    pub wide: Shape,
    /// Columns of zeros before and after the filtered image.
    pub columns: [usize; 2],
    pub output: Shape,
    pub groups: Vec<Group<E>>,
    blocking: BottleneckBlocking,
    isa: E::Isa,
}

impl<E: Element> BottleneckWeights<E> {
    /// Packs the stages, which must form a bottleneck and have the right numbers of weights.
    pub fn new(
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        project: &BottleneckStage<'_>,
        output: Shape,
        isa: E::Isa,
    ) -> Result<Self, Error> {
        let wide = depthwise.spec.input;
        let blocking = BottleneckBlocking::best::<E>(isa, expand, depthwise, output).ok_or_else(|| {
            Error::Unsupported(format!("{} channels can't be split into groups", wide.channels))
        })?;
        let groups = (0..wide.channels).step_by(blocking.group);
        let groups =
            groups.map(|first| Group::new(isa, expand, depthwise, project, first..first + blocking.group));
        let groups = groups.collect::<Result<_, _>>()?;
        let (input, columns) = (expand.spec.input, depthwise.spec.padding[1]);
        Ok(Self { input, wide, columns, output, groups, blocking, isa })
    }

    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = SharedOutput::new(output);
        let height = self.output.height;
        let bands =
            height.div_ceil(self.blocking.rows).next_multiple_of(parallel::idle_threads()).min(height);
        parallel::for_each(bands, |band| {
            let rows @ (first, end) = (band * height / bands, (band + 1) * height / bands);
            // All subgroups are alike, except that the last may have fewer blocks.
            let subgroup = &self.groups[0].subgroups[0];
            let read = (subgroup.blocks[0].input_rows(first).0, subgroup.blocks[0].input_rows(end - 1).1);
            let width = self.wide.width + self.columns[0] + self.columns[1];
            let expanded = (read.1 - read.0) * width * CHANNEL_BLOCK * subgroup.blocks.len();
            let filtered = (end - first) * self.output.width * self.blocking.group;
            let copied = subgroup.expand.copy_length(read.1 - read.0);
            let converted =
                if E::IS_SINGLE { 0 } else { subgroup.expand.input_length(self.input, read.1 - read.0) };
            let length = [expanded, filtered, converted].map(aligned_length::<E>);
            with_scratch(length.iter().sum::<usize>() + aligned_length::<f32>(copied), |mut scratch| {
                let scratch = BandScratch {
                    expanded: split_off_aligned(&mut scratch, expanded),
                    filtered: split_off_aligned(&mut scratch, filtered),
                    copy: split_off_aligned(&mut scratch, copied),
                    converted: split_off_aligned(&mut scratch, converted),
                };
                self.isa.run(Band { packed: self, input, residual, output, rows, read, scratch });
            });
        });
    }
}
