//! Errors from loading or running a model.

use tract_core::prelude::TractError;

/// The environment variable that selects the vector instructions of the kernels, such as `portable` or `avx2`, instead of the
/// processor's fastest: for measurements, or to rule them out when a machine gives wrong results.
pub const VECTORS: &str = "NOMINAL_VECTORS";

/// Why a model can't be loaded or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The bytes are not an ONNX model that the engine can read.
    #[error("the model cannot be read as ONNX ({0}); export or copy the bundle again")]
    Model(String),
    /// Not exactly one input of 32-bit floats.
    #[error("the model has {0}, but must have exactly one input of 32-bit floats; export it again")]
    Input(String),
    /// The model's input has a different shape from the recipe's.
    #[error(
        "the model takes {model}, but the recipe gives {recipe}; model and threshold file belong to different bundles: copy both again"
    )]
    InputShape {
        /// The shape declared in the model.
        model: String,
        /// The recipe's shape.
        recipe: String,
    },
    /// No output of that name.
    #[error(
        "the model has no output `{wanted}` (it has {found}); export it again with this program's trainer"
    )]
    OutputMissing {
        /// The name asked for.
        wanted: String,
        /// The names of the existing outputs.
        found: String,
    },
    /// An output is not floats of a fixed shape, or not of the shape that a judged model must have.
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
    /// The number of values doesn't match the input.
    #[error(
        "the model takes {expected} values, but {found} were given; prepare the frame with the model's own recipe"
    )]
    InputLength {
        /// Product of the input's dimensions.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// [`VECTORS`] names instructions that this processor doesn't have.
    #[error(
        "{VECTORS} is `{wanted}`, but this processor has {found}; set it to one of these, or unset it for the fastest"
    )]
    Vectors {
        /// The value of the variable.
        wanted: String,
        /// The instructions that the processor has.
        found: String,
    },
    /// 16-bit floats are requested, but neither this processor nor the vectors that [`VECTORS`] names support them.
    #[error(
        "the bundle is calibrated for 16-bit floats, which this processor's `{vectors}` instructions do not support; \
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

pub(super) fn in_one_line(error: &TractError) -> String {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let text = chain.join(": ").replace('\n', " ");
    // Some of tract's messages print whole tensors.
    if text.chars().count() > 300 { text.chars().take(300).chain(['…']).collect() } else { text }
}

pub(super) fn describe_shape(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    if sides.is_empty() { "a single value".to_owned() } else { sides.join("×") }
}

/// Returns the error for an output of an unexpected shape.
pub(crate) fn unexpected_output(name: &str, found: &[usize], expected: &[usize]) -> EngineError {
    EngineError::Output {
        name: name.to_owned(),
        found: describe_shape(found),
        expected: describe_shape(expected),
    }
}
