//! Inverted bottlenecks (Sandler et al.: *MobileNetV2*, 2018): a 1×1 expansion, a depthwise convolution and a 1×1 projection. They are
//! computed for some rows and channels at a time, so that the expanded channels never leave the cache. A network's first convolution
//! takes the role of the expansion if the block after it has none.

mod band;
mod blocking;
mod convert;
mod expand;
mod group;
mod stage;
mod weights;

use half::f16;

pub use self::stage::BottleneckStage;
use self::weights::BottleneckWeights;
use crate::conv::{Algorithm, check_images};
use crate::simd::{Element, HalfIsa, Isa};
use crate::spec::{Error, Shape, check_length};

/// A bottleneck for one input shape, with packed weights.
#[derive(Debug)]
pub struct Bottleneck {
    input: Shape,
    output: Shape,
    residual: bool,
    packed: TypedWeights,
}

/// The weights, in the float type used for computing.
#[derive(Debug)]
enum TypedWeights {
    Single(BottleneckWeights<f32>),
    Half(BottleneckWeights<f16>),
}

impl Bottleneck {
    /// Packs the three convolutions.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if they don't form a bottleneck or its expanded channels can't be split into groups; [`Error::Length`] if
    /// weights or bias have the wrong length.
    pub fn new(
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        project: &BottleneckStage<'_>,
        isa: Isa,
    ) -> Result<Self, Error> {
        Self::pack(expand, depthwise, project, isa, TypedWeights::Single)
    }

    /// [`Self::new`], computing with 16-bit floats. Input and weights are rounded to 16 bits; within a group of expanded channels,
    /// products are summed with 16 bits, and the groups' sums are added to the output with 32 bits. This doubles the values per vector,
    /// at a precision of three decimal digits.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn new_half(
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        project: &BottleneckStage<'_>,
        isa: HalfIsa,
    ) -> Result<Self, Error> {
        Self::pack(expand, depthwise, project, isa, TypedWeights::Half)
    }

    fn pack<E: Element>(
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        project: &BottleneckStage<'_>,
        isa: E::Isa,
        kind: fn(BottleneckWeights<E>) -> TypedWeights,
    ) -> Result<Self, Error> {
        let (wide, narrow, output) = (expand.spec.sums()?, depthwise.spec.sums()?, project.spec.sums()?);
        // Minimal filtering saves more than fusing does.
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
            return Err(Error::Unsupported(
                "these convolutions don't form an inverted bottleneck".to_owned(),
            ));
        }
        for stage in [expand, depthwise, project] {
            check_length("weights", stage.spec.outputs * stage.spec.taps(), stage.weights)?;
            check_length("bias", stage.spec.outputs, stage.bias)?;
        }
        let packed = kind(BottleneckWeights::new(expand, depthwise, project, output, isa)?);
        Ok(Self { input: expand.spec.input, output, residual: project.epilogue.residual, packed })
    }

    /// Returns the shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Returns whether it computes with 16-bit floats.
    #[must_use]
    pub const fn is_half(&self) -> bool {
        matches!(self.packed, TypedWeights::Half(_))
    }

    /// Computes one image. `output` and `residual`, if any, have the output's shape.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> Result<(), Error> {
        let residual = check_images((self.input, input), (self.output, output), (self.residual, residual))?;
        match &self.packed {
            TypedWeights::Single(packed) => packed.run(input, residual, output),
            TypedWeights::Half(packed) => packed.run(input, residual, output),
        }
        Ok(())
    }
}
