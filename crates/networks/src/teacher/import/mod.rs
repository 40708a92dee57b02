//! Imports teachers from published weights; [`Library`] stores them.

mod detect_architecture;
mod npz;
mod pickle;
mod pth;
mod timm;

use std::path::Path;

use self::detect_architecture::detect_architecture;
use crate::architecture::{Network, fold, name_sequential};
use crate::array::Weights;
use crate::teacher::library::read_file;
use crate::teacher::{Library, Teacher, TeacherError, WeightFileError, read_safetensors};

/// Maximum size of a file of published weights: with an optimizer's state, the largest backbone's checkpoint has a fifth of that.
const MAX_BYTES: u64 = 4 << 30;

/// Imports published weights into `library` under `name`, replacing a teacher with that name.
///
/// # Errors
/// See [`TeacherError`]; the library is then unchanged.
pub fn import(library: &Library, file: &Path, name: &str) -> Result<Teacher, TeacherError> {
    library.check_name(name)?;
    let (network, weights) = read_published(file)?;
    let teacher = Teacher { name: name.to_owned(), network, weights };
    library.keep(&teacher, &file.file_name().unwrap_or_default().to_string_lossy())?;
    Ok(teacher)
}

/// Reads published weights and finds the architecture that they fit. The format is detected from the content: a torch `.pth`
/// (zip, or the older layout), `.safetensors`, or `.npz`; checkpoints that hold more than the weights are supported. Nothing
/// in the file is executed.
///
/// # Errors
/// Names the first tensor that doesn't fit the most similar architecture, or some of the names if none is similar.
pub fn read_published(path: &Path) -> Result<(Network, Weights), TeacherError> {
    let bytes = read_file(path, MAX_BYTES)?;
    let raw =
        read_weights(&bytes).map_err(|source| TeacherError::Format { path: path.to_owned(), source })?;
    let raw = timm::name_as_port(name_sequential(raw));
    let network = detect_architecture(&raw)
        .ok_or_else(|| TeacherError::NoNetwork { path: path.to_owned(), names: some_names(&raw) })?;
    match fold(&network, &raw) {
        Ok(weights) => Ok((network, weights)),
        Err(source) => Err(TeacherError::Fold { path: path.to_owned(), source }),
    }
}

/// Returns a few names, to show people what the file contains.
fn some_names(raw: &Weights) -> String {
    /// Maximum number of names.
    const SHOWN: usize = 5;
    /// Maximum number of characters per name.
    const LONGEST: usize = 60;
    let shown = |name: &String| {
        let mut short: String = name.chars().take(LONGEST).collect();
        if short.len() < name.len() {
            short.push('…');
        }
        format!("`{}`", short.escape_debug())
    };
    let mut names: Vec<String> = raw.keys().take(SHOWN).map(shown).collect();
    if raw.len() > SHOWN {
        names.push(format!("{} more", raw.len() - SHOWN));
    }
    names.join(", ")
}

/// Reads the floating-point tensors of a weight file, whatever network they belong to. The format is detected from the
/// content, as in [`read_published`].
///
/// # Errors
/// A sentence that says what is wrong with the bytes, and what to do.
pub fn read_weights(bytes: &[u8]) -> Result<Weights, WeightFileError> {
    if bytes.starts_with(b"PK\x03\x04") {
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))
            .map_err(|e| format!("its zip is damaged: {e}"))?;
        if archive.file_names().flatten().any(|name| name.ends_with(".npy")) {
            npz::read(archive)
        } else {
            pth::read_zip(archive)
        }
    } else if bytes.first() == Some(&0x80) && bytes.get(8) != Some(&b'{') {
        // The length at the start of safetensors can have this byte, too, but is followed by a JSON header.
        pth::read_legacy(bytes)
    } else {
        read_safetensors(bytes).map(|(weights, _)| weights)
    }
}
