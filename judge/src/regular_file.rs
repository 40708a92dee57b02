//! Reads whole files. Anything but a regular file is refused without being read: a pipe would block, and a device may never
//! end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, pipe or device.
    #[error("it is not a regular file; give a file")]
    NotAFile,
    /// The file is larger than the caller allows.
    #[error("it has at least {bytes} bytes, but at most {max} are allowed; give the right file")]
    TooLarge {
        /// Its size, or a lower bound of it.
        bytes: u64,
        /// The maximum allowed.
        max: u64,
    },
}

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
/// [`ReadError`]
pub fn read_regular_file(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    // Checked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    let bytes = metadata.len();
    if bytes > max {
        return Err(ReadError::TooLarge { bytes, max });
    }
    let mut contents = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // The file may grow while it is being read, and files in /proc report a size of zero.
    File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut contents)?;
    match contents.len() as u64 {
        bytes if bytes > max => Err(ReadError::TooLarge { bytes, max }),
        _ => Ok(contents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read_regular_file(&file, 5).unwrap(), b"12345");
        assert!(matches!(read_regular_file(&file, 4), Err(ReadError::TooLarge { bytes: 5, max: 4 })));
        assert!(matches!(read_regular_file(folder.path(), 9), Err(ReadError::NotAFile)));
        assert!(matches!(read_regular_file(&folder.path().join("none"), 9), Err(ReadError::Io(_))));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn devices_are_refused_and_files_without_a_size_are_cut() {
        assert!(matches!(read_regular_file(Path::new("/dev/zero"), 9), Err(ReadError::NotAFile)));
        // It reports a size of zero.
        let unsized_file = Path::new("/proc/self/status");
        assert!(matches!(read_regular_file(unsized_file, 9), Err(ReadError::TooLarge { max: 9, .. })));
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read_regular_file(&pipe, 9), Err(ReadError::NotAFile)));
    }
}
