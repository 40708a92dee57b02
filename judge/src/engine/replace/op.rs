//! The project's kernels as tract operations. Images are 1 × height × width × channels where nothing else is said.

use std::fmt;

use kernels::depth::SpaceToDepth;
use kernels::head::Distance;
use kernels::largest::MeanOfLargest;
use kernels::least::Least;
use kernels::normalise::Normalise;
use kernels::pool::MaxPool;
use kernels::resample::Resample;
use kernels::{Bottleneck, Conv};
use shared_format::Arithmetic;
use tract_core::internal::*;

use super::buffers::Buffers;
use super::least;

/// What an operation computes.
#[derive(Debug)]
pub(super) enum Kernel {
    /// Input, and the residual where the epilogue has one.
    Conv(Box<Conv>),
    /// The same.
    Bottleneck(Bottleneck),
    /// A planar image.
    SpaceToDepth(SpaceToDepth),
    MaxPool(MaxPool),
    Resample(Resample),
    /// Two images of features.
    Distance(Distance),
    /// Images of the same shape.
    Least(Least),
    /// A planar image, to another one.
    Normalise(Normalise),
    /// Any values.
    Largest(MeanOfLargest),
}

impl Kernel {
    /// What it computes with.
    pub const fn arithmetic(&self) -> Arithmetic {
        match self {
            Self::Bottleneck(bottleneck) if bottleneck.is_half() => Arithmetic::Half,
            _ => Arithmetic::Single,
        }
    }

    fn run(&self, inputs: &[TValue], output: &mut [f32]) -> TractResult<()> {
        let image = |slot: usize| -> TractResult<&[f32]> {
            let input = inputs.get(slot).ok_or_else(|| format_err!("its input {slot} is missing"))?;
            input.try_as_plain_ram()?.as_slice::<f32>()
        };
        let residual = || inputs.get(1).map(|_| image(1)).transpose();
        let ran = match self {
            Self::Conv(conv) => conv.run(image(0)?, residual()?, output),
            Self::Bottleneck(bottleneck) => bottleneck.run(image(0)?, residual()?, output),
            Self::SpaceToDepth(deep) => deep.run(image(0)?, output),
            Self::MaxPool(pool) => pool.run(image(0)?, output),
            Self::Resample(resample) => resample.run(image(0)?, output),
            Self::Distance(distance) => distance.run(image(0)?, image(1)?, output),
            Self::Normalise(normalise) => normalise.run(image(0)?, output),
            Self::Largest(largest) => largest.run(image(0)?, output),
            Self::Least(least) => {
                // Room on the stack: a frame allocates nothing.
                let mut images = [&[][..]; least::MOST];
                let images = images.get_mut(..inputs.len()).context("it has too many inputs")?;
                for (slot, room) in images.iter_mut().enumerate() {
                    *room = image(slot)?;
                }
                least.run(images, output)
            }
        };
        ran.map_err(|e| format_err!("{e}"))
    }
}

/// One of the project's kernels in a tract model.
#[derive(Clone)]
pub(super) struct KernelOp {
    pub kernel: Arc<Kernel>,
    pub output: TVec<usize>,
    /// For people: `Winograd F(4×4, 3×3), ReLU`.
    pub words: String,
    pub buffers: Buffers,
}

impl KernelOp {
    pub fn new(kernel: Kernel, output: &[usize], words: String, buffers: &Buffers) -> Self {
        Self { kernel: Arc::new(kernel), output: output.into(), words, buffers: buffers.clone() }
    }
}

impl fmt::Debug for KernelOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {:?}", self.words, self.output)
    }
}

impl PartialEq for KernelOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kernel, &other.kernel)
    }
}

impl Eq for KernelOp {}

impl Op for KernelOp {
    fn name(&self) -> StaticName {
        self.words.clone().into()
    }

    op_as_typed_op!();
}

impl EvalOp for KernelOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let output = self.buffers.fill(&self.output, |output| self.kernel.run(&inputs, output))?;
        Ok(tvec![output])
    }
}

impl TypedOp for KernelOp {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(&self.output)])
    }

    as_op!();
}
