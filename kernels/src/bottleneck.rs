//! An inverted bottleneck (Sandler et al.: *MobileNetV2*, 2018): 1×1 to many channels, depthwise, 1×1 to few. Computed
//! for some rows and channels at a time, so that the many channels never leave the cache.

use std::ops::{Range, RangeInclusive};

use crate::buffer::lend;
use crate::conv::{Algorithm, check, check_images};
use crate::depthwise::{BLOCK, Depthwise, Row};
use crate::pointwise::{Pixels, Pointwise};
use crate::share::{self, Target};
use crate::simd::{Path, Simd, Task};
use crate::spec::{ConvSpec, Epilogue, Error, Shape};

/// A convolution of a bottleneck as [`crate::Conv::new`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// The geometry.
    pub spec: ConvSpec,
    /// Output × channel × row × column.
    pub weights: &'a [f32],
    /// One value an output.
    pub bias: &'a [f32],
    /// What happens to its sums.
    pub epilogue: Epilogue,
}

impl Stage<'_> {
    /// Weights and bias of some outputs.
    fn of(&self, outputs: Range<usize>) -> (&[f32], &[f32]) {
        let taps = self.spec.taps();
        (&self.weights[outputs.start * taps..outputs.end * taps], &self.bias[outputs])
    }
}

/// Floats of the expanded rows of a block, which is [`BLOCK`] channels side by side, pixel after pixel.
const EXPANDED: usize = 1 << 14;
/// Floats of a group's filtered rows: half of a small processor's second-level cache.
const FILTERED: usize = 1 << 16;
/// Channels of a group, the blocks that are projected at a time.
const GROUP: RangeInclusive<usize> = 2 * BLOCK..=8 * BLOCK;
/// What adding to an output value costs, in multiplications.
const ADDING: usize = 4;

/// A bottleneck of one input shape with its weights packed.
#[derive(Debug)]
pub struct Bottleneck {
    input: Shape,
    wide: Shape,
    /// Columns of zeros before and after the filtered image.
    columns: [usize; 2],
    output: Shape,
    residual: bool,
    groups: Vec<Group>,
    /// Channels of a group.
    group: usize,
    /// Rows of the output that are computed at a time.
    rows: usize,
    path: Path,
}

/// Some of the many channels.
#[derive(Debug)]
struct Group {
    blocks: Vec<(Pointwise, Depthwise)>,
    project: Pointwise,
}

impl Bottleneck {
    /// Packs the three convolutions.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where they are no bottleneck, or its many channels make no whole groups; [`Error::Length`]
    /// where weights or bias have another length.
    pub fn new(
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        path: Path,
    ) -> Result<Self, Error> {
        let (wide, narrow, output) = (expand.spec.sums()?, depthwise.spec.sums()?, project.spec.sums()?);
        let pointwise =
            |stage: &Stage<'_>| Algorithm::Pointwise.fits(&stage.spec) && !stage.epilogue.average_pool;
        let of_three = pointwise(expand)
            && pointwise(project)
            && depthwise.spec.depthwise
            && depthwise.spec.padding[0].iter().all(|&rows| rows < depthwise.spec.kernel[0])
            && wide == depthwise.spec.input
            && narrow == project.spec.input
            && !expand.epilogue.residual
            && !depthwise.epilogue.residual
            && !depthwise.epilogue.average_pool;
        if !of_three {
            return Err(Error::Unsupported("these convolutions are no inverted bottleneck".to_owned()));
        }
        for stage in [expand, depthwise, project] {
            check("weights", stage.spec.outputs * stage.spec.taps(), stage.weights)?;
            check("bias", stage.spec.outputs, stage.bias)?;
        }
        let (group, rows) = cut(expand, depthwise, output)
            .ok_or_else(|| Error::Unsupported(format!("no group of {} channels fits", wide.channels)))?;
        let groups = (0..wide.channels / group)
            .map(|index| Group::new(path, expand, depthwise, project, index * group..(index + 1) * group));
        let groups = groups.collect::<Result<_, _>>()?;
        let (input, columns) = (expand.spec.input, depthwise.spec.padding[1]);
        let residual = project.epilogue.residual;
        Ok(Self { input, wide, columns, output, residual, groups, group, rows, path })
    }

    /// Shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Computes one image. `residual`, where there is one, and `output` have the output's shape.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has another length than the shapes say.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> Result<(), Error> {
        let residual = check_images((self.input, input), (self.output, output), (self.residual, residual))?;
        let output = Target::new(output);
        share::for_each(self.output.height.div_ceil(self.rows), |band| {
            let first = band * self.rows;
            let end = (first + self.rows).min(self.output.height);
            let depthwise = &self.groups[0].blocks[0].1;
            let read = (depthwise.reads(first).0, depthwise.reads(end - 1).1);
            let expanded = (read.1 - read.0) * (self.wide.width + self.columns[0] + self.columns[1]) * BLOCK;
            let filtered = (end - first) * self.output.width * self.group;
            lend(expanded + filtered, |room| {
                let (expanded, filtered) = room[..expanded + filtered].split_at_mut(expanded);
                let rows = (first, end);
                self.path.run(Band {
                    bottleneck: self,
                    input,
                    residual,
                    output,
                    rows,
                    read,
                    expanded,
                    filtered,
                });
            });
        });
        Ok(())
    }
}

/// Channels of a group and rows of the output at a time, for the least work; `None` where the channels can't be cut.
fn cut(expand: &Stage<'_>, depthwise: &Stage<'_>, output: Shape) -> Option<(usize, usize)> {
    let (input, wide) = (expand.spec.input, depthwise.spec.input);
    let (kernel, stride) = (depthwise.spec.kernel[0], depthwise.spec.stride[0]);
    let fitting = GROUP.filter(|&group| group.is_multiple_of(BLOCK) && wide.channels.is_multiple_of(group));
    fitting
        .map(|group| {
            // Rows that a band reads beyond those of its own are expanded twice.
            let expanded = (EXPANDED / (wide.width * BLOCK)).saturating_sub(kernel) / stride + 1;
            let most = expanded.min(FILTERED / (output.width * group)).max(1);
            let bands = output.height.div_ceil(most);
            let rows = output.height.div_ceil(bands);
            let again = (bands - 1) * kernel.saturating_sub(stride) * wide.width;
            let expanding = again * input.channels * wide.channels;
            let adding = wide.channels / group * output.len() * ADDING;
            (expanding + adding, (group, rows))
        })
        .min()
        .map(|(_, cut)| cut)
}

impl Group {
    fn new(
        path: Path,
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        channels: Range<usize>,
    ) -> Result<Self, Error> {
        let (inputs, wide, outputs) = (expand.spec.input.channels, expand.spec.outputs, project.spec.outputs);
        // The rows have zeros beside them.
        let Shape { height, width, .. } = depthwise.spec.input;
        let [rows, columns] = depthwise.spec.padding;
        let input = Shape { height, width: width + columns[0] + columns[1], channels: BLOCK };
        let spec = ConvSpec { input, outputs: BLOCK, padding: [rows, [0, 0]], ..depthwise.spec };
        let sums = spec.sums()?;
        let block = |first: usize| {
            let (weights, bias) = expand.of(first..first + BLOCK);
            let expanding = Pointwise::new(path, inputs, BLOCK, weights, bias, expand.epilogue);
            let (weights, bias) = depthwise.of(first..first + BLOCK);
            (expanding, Depthwise::new(path, &spec, sums, weights, bias, depthwise.epilogue))
        };
        let blocks = channels.clone().step_by(BLOCK).map(block).collect();

        // The first group brings the bias, the last one what is done to the whole sums.
        let rows = project.weights.chunks_exact(wide);
        let weights: Vec<f32> = rows.flat_map(|row| &row[channels.clone()]).copied().collect();
        let bias = if channels.start == 0 { project.bias.to_vec() } else { vec![0.0; outputs] };
        let last = channels.end == wide;
        let epilogue = if last { project.epilogue } else { Epilogue::default() };
        Ok(Self { blocks, project: Pointwise::new(path, channels.len(), outputs, &weights, &bias, epilogue) })
    }
}

/// Some rows of the output.
struct Band<'a> {
    bottleneck: &'a Bottleneck,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: Target<'a>,
    /// Rows of the output: first and the one past the last.
    rows: (usize, usize),
    /// The rows of the input that they read.
    read: (usize, usize),
    /// Room for the input's rows: pixel, channel of the block.
    expanded: &'a mut [f32],
    /// Room for the output's rows: block, pixel, channel of the block.
    filtered: &'a mut [f32],
}

impl Task for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { bottleneck: b, residual, output, rows: (first, end), read: (top, bottom), .. } = self;
        let line = b.input.width * b.input.channels;
        let input = &self.input[top * line..bottom * line];
        let pixels = (end - first) * b.output.width;
        let [before, after] = b.columns;
        let gaps = Some((b.wide.width, before + after)).filter(|_| before + after > 0);
        if gaps.is_some() {
            self.expanded.fill(0.0);
        }
        for (index, group) in b.groups.iter().enumerate() {
            for (block, filtered) in group.blocks.iter().zip(self.filtered.chunks_exact_mut(pixels * BLOCK)) {
                let (pointwise, depthwise) = (&block.0, &block.1);
                let output = Target::new(self.expanded);
                let block = b.input.channels;
                s.run(Pixels {
                    pointwise,
                    input,
                    block,
                    residual: None,
                    output,
                    first: before,
                    gaps,
                    adds: false,
                });
                let (input, output) = (&*self.expanded, Target::new(filtered));
                for row in first..end {
                    s.run(Row { depthwise, input, top, residual: None, output, row, to: row - first });
                }
            }
            let last = index + 1 == b.groups.len();
            s.run(Pixels {
                pointwise: &group.project,
                input: self.filtered,
                block: BLOCK,
                residual: residual.filter(|_| last),
                output,
                first: first * b.output.width,
                gaps: None,
                adds: index > 0,
            });
        }
    }
}
