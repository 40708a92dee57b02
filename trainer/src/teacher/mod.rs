//! Teachers: frozen backbones that know natural images. Imported once from published weights, then known by name.

mod library;
mod npz;
mod pickle;
mod pth;
mod safetensors_file;

pub use library::Library;
pub(crate) use library::load_file;
pub use safetensors_file::{read as read_safetensors, write as write_safetensors};

use std::path::{Path, PathBuf};

use fit::network::{FoldError, Network, Weights, fold, name_sequential};

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

/// Why a teacher can't be imported or loaded.
#[derive(Debug, thiserror::Error)]
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
    #[error("{path} is not a weight file that can be read: {reason}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The tensors belong to no known architecture, or some don't fit.
    #[error("{path}: {source}", path = path.display())]
    Fold {
        /// The file.
        path: PathBuf,
        /// The first tensor that doesn't fit.
        source: FoldError,
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

/// Reads published weights and finds the architecture that they fit. The format is found by content: a torch `.pth`
/// (zip, or the older layout), `.safetensors`, or `.npz`. Nothing in the file is executed.
///
/// # Errors
/// Names the first tensor that doesn't fit the architecture that the names resemble most.
pub fn read_published(path: &Path) -> Result<(Network, Weights), TeacherError> {
    let bytes = std::fs::read(path).map_err(|source| TeacherError::Io { path: path.to_owned(), source })?;
    let raw =
        read_weights(&bytes).map_err(|reason| TeacherError::Format { path: path.to_owned(), reason })?;
    let raw = name_sequential(raw);
    // Names tell most architectures apart, shapes those of one family.
    let resemblance = |network: &Network| {
        let (mut names, mut shapes) = (0, 0);
        for conv in network.convs() {
            let name = format!("{}.weight", conv.name);
            let mut found = raw.iter().filter(|(key, _)| key.ends_with(&name)).peekable();
            names += usize::from(found.peek().is_some());
            shapes += usize::from(found.any(|(_, array)| array.shape == conv.weight_shape()));
        }
        (names, shapes)
    };
    let mut networks = Network::all();
    networks.sort_by_key(|network| std::cmp::Reverse(resemblance(network)));
    let network = networks.swap_remove(0);
    match fold(&network, &raw) {
        Ok(weights) => Ok((network, weights)),
        Err(source) => Err(TeacherError::Fold { path: path.to_owned(), source }),
    }
}

fn read_weights(bytes: &[u8]) -> Result<Weights, String> {
    if bytes.starts_with(b"PK\x03\x04") {
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))
            .map_err(|e| format!("its zip is damaged: {e}"))?;
        if archive.file_names().flatten().any(|name| name.ends_with(".npy")) {
            npz::read(archive)
        } else {
            pth::read_zip(archive)
        }
    } else if bytes.first() == Some(&0x80) {
        pth::read_legacy(bytes)
    } else {
        safetensors_file::read(bytes).map(|(weights, _)| weights)
    }
}
