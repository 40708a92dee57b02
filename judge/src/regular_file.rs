//! Files that are read whole. What is no regular file is refused unread: a pipe would be waited for, and a device may never
//! end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, pipe or device.
    #[error("it is no regular file; give a file")]
    NotAFile,
    /// More bytes than whoever asked can use.
    #[error("it has {bytes} bytes or more, where {most} are the most; give the file that was meant")]
    TooLarge {
        /// How many it has at least.
        bytes: u64,
        /// How many it may have.
        most: u64,
    },
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// [`ReadError`]
pub fn read_regular_file(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    let bytes = metadata.len();
    if bytes > most {
        return Err(ReadError::TooLarge { bytes, most });
    }
    let mut contents = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // The file may grow while it is read, and those of /proc say that they are empty.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut contents)?;
    match contents.len() as u64 {
        bytes if bytes > most => Err(ReadError::TooLarge { bytes, most }),
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
        assert!(matches!(read_regular_file(&file, 4), Err(ReadError::TooLarge { bytes: 5, most: 4 })));
        assert!(matches!(read_regular_file(folder.path(), 9), Err(ReadError::NotAFile)));
        assert!(matches!(read_regular_file(Path::new("/dev/zero"), 9), Err(ReadError::NotAFile)));
        // It says that it has no bytes.
        let unsized_file = Path::new("/proc/self/status");
        assert!(matches!(read_regular_file(unsized_file, 9), Err(ReadError::TooLarge { most: 9, .. })));
        assert!(matches!(read_regular_file(&folder.path().join("none"), 9), Err(ReadError::Io(_))));
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read_regular_file(&pipe, 9), Err(ReadError::NotAFile)));
    }
}
