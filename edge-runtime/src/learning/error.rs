//! Why nothing can be learned.

use std::io;
use std::path::PathBuf;

use judge::{BundleError, ReadError};

/// Why nothing can be learned; the bundle in use is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A file can't be read.
    #[error("cannot read {path}: {source}; check the path and its permissions", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The lesson of a bundle is damaged.
    #[error("{path} is damaged: {reason}; teach the bundle again", path = path.display())]
    Lesson {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A path can't be recorded.
    #[error("the path {path} is not UTF-8, so it can't be recorded; rename it", path = path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// The method's options can't be written as JSON, or those of a lesson can't be read.
    #[error("the method's options can't be used: {0}; teach the bundle again")]
    Options(#[source] serde_json::Error),
    /// The method can't be fitted on a board.
    #[error(
        "the bundle was made with {0}, which can't be learned on a board; train it again on the workstation, with the false \
         alarms of records/decided among its good parts"
    )]
    Method(String),
    /// The bundle wasn't taught here.
    #[error(
        "the bundle {bundle} doesn't record how it was taught; give the photos of good parts that it was made from with \
         --photos FOLDER",
        bundle = bundle.display()
    )]
    NoLesson {
        /// The bundle.
        bundle: PathBuf,
    },
    /// The photos of good parts can't be listed.
    #[error("cannot read the photos of good parts in {folder}: {source}; give their folder with --photos", folder = folder.display())]
    Photos {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The bundles' folder can't be used.
    #[error("cannot use the folder of the bundle {bundle}: {source}; check its permissions and free space", bundle = bundle.display())]
    Place {
        /// The bundle.
        bundle: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another program learns.
    #[error("another program is changing the bundles in {folder}; try again when it has finished", folder = folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The bundle in use is no longer the one that was compared with.
    #[error("the bundle {bundle} was replaced in the meantime; learn again", bundle = bundle.display())]
    Replaced {
        /// The bundle.
        bundle: PathBuf,
    },
    /// There is no earlier bundle.
    #[error(
        "there is nothing to roll back to: {beside} is not the bundle that the one in use has replaced; deploy an earlier \
         one, or teach again",
        beside = beside.display()
    )]
    NoEarlier {
        /// Where it would be.
        beside: PathBuf,
    },
    /// The next or the earlier bundle can't be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The new bundle's golden frames don't hold.
    #[error("the next bundle scores its own golden frames differently; report this")]
    Golden,
    /// The photos of defects can't be written.
    #[error("cannot write the photos of defects to {folder}: {source}; check space and permissions", folder = folder.display())]
    Defects {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
