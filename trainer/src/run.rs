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

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use methods::Flip;
pub use networks::State;
use networks::teacher::{Teacher, TeacherError, load_file, read_safetensors, write_safetensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared_format::Recipe;

use crate::compute::Precision;
use crate::metrics;

const FORMAT: u32 = 2;
/// Longest training.
pub const MAX_STEPS: u64 = 100_000_000;
const MAX_BATCH: usize = 4096;

/// Everything that reproduces a run on the same machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of this file's layout.
    format: u32,
    /// The method's name.
    pub method: String,
    /// The teacher's name.
    pub teacher: String,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// How a frame becomes the network's input.
    pub recipe: Recipe,
    /// Seeds the split, the initial weights and the order of the images.
    pub seed: u64,
    /// Training steps.
    pub steps: u64,
    /// Samples in a step.
    pub batch: usize,
    /// Number format of the convolutions.
    pub precision: Precision,
    /// Threads that compute; another number rounds differently.
    pub threads: i32,
    /// Mirrored copies that train too.
    pub flip: Flip,
    /// The method's own options.
    pub options: Value,
    /// Images that train, relative to `data`.
    pub fit: Vec<PathBuf>,
    /// Images that choose the checkpoint.
    pub selection: Vec<PathBuf>,
    /// Images that calibrate and do nothing else.
    pub calibration: Vec<PathBuf>,
    /// Images that aren't used, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Settings {
    /// Settings without images; [`Run::create`]'s caller fills the sets.
    #[must_use]
    pub fn new(method: &str, teacher: &str, data: &Path, recipe: Recipe, seed: u64) -> Self {
        Self {
            format: FORMAT,
            method: method.to_owned(),
            teacher: teacher.to_owned(),
            data: data.to_owned(),
            recipe,
            seed,
            steps: 0,
            batch: 0,
            precision: Precision::Auto,
            threads: 1,
            flip: Flip::None,
            options: Value::Null,
            fit: vec![],
            selection: vec![],
            calibration: vec![],
            skipped: vec![],
        }
    }

    /// Whether a trainer of this version can have written them.
    fn check(&self) -> Result<(), &'static str> {
        let sets = [&self.fit, &self.selection, &self.calibration];
        let images: HashSet<&PathBuf> = sets.into_iter().flatten().collect();
        if self.format != FORMAT {
            Err("it was written by another version of the trainer")
        } else if !self.recipe.is_valid() {
            Err("its recipe is out of range")
        } else if !(1..=MAX_STEPS).contains(&self.steps) || !(1..=MAX_BATCH).contains(&self.batch) {
            Err("its length is out of range")
        } else if sets.iter().any(|set| set.is_empty()) {
            Err("one of its image sets is empty")
        } else if images.len() != sets.iter().map(|set| set.len()).sum::<usize>() {
            Err("an image is in two of its sets")
        } else {
            Ok(())
        }
    }

    /// The paths of one of the sets.
    #[must_use]
    pub fn paths(&self, set: &[PathBuf]) -> Vec<PathBuf> {
        set.iter().map(|path| self.data.join(path)).collect()
    }
}

/// Why a run's folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It can't be read or written.
    #[error("{path}: {source}; check free space and permissions", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is a run already.
    #[error("{0} holds a training run already; continue it with --resume, or choose another --out")]
    Exists(PathBuf),
    /// There is something else.
    #[error("{0} is not empty and holds no training run; choose another --out")]
    Occupied(PathBuf),
    /// There is none.
    #[error(
        "{0} is not a training run (it has no run.json); give the folder that was --out of `trainer train`"
    )]
    Absent(PathBuf),
    /// A file is damaged.
    #[error("{path} is damaged: {reason}; start the run anew with another --out", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file of another run.
    #[error(
        "{path} was written by the method {found}, and this run's is {method}; put the run's own file back, or remove it \
         and start its training from the first step with --resume",
        path = path.display()
    )]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The method that wrote it.
        found: String,
        /// The run's method.
        method: String,
    },
    /// Nothing to export yet.
    #[error("{0} is not trained to its end; go on with `trainer train --resume --out {0}`")]
    Unfinished(PathBuf),
    /// Its teacher can't be loaded or saved.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
}

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
        let mut json: Value = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        upgrade(&mut json);
        let settings: Settings = serde_json::from_value(json).map_err(|e| damaged(e.to_string()))?;
        settings.check().map_err(|reason| damaged(reason.to_owned()))?;
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

/// Settings of format 1, which had the options of all methods in places of their own.
fn upgrade(json: &mut Value) {
    let Some(settings) = json.as_object_mut().filter(|settings| settings.get("format") == Some(&json!(1)))
    else {
        return;
    };
    let mut options = match settings.remove("fitting") {
        Some(Value::Object(fitting)) => fitting,
        _ => Map::new(),
    };
    for name in ["schedule", "natural"] {
        options.extend(settings.remove(name).map(|option| (name.to_owned(), option)));
    }
    settings.insert("options".to_owned(), Value::Object(options));
    settings.insert("format".to_owned(), json!(FORMAT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_formats_options_are_found() {
        let mut json = json!({"format": 1, "method": "x", "schedule": "short", "fitting": {"bank": "9KiB"}});
        upgrade(&mut json);
        let options = json!({"bank": "9KiB", "schedule": "short"});
        assert_eq!(json, json!({"format": FORMAT, "method": "x", "options": options}));
        let now = json.clone();
        upgrade(&mut json);
        assert_eq!(json, now);
    }
}
