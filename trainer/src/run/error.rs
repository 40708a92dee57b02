//! Why a run's folder can't be used.

use std::path::PathBuf;

use networks::teacher::TeacherError;

/// Why a run's folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file can't be read or written.
    #[error("{path}: {source}; check free space and permissions", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder already holds a run.
    #[error("{0} already holds a training run; continue it with --resume, or choose another --out")]
    Exists(PathBuf),
    /// The folder holds other files.
    #[error("{0} is not empty and holds no training run; choose another --out")]
    Occupied(PathBuf),
    /// The folder holds no run.
    #[error(
        "{0} is not a training run (it has no run.json); give the folder that was --out of `trainer train`"
    )]
    Absent(PathBuf),
    /// A file is damaged.
    #[error("{path} is damaged: {reason}; start a new run with another --out", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A file was written by another run's method.
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
    /// There is nothing to export yet.
    #[error("the training in {0} is not finished; resume it with `trainer train --resume --out {0}`")]
    Unfinished(PathBuf),
    /// The run's teacher can't be loaded or saved.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
}
