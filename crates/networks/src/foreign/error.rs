//! Errors of adopting a third-party model.

use std::path::PathBuf;

use judge::EngineError;
use shared_format::Size;

/// Why a third-party model can't be adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// A file can't be read.
    #[error("{path}: {source}; check the path and its permissions", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a valid ONNX model.
    #[error("{path} is not a valid ONNX model ({reason}); export it again", path = path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A constant's values are in another file, which can't be used.
    #[error(
        "the values of `{constant}` are in another file, and {reason}; put that file beside the model, as it was exported, or \
         export the model with embedded weights"
    )]
    External {
        /// The constant.
        constant: String,
        /// What is wrong.
        reason: String,
    },
    /// The model defines its own functions.
    #[error(
        "it defines its own functions, such as `{0}`, which the judge doesn't support; export it with its functions inlined"
    )]
    Functions(String),
    /// The input isn't one image of three channels.
    #[error(
        "it takes {0}; only models that take one image of 32-bit floats, batch × 3 × height × width, can be adopted"
    )]
    Input(String),
    /// The input's size is fixed.
    #[error("it only takes images of {}×{}, not {}×{}", .model.width, .model.height, .wanted.width, .wanted.height)]
    Size {
        /// The model's size.
        model: Size,
        /// The requested size.
        wanted: Size,
    },
    /// The outputs can't be identified.
    #[error("can't tell which of its outputs ({found}) is the {what}; name it")]
    Outputs {
        /// `anomaly map` or `score`.
        what: &'static str,
        /// The outputs' names.
        found: String,
    },
    /// No value has the given name.
    #[error("it has no value `{wanted}`; its outputs are {found}")]
    Value {
        /// The given name.
        wanted: String,
        /// The outputs' names.
        found: String,
    },
    /// The map doesn't have the shape of a map.
    #[error(
        "its `{name}` has the shape {shape:?}; an anomaly map must have a height and a width, more than one position, and no other axis longer than 1"
    )]
    Map {
        /// The value's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The score isn't a single number.
    #[error("its `{name}` has the shape {shape:?}; a score must be one number")]
    Score {
        /// The value's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The judge can't run it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
