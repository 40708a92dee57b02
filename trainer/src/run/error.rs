//! Why a run's folder can't be used.

use std::path::PathBuf;

use networks::teacher::TeacherError;

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
