//! The project's kernels as tract operations. Images are 1 × height × width × channels unless stated otherwise.

use std::fmt;

use shared_format::Arithmetic;
use tract_core::internal::*;

use super::buffers::Buffers;

/// What an operation computes. Implemented next to the pattern that it replaces.
pub(super) trait Kernel: fmt::Debug + Send + Sync + 'static {
    /// Returns the floats that it computes with.
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::Single
    }

    /// Computes one image.
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()>;
}

/// The inputs of an operation.
#[derive(Clone, Copy)]
pub(super) struct KernelInputs<'a>(&'a [TValue]);

impl<'a> KernelInputs<'a> {
    pub const fn len(self) -> usize {
        self.0.len()
    }

    pub fn get(self, slot: usize) -> TractResult<&'a [f32]> {
        let image = self.0.get(slot).ok_or_else(|| format_err!("its input {slot} is missing"))?;
        image.try_as_plain_ram()?.as_slice::<f32>()
    }

    /// Returns an input; `None` if there are fewer.
    pub fn optional(self, slot: usize) -> TractResult<Option<&'a [f32]>> {
        (slot < self.len()).then(|| self.get(slot)).transpose()
    }
}

/// One of the project's kernels in a tract model.
#[derive(Clone)]
pub(super) struct KernelOp {
    pub kernel: Arc<dyn Kernel>,
    pub output: TVec<usize>,
    /// Description for people, such as `Winograd F(4×4, 3×3), ReLU`.
    pub description: String,
    pub buffers: Buffers,
}

impl KernelOp {
    pub fn new(kernel: impl Kernel, output: &[usize], description: String, buffers: &Buffers) -> Self {
        Self { kernel: Arc::new(kernel), output: output.into(), description, buffers: buffers.clone() }
    }
}

impl fmt::Debug for KernelOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {:?}", self.description, self.output)
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
        self.description.clone().into()
    }

    op_as_typed_op!();
}

impl EvalOp for KernelOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let output =
            self.buffers.fill(&self.output, |output| self.kernel.run(KernelInputs(&inputs), output))?;
        Ok(tvec![output])
    }
}

impl TypedOp for KernelOp {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(&self.output)])
    }

    as_op!();
}
