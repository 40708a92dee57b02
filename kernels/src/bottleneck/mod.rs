//! Inverted bottlenecks (Sandler et al.: *MobileNetV2*, 2018): a 1×1 expansion, a depthwise convolution and a 1×1 projection. They are
//! computed for some rows and channels at a time, so that the expanded channels never leave the cache. A network's first convolution
//! takes the role of the expansion if the block after it has none.

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

/// A bottleneck for one input shape, with packed weights.
#[derive(Debug)]
pub struct Bottleneck {
    input: Shape,
    output: Shape,
    residual: bool,
    packed: Kind,
}

/// The weights, in the float type used for computing.
#[derive(Debug)]
enum Kind {
    Single(Packed<f32>),
    Half(Packed<f16>),
}

impl Bottleneck {
    /// Packs the three convolutions.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if they don't form a bottleneck or its expanded channels can't be split into groups; [`Error::Length`] if
    /// weights or bias have the wrong length.
    pub fn new(
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        path: Path,
    ) -> Result<Self, Error> {
        Self::with(expand, depthwise, project, path, Kind::Single)
    }

    /// [`Self::new`], computing with 16-bit floats. Input and weights are rounded to 16 bits; within a group of expanded channels,
    /// products are summed with 16 bits, and the groups' sums are added to the output with 32 bits. This doubles the values per vector,
    /// at a precision of three decimal digits.
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
            check("weights", stage.spec.outputs * stage.spec.taps(), stage.weights)?;
            check("bias", stage.spec.outputs, stage.bias)?;
        }
        let packed = kind(Packed::new(expand, depthwise, project, output, path)?);
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
        matches!(self.packed, Kind::Half(_))
    }

    /// Computes one image. `output` and `residual`, if any, have the output's shape.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> Result<(), Error> {
        let residual = check_images((self.input, input), (self.output, output), (self.residual, residual))?;
        match &self.packed {
            Kind::Single(packed) => packed.run(input, residual, output),
            Kind::Half(packed) => packed.run(input, residual, output),
        }
        Ok(())
    }
}
