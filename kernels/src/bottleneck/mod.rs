//! An inverted bottleneck (Sandler et al.: *MobileNetV2*, 2018): 1×1 to many channels, depthwise, 1×1 to few. Computed
//! for some rows and channels at a time, so that the many channels never leave the cache. A network's first convolution
//! stands for the first 1×1 where a block without one follows.

mod band;
mod convert;
mod cut;
mod expand;
mod group;
mod packed;
mod stage;

use half::f16;

use self::packed::Packed;
pub use self::stage::Stage;
use crate::conv::{Algorithm, check_images};
use crate::simd::{Element, HalfPath, Path};
use crate::spec::{Error, Shape, check};

/// A bottleneck of one input shape with its weights packed.
#[derive(Debug)]
pub struct Bottleneck {
    input: Shape,
    output: Shape,
    residual: bool,
    packed: Kind,
}

/// The weights, as what it computes with.
#[derive(Debug)]
enum Kind {
    Single(Packed<f32>),
    Half(Packed<f16>),
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
        Self::with(expand, depthwise, project, path, Kind::Single)
    }

    /// [`Self::new`], computing with 16-bit floats: input and weights become the nearest ones, the products of some of the
    /// many channels are summed with 16 bits, and these sums with 32 bits into the output. Twice as many values a vector,
    /// and three decimal digits each.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn new_half(
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        path: HalfPath,
    ) -> Result<Self, Error> {
        Self::with(expand, depthwise, project, path, Kind::Half)
    }

    fn with<E: Element>(
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        path: E::Path,
        kind: fn(Packed<E>) -> Kind,
    ) -> Result<Self, Error> {
        let (wide, narrow, output) = (expand.spec.sums()?, depthwise.spec.sums()?, project.spec.sums()?);
        // Minimal filtering beats what is saved here.
        let expands = matches!(Algorithm::for_spec(&expand.spec), Algorithm::Pointwise | Algorithm::Direct);
        let of_three = expands
            && !expand.epilogue.average_pool
            && Algorithm::Pointwise.fits(&project.spec)
            && !project.epilogue.average_pool
            && Algorithm::Depthwise.fits(&depthwise.spec)
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
        let packed = kind(Packed::new(expand, depthwise, project, output, path)?);
        Ok(Self { input: expand.spec.input, output, residual: project.epilogue.residual, packed })
    }

    /// Shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Whether it computes with 16-bit floats.
    #[must_use]
    pub const fn is_half(&self) -> bool {
        matches!(self.packed, Kind::Half(_))
    }

    /// Computes one image. `residual`, where there is one, and `output` have the output's shape.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has another length than the shapes say.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> Result<(), Error> {
        let residual = check_images((self.input, input), (self.output, output), (self.residual, residual))?;
        match &self.packed {
            Kind::Single(packed) => packed.run(input, residual, output),
            Kind::Half(packed) => packed.run(input, residual, output),
        }
        Ok(())
    }
}
