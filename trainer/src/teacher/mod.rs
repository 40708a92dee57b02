//! Imports teachers from published weights, and brings some along; [`fit::teacher`] keeps them.

mod npz;
mod pickle;
mod pth;
mod shipped;

use std::path::Path;

use fit::network::{Network, Weights, fold, name_sequential};
use fit::teacher::{Library, Teacher, TeacherError, read_safetensors};

use self::shipped::SHIPPED;

/// What the user imported, and what comes with this program.
#[must_use]
pub fn user_library() -> Library {
    Library::of_user().with(SHIPPED)
}

/// Imports published weights into `library` under `name`; a teacher of that name is replaced.
///
/// # Errors
/// See [`TeacherError`]; the library is then as it was.
pub fn import(library: &Library, file: &Path, name: &str) -> Result<Teacher, TeacherError> {
    library.check_name(name)?;
    let (network, weights) = read_published(file)?;
    let teacher = Teacher { name: name.to_owned(), network, weights };
    library.keep(&teacher, &file.file_name().unwrap_or_default().to_string_lossy())?;
    Ok(teacher)
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
        read_safetensors(bytes).map(|(weights, _)| weights)
    }
}
