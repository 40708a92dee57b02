//! How a model is computed: by whom, with which floats and vectors, on how many threads.

use kernels::Path;
use shared_format::Arithmetic;

use super::error::{EngineError, VECTORS};
use super::replace::Paths;

pub(super) fn vectors() -> Result<Path, EngineError> {
    let Some(wanted) = std::env::var_os(VECTORS) else { return Ok(Path::best()) };
    let all = Path::all();
    all.iter().find(|path| wanted == path.name()).copied().ok_or_else(|| EngineError::Vectors {
        wanted: wanted.to_string_lossy().into_owned(),
        found: all.iter().map(|path| path.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Whether this program computes with that arithmetic on this processor, natively or by emulation.
///
/// # Errors
/// [`EngineError::Half`] where it doesn't, [`EngineError::Vectors`] where [`VECTORS`] names what the processor lacks.
pub fn check_arithmetic(arithmetic: Arithmetic) -> Result<(), EngineError> {
    Paths::of(vectors()?, arithmetic).map(drop)
}

/// Who computes a model's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The project's own kernels where they match, tract for everything else.
    #[default]
    Kernels,
    /// tract alone: to compare with.
    Plain,
}

/// How a model is to be computed.
///
/// ```
/// use judge::{Arithmetic, Engine, Options};
///
/// let two_threads = Options { threads: 2, ..Options::default() };
/// assert_eq!((two_threads.engine, two_threads.arithmetic), (Engine::Kernels, Arithmetic::Single));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Who computes.
    pub engine: Engine,
    /// What the kernels compute with; [`Engine::Plain`] always computes with 32-bit floats. With those, engines differ in
    /// rounding: at most 1e-4 of a map's maximum.
    pub arithmetic: Arithmetic,
    /// Above 1, independent branches of the graph, such as a teacher and a student, run side by side, and idle threads take
    /// part in the others' kernels; values are the same to the bit. 0 counts as 1.
    pub threads: usize,
}

impl Default for Options {
    /// The kernels with 32-bit floats on one thread.
    fn default() -> Self {
        Self { engine: Engine::default(), arithmetic: Arithmetic::default(), threads: 1 }
    }
}
