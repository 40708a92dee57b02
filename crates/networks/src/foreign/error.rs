//! Why a model of another maker can't be taken over.

use std::path::PathBuf;

use judge::EngineError;
use shared_format::Size;

/// Why a model of another maker can't be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// A file can't be read.
    #[error("{path}: {source}; check the path and its permissions", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no ONNX model.
    #[error("{path} is no ONNX model ({reason}); export it again", path = path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A constant's values lie in another file that can't be used.
    #[error(
        "the values of `{constant}` lie in another file, and {reason}; put that file beside the model, as it was exported, or \
         export the model with its weights inside"
    )]
    External {
        /// The constant.
        constant: String,
        /// What is wrong.
        reason: String,
    },
    /// Functions of its own.
    #[error(
        "it defines functions of its own, such as `{0}`, which the judge doesn't read; export it with its functions inlined"
    )]
    Functions(String),
    /// The input isn't one image of three channels.
    #[error(
        "it takes {0}; a model that can be taken over takes one image of 32-bit floats, batch × 3 × height × width"
    )]
    Input(String),
    /// The input's size is fixed.
    #[error("it takes images of {}×{} only, not {}×{}", .model.width, .model.height, .wanted.width, .wanted.height)]
    Size {
        /// The model's.
        model: Size,
        /// What was asked for.
        wanted: Size,
    },
    /// It can't be told which output is which.
    #[error("which of its outputs is the {what} can't be told (there are {found}); say which")]
    Outputs {
        /// `anomaly map` or `score`.
        what: &'static str,
        /// The outputs' names.
        found: String,
    },
    /// No value has the name that was said.
    #[error("it has no value `{wanted}`; its outputs are {found}")]
    Value {
        /// The name that was said.
        wanted: String,
        /// The outputs' names.
        found: String,
    },
    /// The map has another shape than a map.
    #[error(
        "its `{name}` has the shape {shape:?}; an anomaly map has a height and a width, more than one position, and no other axis longer than 1"
    )]
    Map {
        /// The value's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The score is more than one number.
    #[error("its `{name}` has the shape {shape:?}; a score is one number")]
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
