//! An inverted bottleneck (Sandler et al.: *MobileNetV2*, 2018): 1×1 to many channels, depthwise, 1×1 to few. Computed
//! for some rows and channels at a time, so that the many channels never leave the cache. A network's first convolution
//! stands for the first 1×1 where a block without one follows.

mod band;
mod cut;
mod expand;
mod group;

use std::ops::Range;

use self::band::Band;
use self::cut::Cut;
use self::group::Group;
use crate::buffer::lend;
use crate::conv::{Algorithm, check, check_images};
use crate::depthwise::BLOCK;
use crate::share::{self, Target};
use crate::simd::Path;
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
    cut: Cut,
    path: Path,
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
        // Minimal filtering beats what is saved here.
        let expands = matches!(Algorithm::for_spec(&expand.spec), Algorithm::Pointwise | Algorithm::Direct);
        let of_three = expands
            && !expand.epilogue.average_pool
            && Algorithm::Pointwise.fits(&project.spec)
            && !project.epilogue.average_pool
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
        let cut = Cut::best(path, expand, depthwise, output)
            .ok_or_else(|| Error::Unsupported(format!("no group of {} channels fits", wide.channels)))?;
        let groups = (0..wide.channels).step_by(cut.group);
        let groups =
            groups.map(|first| Group::new(path, expand, depthwise, project, first..first + cut.group));
        let groups = groups.collect::<Result<_, _>>()?;
        let (input, columns) = (expand.spec.input, depthwise.spec.padding[1]);
        let residual = project.epilogue.residual;
        Ok(Self { input, wide, columns, output, residual, groups, cut, path })
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
        let height = self.output.height;
        let bands = height.div_ceil(self.cut.rows).next_multiple_of(share::idle_threads()).min(height);
        share::for_each(bands, |band| {
            let (first, end) = (band * height / bands, (band + 1) * height / bands);
            // All parts are alike, but for a last one of fewer blocks.
            let part = &self.groups[0].parts[0];
            let read = (part.blocks[0].reads(first).0, part.blocks[0].reads(end - 1).1);
            let width = self.wide.width + self.columns[0] + self.columns[1];
            let expanded = (read.1 - read.0) * width * BLOCK * part.blocks.len();
            let filtered = (end - first) * self.output.width * self.cut.group;
            let copied = part.expand.copied(read.1 - read.0);
            lend(expanded + filtered + copied, |room| {
                let (expanded, room) = room.split_at_mut(expanded);
                let (filtered, room) = room.split_at_mut(filtered);
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
                    copy: &mut room[..copied],
                });
            });
        });
        Ok(())
    }
}
