//! Stores imported teachers, each in one safetensors file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use judge::{ReadError, read_regular_file};

use super::{Teacher, TeacherError, safetensors_file};
use crate::architecture::{Network, fold};

/// Maximum size of a teacher's file; the largest backbone has a tenth of that.
const MAX_BYTES: u64 = 2 << 30;

/// A folder of imported teachers, plus those built into a program.
#[derive(Debug, Clone)]
pub struct Library {
    folder: PathBuf,
    shipped: &'static [Shipped],
}

/// A teacher built into the program.
#[derive(Debug)]
pub struct Shipped {
    /// Its name; an imported teacher with the same name takes precedence.
    pub name: &'static str,
    /// Its file, as written by [`Library::keep`] or by a distillation.
    pub file: &'static [u8],
}

impl Library {
    /// Returns the user's library: `$NOMINAL_HOME/teachers`, else `$XDG_DATA_HOME/nominal/teachers`, else
    /// `~/.local/share/nominal/teachers` (on Windows `%LOCALAPPDATA%\nominal\teachers`).
    #[must_use]
    pub fn of_user() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = set("NOMINAL_HOME").or_else(|| set("XDG_DATA_HOME").map(|data| data.join("nominal")));
        let home = home.or_else(|| {
            let local = cfg!(windows).then(|| set("LOCALAPPDATA"));
            local.flatten().map(|data| data.join("nominal"))
        });
        let home = home.or_else(|| set("HOME").map(|home| home.join(".local/share/nominal")));
        Self::at(&home.unwrap_or_else(|| PathBuf::from(".nominal")).join("teachers"))
    }

    /// Returns a library in this folder, which need not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), shipped: &[] }
    }

    /// Returns this library plus these teachers.
    #[must_use]
    pub fn with(self, shipped: &'static [Shipped]) -> Self {
        Self { shipped, ..self }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stores a teacher, replacing one with the same name. `source` is the file that it came from.
    ///
    /// # Errors
    /// See [`TeacherError`]; the library is then unchanged.
    pub fn keep(&self, teacher: &Teacher, source: &str) -> Result<(), TeacherError> {
        let path = self.path(&teacher.name)?;
        let network = teacher.network.name.to_owned();
        let metadata =
            HashMap::from([("network".to_owned(), network), ("source".to_owned(), source.to_owned())]);
        let bytes = safetensors_file::write(&teacher.weights, metadata);
        write_file(&path, &bytes).map_err(|source| TeacherError::Io { path, source })
    }

    /// Returns the names of all teachers, sorted.
    ///
    /// # Errors
    /// If the folder exists but can't be listed.
    pub fn names(&self) -> Result<Vec<String>, TeacherError> {
        let mut names: Vec<String> = self.shipped.iter().map(|shipped| shipped.name.to_owned()).collect();
        let failed = |source| TeacherError::Io { path: self.folder.clone(), source };
        match std::fs::read_dir(&self.folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries.map_err(failed)? {
                    let file = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
                    let name = file.strip_suffix(".safetensors").filter(|name| is_name(name));
                    names.extend(name.map(str::to_owned));
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Returns whether [`Self::load`] with this name returns a teacher built into the program.
    #[must_use]
    pub fn is_shipped(&self, name: &str) -> bool {
        self.shipped(name).is_some() && self.path(name).is_ok_and(|path| !path.is_file())
    }

    fn shipped(&self, name: &str) -> Option<&'static Shipped> {
        self.shipped.iter().find(|shipped| shipped.name == name)
    }

    /// Loads the teacher called `name`.
    ///
    /// # Errors
    /// If there is none, or its file is damaged.
    pub fn load(&self, name: &str) -> Result<Teacher, TeacherError> {
        let path = self.path(name)?;
        if !path.is_file() {
            if let Some(shipped) = self.shipped(name) {
                return parse(shipped.file, &path, name);
            }
            let names = self.names()?;
            let known = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
            return Err(TeacherError::Unknown { name: name.to_owned(), known });
        }
        load_file(&path, name)
    }

    /// Checks whether a teacher can have this name.
    ///
    /// # Errors
    /// [`TeacherError::Name`] if it can't be a file name.
    pub fn check_name(&self, name: &str) -> Result<(), TeacherError> {
        self.path(name).map(drop)
    }

    fn path(&self, name: &str) -> Result<PathBuf, TeacherError> {
        if is_name(name) {
            Ok(self.folder.join(format!("{name}.safetensors")))
        } else {
            Err(TeacherError::Name(name.to_owned()))
        }
    }
}

/// Loads a teacher from a file written by [`Library::keep`] or a training run.
///
/// # Errors
/// If the file can't be read or doesn't fit its architecture.
pub fn load_file(path: &Path, name: &str) -> Result<Teacher, TeacherError> {
    parse(&read_file(path, MAX_BYTES)?, path, name)
}

/// Reads a regular file of at most `max` bytes.
pub(super) fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, TeacherError> {
    read_regular_file(path, max).map_err(|e| match e {
        ReadError::Io(source) => TeacherError::Io { path: path.to_owned(), source },
        e => TeacherError::Format { path: path.to_owned(), source: e.to_string().into() },
    })
}

fn parse(bytes: &[u8], path: &Path, name: &str) -> Result<Teacher, TeacherError> {
    let damaged = |source| TeacherError::Format { path: path.to_owned(), source };
    let (raw, metadata) = safetensors_file::read(bytes).map_err(damaged)?;
    let network = metadata.get("network").and_then(|network| Network::by_name(network));
    let network = network.ok_or_else(|| {
        damaged("it does not name a known network; import the teacher again, or restart the run".into())
    })?;
    let weights =
        fold(&network, &raw).map_err(|source| TeacherError::Fold { path: path.to_owned(), source })?;
    Ok(Teacher { name: name.to_owned(), network, weights })
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(allowed)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_no_teacher() {
        let error = load_file(Path::new("/dev/null"), "student").unwrap_err().to_string();
        assert!(error.contains("/dev/null") && error.contains("not a regular file"), "{error}");
    }
}
