//! Teachers: frozen backbones that know natural images, kept by name.

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
    /// Whether it has several levels, as most methods need; a patch description network has one.
    #[must_use]
    pub fn is_backbone(&self) -> bool {
        PdnSize::of(self.network.name).is_none()
    }
}

/// What is wrong with the bytes of a weight file, in a sentence that says what to do.
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
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no weight file.
    #[error("{path} is not a weight file that can be read: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        source: WeightFileError,
    },
    /// The tensors belong to no known architecture, or some don't fit.
    #[error("{path}: {source}", path = path.display())]
    Fold {
        /// The file.
        path: PathBuf,
        /// The first tensor that doesn't fit.
        source: FoldError,
    },
    /// The tensors' names are no known architecture's.
    #[error(
        "{path}: its tensors ({names}) have the names of no network that can be a teacher; give the weights of one of these: {known}",
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
    #[error("`{0}` can't be a teacher's name; use letters, digits, `-`, `_` and `.`, at most 64 of them")]
    Name(String),
    /// No teacher of this name.
    #[error(
        "no teacher is called `{name}` (known: {known}); import one with `trainer teacher import FILE --name {name}`"
    )]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

fn known_networks() -> String {
    Network::all().iter().map(|network| network.name).collect::<Vec<_>>().join(", ")
}
