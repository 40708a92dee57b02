//! A training run's folder: settings, teacher, checkpoint, best student, metrics.
//!
//! | file | what |
//! |---|---|
//! | `run.json` | [`Settings`]: everything that reproduces the run, and which image is in which set |
//! | `teacher.safetensors` | the teacher, so that the run stays whole when the library changes |
//! | `checkpoint.safetensors` | where to resume |
//! | `best.safetensors` | the student that the selection images chose so far |
//! | `student.safetensors` | the finished student, with what export needs |
//! | `metrics.jsonl` | one JSON object a line: step, loss, rate, selection |

mod error;
mod settings;

pub use error::RunError;
pub use settings::{MAX_STEPS, Settings};

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
pub use networks::State;
use networks::teacher::{Teacher, load_file, read_safetensors, write_safetensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::metrics;

/// A training run on disk.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    /// What the run was started with.
    pub settings: Settings,
    /// The teacher as it was when the run started.
    pub teacher: Teacher,
}

const SETTINGS: &str = "run.json";
const TEACHER: &str = "teacher.safetensors";
/// Where to resume.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The student that the selection images chose so far.
pub const BEST: &str = "best.safetensors";
/// The finished student, with what export needs.
pub const STUDENT: &str = "student.safetensors";
/// The note that names the method.
const METHOD: &str = "method";
const METRICS: &str = "metrics.jsonl";

impl Run {
    /// Starts a run in `folder`.
    ///
    /// # Errors
    /// Where there is a run already, or the folder can't be written.
    pub fn create(folder: &Path, settings: Settings, teacher: Teacher) -> Result<Self, RunError> {
        if folder.join(SETTINGS).exists() {
            return Err(RunError::Exists(folder.to_owned()));
        }
        let failed = |source| RunError::Io { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        // What a start that was cut off left behind may stay; anything else is somebody's.
        let foreign = |name: std::ffi::OsString| name != TEACHER && !name.to_string_lossy().starts_with('.');
        if std::fs::read_dir(folder).map_err(failed)?.flatten().any(|entry| foreign(entry.file_name())) {
            return Err(RunError::Occupied(folder.to_owned()));
        }
        let run = Self { folder: folder.to_owned(), settings, teacher };
        let network = HashMap::from([("network".to_owned(), run.teacher.network.name.to_owned())]);
        run.write(TEACHER, &write_safetensors(&run.teacher.weights, network))?;
        let json = serde_json::to_vec_pretty(&run.settings)
            .map_err(|e| RunError::Damaged { path: run.path(SETTINGS), reason: e.to_string() })?;
        run.write(SETTINGS, &json)?;
        Ok(run)
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// Where there is none, or its files are damaged.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(SETTINGS);
        let json = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(RunError::Absent(folder.to_owned()));
            }
            read => read.map_err(|source| RunError::Io { path: path.clone(), source })?,
        };
        let damaged = |reason: String| RunError::Damaged { path: path.clone(), reason };
        let settings = Settings::read(&json).map_err(damaged)?;
        let teacher = load_file(&folder.join(TEACHER), &settings.teacher)?;
        Ok(Self { folder: folder.to_owned(), settings, teacher })
    }

    /// Writes [`CHECKPOINT`] or [`BEST`] in one step.
    ///
    /// # Errors
    /// Where the disk refuses; the former file is then as it was.
    pub fn save(&self, file: &str, state: &State) -> Result<(), RunError> {
        let mut notes = state.notes.clone();
        notes.insert(METHOD.to_owned(), self.settings.method.clone());
        self.write(file, &write_safetensors(&state.weights, notes))
    }

    /// Reads what [`Self::save`] wrote; `None` where there is nothing.
    ///
    /// # Errors
    /// Where the file is damaged, or another method's.
    pub fn load(&self, file: &str) -> Result<Option<State>, RunError> {
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
                _ => Ok(Some(State { weights, notes })),
            },
            Err(e) => Err(RunError::Damaged { path, reason: e.to_string() }),
        }
    }

    /// The student that the selection images chose so far.
    ///
    /// # Errors
    /// Where there is none yet, or it is damaged.
    pub fn best(&self) -> Result<State, RunError> {
        self.load(BEST)?.ok_or_else(|| RunError::Unfinished(self.folder.clone()))
    }

    /// The finished student.
    ///
    /// # Errors
    /// Where training hasn't ended, or the file is damaged.
    pub fn student(&self) -> Result<State, RunError> {
        self.load(STUDENT)?.ok_or_else(|| RunError::Unfinished(self.folder.clone()))
    }

    /// Appends one line to the metrics.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn log(&self, metrics: &impl Serialize) -> Result<(), RunError> {
        let path = self.path(METRICS);
        metrics::append(&path, metrics).map_err(|source| RunError::Io { path, source })
    }

    /// Removes what the metrics hold beyond `step`, from which the run goes on.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn cut_metrics(&self, step: u64) -> Result<(), RunError> {
        let path = self.path(METRICS);
        metrics::cut_back(&path, step).map_err(|source| RunError::Io { path, source })
    }

    /// The method's own options, as the run records them.
    ///
    /// # Errors
    /// If they are not what the method writes.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, RunError> {
        serde_json::from_value(self.settings.options.clone()).map_err(|e| self.damaged_settings(&e))
    }

    /// Settings that the method doesn't know.
    #[must_use]
    pub fn damaged_settings(&self, error: &serde_json::Error) -> RunError {
        self.damaged(SETTINGS, error)
    }

    /// A file of the run that doesn't fit the others.
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
