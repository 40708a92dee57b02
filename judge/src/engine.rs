//! Runs an ONNX model. The only module that names the inference engine, tract.

mod branches;
mod check;
mod profile;
mod reader;
mod replace;

use kernels::Path;
use rayon::{ThreadPool, ThreadPoolBuilder};
use shared_format::Arithmetic;
use tract_core::internal::format_err;
use tract_core::prelude::*;

use self::branches::Schedule;
pub use self::profile::OperationTime;
use self::replace::Paths;
pub use self::replace::Replaced;

use crate::guard::guarded;

/// Why a model can't be loaded or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The bytes are not an ONNX model that the engine understands.
    #[error("the model cannot be read as ONNX ({0}); export or copy the bundle again")]
    Model(String),
    /// Not exactly one input of 32-bit floats.
    #[error("the model has {0}; a judged model has one input of 32-bit floats: export it again")]
    Input(String),
    /// The model's input has another shape than the recipe.
    #[error(
        "the model takes {model} but the recipe gives {recipe}; model and threshold file belong to different bundles: copy both again"
    )]
    InputShape {
        /// Declared in the model.
        model: String,
        /// Asked for.
        recipe: String,
    },
    /// No output of that name.
    #[error(
        "the model has no output `{wanted}` (it has {found}); export it again with this program's trainer"
    )]
    OutputMissing {
        /// The name asked for.
        wanted: String,
        /// The names there are.
        found: String,
    },
    /// An output that is not floats of a fixed shape, or not of the shape that a judged model gives.
    #[error(
        "the model's output `{name}` is {found}, not {expected}; export it again with this program's trainer"
    )]
    Output {
        /// Name of the output.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The number of values given isn't the input's.
    #[error(
        "the model takes {expected} values, {found} were given; prepare the frame with the model's own recipe"
    )]
    InputLength {
        /// Product of the input's dimensions.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// [`VECTORS`] names what this processor doesn't have.
    #[error(
        "{VECTORS} is `{wanted}`, this processor has {found}; name one of them, or unset it for the fastest"
    )]
    Vectors {
        /// What it says.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// 16-bit floats are asked for, with which this processor, or the vectors that [`VECTORS`] names, doesn't compute.
    #[error(
        "the bundle is calibrated for 16-bit floats, with which this processor's `{vectors}` instructions don't compute; \
         calibrate it for 32-bit floats where it was made, or judge with a program that emulates 16-bit floats"
    )]
    Half {
        /// The name of the vector instructions.
        vectors: String,
    },
    /// The engine failed on a frame.
    #[error(
        "the engine failed while judging ({0}); judge the frame again, and report the bundle if that fails too"
    )]
    Run(String),
}

/// The environment variable that names the vector instructions of the kernels, such as `portable` or `avx2`, where the fastest
/// of the processor are not wanted: to measure, or to rule them out when a machine gives wrong results.
pub const VECTORS: &str = "NOMINAL_VECTORS";

fn vectors() -> Result<Path, EngineError> {
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
pub enum Engine {
    /// The project's own kernels where they match, tract for everything else.
    #[default]
    Kernels,
    /// tract alone: to compare with.
    Plain,
}

/// An ONNX model with one image-like input, ready to run.
#[derive(Debug)]
pub struct Network {
    replaced: Vec<Replaced>,
    is_emulated: bool,
    plan: Arc<TypedRunnableModel>,
    /// At least one; one for each thread after the first frame.
    states: Vec<TypedSimpleState>,
    /// Where there are several threads.
    schedule: Option<Schedule>,
    threads: usize,
    /// The threads, started by the first frame: they inherit the priority of the thread that judges.
    pool: Option<ThreadPool>,
    input: [usize; 4],
    output_shapes: Vec<Vec<usize>>,
}

impl Network {
    /// Loads and optimises a model for a fixed input shape (batch, channels, height, width).
    ///
    /// `outputs` names the results to compute, in this order; any named value of the graph will do. `threads` above 1
    /// runs independent branches of the graph, such as a teacher and a student, side by side, lets idle threads take
    /// part in the others' kernels, and gives the same values to the bit. 0 counts as 1.
    ///
    /// # Errors
    /// [`EngineError`]: not a usable model, other input shape, missing output.
    pub fn load(
        onnx: &[u8],
        input: [usize; 4],
        outputs: &[&str],
        threads: usize,
    ) -> Result<Self, EngineError> {
        Self::load_with(Engine::default(), Arithmetic::default(), onnx, input, outputs, threads)
    }

    /// [`Self::load`] with an engine of the caller's choice, and the arithmetic of its kernels; [`Engine::Plain`] always computes
    /// with 32-bit floats. With those, engines differ in rounding: at most 1e-4 of a map's maximum. Bytes that are given away
    /// are freed as soon as they are read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        engine: Engine,
        arithmetic: Arithmetic,
        onnx: impl AsRef<[u8]>,
        input: [usize; 4],
        outputs: &[&str],
        threads: usize,
    ) -> Result<Self, EngineError> {
        guarded(|| load(engine, arithmetic, onnx, input, outputs, threads))
            .unwrap_or_else(|panic| Err(EngineError::Model(panic)))
    }

    /// Runs the model on batch × channels × height × width values and returns the outputs' values, row-major.
    ///
    /// # Errors
    /// [`EngineError::InputLength`], or [`EngineError::Run`] where the engine fails; the network stays usable.
    pub fn run(&mut self, input: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.check(input)?;
        let ran = guarded(|| run(self, input));
        let result = ran.unwrap_or_else(|panic| Err(EngineError::Run(panic)));
        if result.is_err() {
            // A failed run leaves half of its intermediate values behind.
            self.states = spawn(&self.plan).map_err(|e| EngineError::Run(in_one_line(&e)))?;
        }
        result
    }

    /// What the project's own kernels compute; empty with [`Engine::Plain`] or where none matches.
    #[must_use]
    pub fn replaced(&self) -> &[Replaced] {
        &self.replaced
    }

    /// Whether 16-bit floats are asked for that the kernels can't compute with on this processor, or on the vectors that
    /// [`VECTORS`] names: they come to the same values by rounding others, slowly.
    #[must_use]
    pub const fn is_emulated(&self) -> bool {
        self.is_emulated
    }

    /// How long each operation takes on one thread: the median over `rounds` runs, in the order of evaluation.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn profile(&mut self, input: &[f32], rounds: usize) -> Result<Vec<OperationTime>, EngineError> {
        self.check(input)?;
        guarded(|| profile::profile(&self.plan, self.input, input, rounds))
            .unwrap_or_else(|panic| Err(format_err!("{panic}")))
            .map_err(|e| EngineError::Run(in_one_line(&e)))
    }

    fn check(&self, input: &[f32]) -> Result<(), EngineError> {
        let expected = self.input.iter().product();
        if input.len() == expected {
            Ok(())
        } else {
            Err(EngineError::InputLength { expected, found: input.len() })
        }
    }

    /// Shapes of the outputs, in the order of their names at [`Self::load`].
    #[must_use]
    pub fn output_shapes(&self) -> &[Vec<usize>] {
        &self.output_shapes
    }
}

fn in_one_line(error: &TractError) -> String {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let text = chain.join(": ").replace('\n', " ");
    // Some of tract's messages print whole tensors.
    if text.chars().count() > 300 { text.chars().take(300).chain(['…']).collect() } else { text }
}

fn in_words(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    if sides.is_empty() { "a single value".to_owned() } else { sides.join("×") }
}

fn load(
    engine: Engine,
    arithmetic: Arithmetic,
    onnx: impl AsRef<[u8]>,
    input: [usize; 4],
    outputs: &[&str],
    threads: usize,
) -> Result<Network, EngineError> {
    let unreadable = |e: TractError| EngineError::Model(in_one_line(&e));
    let graph = reader::read(onnx, input, outputs)?;
    let (model, replaced, is_emulated) = match engine {
        Engine::Kernels => {
            let paths = Paths::of(vectors()?, arithmetic)?;
            let (model, replaced) = replace::replace(graph, paths).map_err(unreadable)?;
            (model, replaced, paths.half.is_some_and(|half| !half.is_native()))
        }
        Engine::Plain => (graph, Vec::new(), false),
    };
    let model = model.into_optimized().map_err(unreadable)?;
    let output_shapes = outputs
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let fact = model.output_fact(i).map_err(unreadable)?;
            let shape = fact.shape.as_concrete().filter(|_| fact.datum_type == f32::datum_type());
            shape.map(<[usize]>::to_vec).ok_or_else(|| EngineError::Output {
                name: (*name).to_owned(),
                found: format!("{fact:?}"),
                expected: "32-bit floats of a fixed shape".to_owned(),
            })
        })
        .collect::<Result<_, _>>()?;
    let plan = model.into_runnable().map_err(unreadable)?;
    let schedule = if threads > 1 { Schedule::of(&plan).map_err(unreadable)? } else { None };
    let most = if replaced.is_empty() { schedule.as_ref().map_or(1, Schedule::width) } else { usize::MAX };
    let threads = threads.min(most).max(1);
    let schedule = schedule.filter(|_| threads > 1);
    let states = spawn(&plan).map_err(unreadable)?;
    Ok(Network { replaced, is_emulated, plan, states, schedule, threads, pool: None, input, output_shapes })
}

fn spawn(plan: &Arc<TypedRunnableModel>) -> TractResult<Vec<TypedSimpleState>> {
    Ok(vec![plan.spawn()?])
}

fn run(network: &mut Network, input: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
    let failed = |e: TractError| EngineError::Run(in_one_line(&e));
    let input = Tensor::from_shape(&network.input, input).map_err(failed)?.into_tvalue();
    let outputs = match (&network.schedule, &mut network.states) {
        (Some(schedule), states) => {
            let pool = match network.pool.take() {
                Some(pool) => pool,
                None => start_threads(network.threads)?,
            };
            let outputs = schedule.run(&network.plan, &pool, states, input);
            network.pool = Some(pool);
            outputs
        }
        (None, states) => match &mut states[..] {
            [state, ..] => state.run(tvec![input]),
            [] => Err(format_err!("no thread was set up")),
        },
    };
    let outputs = outputs.map_err(failed)?;
    outputs
        .iter()
        .map(|out| out.try_as_plain_ram().and_then(|v| Ok(v.as_slice::<f32>()?.to_vec())).map_err(failed))
        .collect()
}

fn start_threads(count: usize) -> Result<ThreadPool, EngineError> {
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|_| "judge".to_owned()).build();
    pool.map_err(|e| EngineError::Run(format!("{count} threads can't be started: {e}")))
}

/// The error for an output of an unexpected shape.
pub(crate) fn unexpected_output(name: &str, found: &[usize], expected: &[usize]) -> EngineError {
    EngineError::Output { name: name.to_owned(), found: in_words(found), expected: in_words(expected) }
}
