//! Teachers: frozen, pre-trained backbones, stored by name.

#[cfg(feature = "import")]
pub mod import;
mod library;
mod safetensors_file;

pub use library::{Library, Shipped, load_file};
pub use safetensors_file::{read as read_safetensors, write as write_safetensors};

use std::borrow::Cow;
use std::path::PathBuf;

use crate::architecture::{FoldError, Network, PdnSize};
use crate::array::Weights;

/// A backbone with its weights, BatchNorm folded.
#[derive(Debug, Clone)]
pub struct Teacher {
    /// The name it was imported under.
    pub name: String,
    /// Its architecture.
    pub network: Network,
    /// `{conv}.weight` and `{conv}.bias` of every convolution.
    pub weights: Weights,
}

impl Teacher {
    /// Returns whether it has several levels, as most methods need; a patch description network has one.
    #[must_use]
    pub fn is_backbone(&self) -> bool {
        PdnSize::of(self.network.name).is_none()
    }
}

/// What is wrong with a weight file, in a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WeightFileError(Cow<'static, str>);

impl From<String> for WeightFileError {
    fn from(sentence: String) -> Self {
        Self(sentence.into())
    }
}

impl From<&'static str> for WeightFileError {
    fn from(sentence: &'static str) -> Self {
        Self(sentence.into())
    }
}

/// Why a teacher can't be imported or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeacherError {
    /// The file can't be read or written.
    #[error("{path}: {source}; check the path and its permissions", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a valid weight file.
    #[error("{path} is not a readable weight file: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        source: WeightFileError,
    },
    /// Some tensors don't fit the architecture.
    #[error("{path}: {source}", path = path.display())]
    Fold {
        /// The file.
        path: PathBuf,
        /// The first tensor that doesn't fit.
        source: FoldError,
    },
    /// The tensors' names don't match any known architecture.
    #[error(
        "{path}: its tensors ({names}) don't match any network that can be a teacher; give the weights of one of these: {known}",
        path = path.display(),
        known = known_networks()
    )]
    NoNetwork {
        /// The file.
        path: PathBuf,
        /// Some of its tensors' names.
        names: String,
    },
    /// A name that can't be a file name.
    #[error("invalid teacher name `{0}`; use at most 64 letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// No teacher has this name.
    #[error(
        "no teacher is called `{name}` (known: {known}); run `trainer setup` for efficientnet-lite0, or import one with `trainer teacher import FILE --name {name}`"
    )]
    Unknown {
        /// The requested name.
        name: String,
        /// The existing names.
        known: String,
    },
}

fn known_networks() -> String {
    Network::all().iter().map(|network| network.name).collect::<Vec<_>>().join(", ")
}
