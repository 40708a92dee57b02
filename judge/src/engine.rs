//! Runs an ONNX model. The only module that names the inference engine, tract.

mod check;
mod error;
mod options;
mod profile;
mod reader;
mod replace;
mod schedule;
mod tiled;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tract_core::internal::format_err;
use tract_core::prelude::*;
use tract_onnx::pb::ModelProto;

pub(crate) use self::error::unexpected_output;
pub use self::error::{EngineError, VECTORS};
use self::error::{describe_shape, in_one_line};
use self::options::selected_isa;
pub use self::options::{Engine, Options, check_arithmetic};
pub use self::profile::OperationTime;
use self::reader::ParsedModel;
use self::replace::Isas;
pub use self::replace::Replacement;
use self::schedule::NodeSchedule;
pub use self::tiled::{TILE_FEATURES, TiledNetwork};

use crate::guard::guarded;

/// An ONNX model with one image-like input, ready to run.
#[derive(Debug)]
pub struct Network {
    replacements: Vec<Replacement>,
    multiply_adds: u64,
    is_emulated: bool,
    plan: Arc<TypedRunnableModel>,
    /// At least one; one per thread after the first frame.
    states: Vec<TypedSimpleState>,
    /// Only with several threads.
    schedule: Option<NodeSchedule>,
    threads: usize,
    /// The threads, started by the first frame so that they inherit the priority of the judging thread.
    pool: Option<Arc<ThreadPool>>,
    input: [usize; 4],
    output_shapes: Vec<Vec<usize>>,
}

impl Network {
    /// Loads and optimises a model for a fixed input shape (batch, channels, height, width), using the kernels with 32-bit
    /// floats.
    ///
    /// `outputs` names the results to compute, in this order; any named value of the graph will do. For `threads`, see
    /// [`Options`].
    ///
    /// # Errors
    /// [`EngineError`]: not a usable model, a different input shape, a missing output.
    pub fn load(
        onnx: &[u8],
        input: [usize; 4],
        outputs: &[&str],
        threads: usize,
    ) -> Result<Self, EngineError> {
        Self::load_with(onnx, input, outputs, Options { threads, ..Options::default() })
    }

    /// Like [`Self::load`], with options. If `onnx` is passed by value, it is freed as soon as it has been read.
    ///
    /// # Errors
    /// As [`Self::load`], and [`EngineError::Half`] if nothing can compute with the arithmetic.
    pub fn load_with(
        onnx: impl Into<Vec<u8>>,
        input: [usize; 4],
        outputs: &[&str],
        options: Options,
    ) -> Result<Self, EngineError> {
        guarded(|| load(reader::decode(onnx.into())?, input, outputs, options))
            .unwrap_or_else(|panic| Err(EngineError::Model(panic.to_string())))
    }

    /// Runs the model on batch × channels × height × width values and returns the outputs' values, row-major.
    ///
    /// # Errors
    /// [`EngineError::InputLength`], or [`EngineError::Run`] if the engine fails; the network stays usable.
    pub fn run(&mut self, input: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.check(input)?;
        let ran = guarded(|| run(self, input));
        let result = ran.unwrap_or_else(|panic| Err(EngineError::Run(panic.to_string())));
        if result.is_err() {
            self.forget()?;
        }
        result
    }

    /// Replaces the states: a failed run leaves half of its intermediate values behind.
    fn forget(&mut self) -> Result<(), EngineError> {
        self.states = spawn(&self.plan).map_err(|e| EngineError::Run(in_one_line(&e)))?;
        Ok(())
    }

    /// Returns what the project's own kernels compute; empty with [`Engine::Plain`] or if no kernel matches.
    #[must_use]
    pub fn replacements(&self) -> &[Replacement] {
        &self.replacements
    }

    /// Returns the multiply-adds for one input by the definition of the operators; kernels may take fewer.
    #[must_use]
    pub const fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// Returns whether 16-bit floats are requested but not supported by this processor, or by the vectors that [`VECTORS`]
    /// names. They are then emulated: the same values, computed slowly by rounding wider floats.
    #[must_use]
    pub const fn is_emulated(&self) -> bool {
        self.is_emulated
    }

    /// Measures how long each operation takes on one thread: the median over `rounds` runs, in the order of evaluation.
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
        let expected = self.input_len();
        if input.len() == expected {
            Ok(())
        } else {
            Err(EngineError::InputLength { expected, found: input.len() })
        }
    }

    /// Returns the number of values that [`Self::run`] takes.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Returns the shapes of the outputs, in the order of their names at [`Self::load`].
    #[must_use]
    pub fn output_shapes(&self) -> &[Vec<usize>] {
        &self.output_shapes
    }
}

fn load(
    model: ModelProto,
    input: [usize; 4],
    outputs: &[&str],
    options: Options,
) -> Result<Network, EngineError> {
    let Options { engine, arithmetic, threads } = options;
    let unreadable = |e: TractError| EngineError::Model(in_one_line(&e));
    let ParsedModel { model: graph, multiply_adds } = reader::read(model, input, outputs)?;
    let (model, replacements, is_emulated) = match engine {
        Engine::Kernels => {
            let isas = Isas::of(selected_isa()?, arithmetic)?;
            let (model, replacements) = replace::replace(graph, isas).map_err(unreadable)?;
            (model, replacements, isas.half.is_some_and(|half| !half.is_native()))
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
    let schedule = if threads > 1 { NodeSchedule::of(&plan).map_err(unreadable)? } else { None };
    // Without kernels that share their blocks, only nodes that run side by side keep several threads busy.
    let schedule = schedule.filter(|schedule| schedule.width() > 1 || !replacements.is_empty());
    let states = spawn(&plan).map_err(unreadable)?;
    Ok(Network {
        replacements,
        multiply_adds,
        is_emulated,
        plan,
        states,
        schedule,
        threads: threads.max(1),
        pool: None,
        input,
        output_shapes,
    })
}

fn spawn(plan: &Arc<TypedRunnableModel>) -> TractResult<Vec<TypedSimpleState>> {
    Ok(vec![plan.spawn()?])
}

fn run(network: &mut Network, input: &[f32]) -> Result<Vec<Vec<f32>>, EngineError> {
    let failed = |e: TractError| EngineError::Run(in_one_line(&e));
    let pool = network.schedule.is_some().then(|| network.pool()).transpose()?;
    let outputs = match (&network.schedule, pool, &mut network.states) {
        (Some(schedule), Some(pool), states) => {
            let input = tensor(network.input, input).map_err(failed)?;
            schedule.run(&network.plan, &pool, states, input).and_then(|outputs| floats(&outputs))
        }
        (_, _, states) => match &mut states[..] {
            [state, ..] => run_state(state, network.input, input),
            [] => Err(format_err!("no thread was set up")),
        },
    };
    outputs.map_err(failed)
}

/// Runs a whole plan on this thread.
fn run_state(state: &mut TypedSimpleState, shape: [usize; 4], input: &[f32]) -> TractResult<Vec<Vec<f32>>> {
    floats(&state.run(tvec![tensor(shape, input)?])?)
}

fn tensor(shape: [usize; 4], values: &[f32]) -> TractResult<TValue> {
    Ok(Tensor::from_shape(&shape, values)?.into_tvalue())
}

fn floats(outputs: &[TValue]) -> TractResult<Vec<Vec<f32>>> {
    outputs.iter().map(|out| Ok(out.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())).collect()
}

impl Network {
    /// Returns the threads, which are started when they are first needed.
    fn pool(&mut self) -> Result<Arc<ThreadPool>, EngineError> {
        if let Some(pool) = &self.pool {
            return Ok(Arc::clone(pool));
        }
        let count = self.threads;
        let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|_| "judge".to_owned()).build();
        let pool = pool.map_err(|e| EngineError::Run(format!("{count} threads can't be started: {e}")))?;
        Ok(Arc::clone(self.pool.insert(Arc::new(pool))))
    }
}
