//! Reads the files that the gateway file names, and writes the gateway's own. Anything but a regular file is refused without being read: a pipe would block,
//! and a device may never end.

use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::path::Path;

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
/// The system's error; [`ErrorKind::InvalidInput`] if the path is a folder, pipe or device, [`ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    // Checked before opening: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = vec![];
    std::fs::File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// Writes a file of the gateway's own, whole or not at all. Blocks until it is on the disk.
///
/// # Errors
/// The system's error; the file is then as before.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // One program at a time writes it: what a power cut has left under this name is overwritten.
    let partial = folder.join(format!(".{name}.partial"));
    let mut file = std::fs::File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        std::fs::write(&file, b"12345").unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        let kind = |path: &Path| read(path, 4).unwrap_err().kind();
        assert_eq!(kind(&file), ErrorKind::FileTooLarge);
        assert_eq!(kind(&folder.path().join("none")), ErrorKind::NotFound);
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(kind(path), ErrorKind::InvalidInput, "{}", path.display());
        }
    }
}
