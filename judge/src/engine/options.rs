//! Options for running a model: engine, arithmetic, vectors and threads.

use kernels::Isa;
use shared_format::Arithmetic;

use super::error::{EngineError, VECTORS};
use super::replace::Isas;

pub(super) fn selected_isa() -> Result<Isa, EngineError> {
    let Some(wanted) = std::env::var_os(VECTORS) else { return Ok(Isa::best()) };
    let all = Isa::all();
    all.iter().find(|isa| wanted == isa.name()).copied().ok_or_else(|| EngineError::Vectors {
        wanted: wanted.to_string_lossy().into_owned(),
        found: all.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Checks that this program can compute with the arithmetic on this processor, natively or by emulation.
///
/// # Errors
/// [`EngineError::Half`] if it can't, [`EngineError::Vectors`] if [`VECTORS`] names instructions that the processor lacks.
pub fn check_arithmetic(arithmetic: Arithmetic) -> Result<(), EngineError> {
    Isas::of(selected_isa()?, arithmetic).map(drop)
}

/// What computes a model's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The project's own kernels where they match, tract for everything else.
    #[default]
    Kernels,
    /// tract alone, for comparison.
    Plain,
}

/// How to run a model.
///
/// ```
/// use judge::{Arithmetic, Engine, Options};
///
/// let two_threads = Options { threads: 2, ..Options::default() };
/// assert_eq!((two_threads.engine, two_threads.arithmetic), (Engine::Kernels, Arithmetic::Single));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What computes the operations.
    pub engine: Engine,
    /// The floats that the kernels compute with; [`Engine::Plain`] always uses 32-bit floats. With those, engines differ
    /// only in rounding: by at most 1e-4 of a map's maximum.
    pub arithmetic: Arithmetic,
    /// Above 1, independent branches of the graph, such as a teacher and a student, run side by side, and idle threads help
    /// with the others' kernels; a frame's tiles are run side by side, too. Results are bit-identical. 0 counts as 1.
    pub threads: usize,
}

impl Default for Options {
    /// Returns the kernels with 32-bit floats on one thread.
    fn default() -> Self {
        Self { engine: Engine::default(), arithmetic: Arithmetic::default(), threads: 1 }
    }
}
