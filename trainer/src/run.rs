//! A training run's folder: settings, teacher, checkpoint, best student, metrics.
//!
//! | file | contents |
//! |---|---|
//! | `run.json` | [`RunSettings`]: everything that reproduces the run, and which image is in which set |
//! | `teacher.safetensors` | the teacher, so that the run stays complete if the library changes |
//! | `checkpoint.safetensors` | the state to resume from |
//! | `best.safetensors` | the best student so far, by the selection images; none for a method whose last student counts |
//! | `student.safetensors` | the finished student, with everything that export needs |
//! | `metrics.jsonl` | one JSON object per line: step, loss, rate, selection |

mod error;
mod settings;

pub use error::RunError;
pub use settings::{MAX_STEPS, RunSettings};

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
pub use networks::ModelState;
use networks::teacher::{Teacher, load_file, read_safetensors, write_safetensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::metrics;

/// A training run on disk.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    /// The settings that the run was started with.
    pub settings: RunSettings,
    /// The teacher as it was when the run started.
    pub teacher: Teacher,
}

const SETTINGS: &str = "run.json";
const TEACHER: &str = "teacher.safetensors";
/// The state to resume from.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The best student so far, by the selection images.
pub const BEST: &str = "best.safetensors";
/// The finished student, with everything that export needs.
pub const STUDENT: &str = "student.safetensors";
/// The note that names the method.
const METHOD: &str = "method";
const METRICS: &str = "metrics.jsonl";

impl Run {
    /// Starts a run in `folder`.
    ///
    /// # Errors
    /// If the folder already holds a run, or can't be written.
    pub fn create(folder: &Path, settings: RunSettings, teacher: Teacher) -> Result<Self, RunError> {
        if folder.join(SETTINGS).exists() {
            return Err(RunError::Exists(folder.to_owned()));
        }
        let failed = |source| RunError::Io { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Leftovers of an interrupted start may stay; any other file belongs to someone else.
        let foreign = |name: std::ffi::OsString| name != TEACHER && !name.to_string_lossy().starts_with('.');
        if std::fs::read_dir(folder).map_err(failed)?.flatten().any(|entry| foreign(entry.file_name())) {
            return Err(RunError::Occupied(folder.to_owned()));
        }
        let run = Self { folder: folder.to_owned(), settings, teacher };
        let network = HashMap::from([("network".to_owned(), run.teacher.network.name.to_owned())]);
        run.write(TEACHER, &write_safetensors(&run.teacher.weights, network))?;
        run.save_settings()?;
        Ok(run)
    }

    /// Writes the settings in one step.
    ///
    /// # Errors
    /// If the disk can't be written; the previous settings are then unchanged.
    pub fn save_settings(&self) -> Result<(), RunError> {
        let json = serde_json::to_vec_pretty(&self.settings)
            .map_err(|e| RunError::Damaged { path: self.path(SETTINGS), reason: e.to_string() })?;
        self.write(SETTINGS, &json)
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// If there is none, or its files are damaged.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(SETTINGS);
        let json = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(RunError::Absent(folder.to_owned()));
            }
            read => read.map_err(|source| RunError::Io { path: path.clone(), source })?,
        };
        let damaged = |reason: String| RunError::Damaged { path: path.clone(), reason };
        let settings = RunSettings::read(&json).map_err(damaged)?;
        let teacher = load_file(&folder.join(TEACHER), &settings.teacher)?;
        Ok(Self { folder: folder.to_owned(), settings, teacher })
    }

    /// Writes [`CHECKPOINT`] or [`BEST`] in one step.
    ///
    /// # Errors
    /// If the disk can't be written; the previous file is then unchanged.
    pub fn save(&self, file: &str, state: &ModelState) -> Result<(), RunError> {
        let mut notes = state.notes.clone();
        notes.insert(METHOD.to_owned(), self.settings.method.clone());
        self.write(file, &write_safetensors(&state.weights, notes))
    }

    /// Reads what [`Self::save`] wrote; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file is damaged, or was written by another method.
    pub fn load(&self, file: &str) -> Result<Option<ModelState>, RunError> {
        let path = self.path(file);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| RunError::Io { path: path.clone(), source })?,
        };
        match read_safetensors(&bytes) {
            Ok((weights, notes)) => match notes.get(METHOD) {
                Some(found) if *found != self.settings.method => {
                    let (found, method) = (found.clone(), self.settings.method.clone());
                    Err(RunError::OtherMethod { path, found, method })
                }
                _ => Ok(Some(ModelState { weights, notes })),
            },
            Err(e) => Err(RunError::Damaged { path, reason: e.to_string() }),
        }
    }

    /// Reads the best student so far, by the selection images.
    ///
    /// # Errors
    /// If there is none yet, or it is damaged.
    pub fn best(&self) -> Result<ModelState, RunError> {
        self.load(BEST)?.ok_or_else(|| RunError::Unfinished(self.folder.clone()))
    }

    /// Reads the finished student.
    ///
    /// # Errors
    /// If training hasn't ended, or the file is damaged.
    pub fn student(&self) -> Result<ModelState, RunError> {
        self.load(STUDENT)?.ok_or_else(|| RunError::Unfinished(self.folder.clone()))
    }

    /// Appends one line to the metrics.
    ///
    /// # Errors
    /// If the disk can't be written.
    pub fn log(&self, metrics: &impl Serialize) -> Result<(), RunError> {
        let path = self.path(METRICS);
        metrics::append(&path, metrics).map_err(|source| RunError::Io { path, source })
    }

    /// Removes the metrics after `step`, from which the run resumes.
    ///
    /// # Errors
    /// If the disk can't be written.
    pub fn truncate_metrics(&self, step: u64) -> Result<(), RunError> {
        let path = self.path(METRICS);
        metrics::truncate_after(&path, step).map_err(|source| RunError::Io { path, source })
    }

    /// Returns the method's own options, as the run records them.
    ///
    /// # Errors
    /// If they are not options of the method.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, RunError> {
        serde_json::from_value(self.settings.options.clone()).map_err(|e| self.damaged_settings(&e))
    }

    /// Returns the error for settings that the method can't parse.
    #[must_use]
    pub fn damaged_settings(&self, error: &serde_json::Error) -> RunError {
        self.damaged(SETTINGS, error)
    }

    /// Returns the error for a file of the run that is inconsistent with the others.
    #[must_use]
    pub fn damaged(&self, file: &str, reason: impl ToString) -> RunError {
        RunError::Damaged { path: self.path(file), reason: reason.to_string() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path(file);
        write_file(&path, bytes).map_err(|source| RunError::Io { path, source })
    }
}
