//! Replaces the thresholds of an existing bundle.

use std::io;
use std::path::{Path, PathBuf};

use judge::THRESHOLD_FILE;
use shared_format::{FormatError, ThresholdFile, threshold_file::MAX_LEN};

use crate::atomic::write_file;

/// Why a bundle's thresholds were not replaced.
#[derive(Debug, thiserror::Error)]
pub enum RecalibrateError {
    /// A value doesn't fit the threshold file.
    #[error("the threshold file can't be written: {0}; calibrate again with other parts")]
    Format(#[from] FormatError),
    /// The thresholds can't be written.
    #[error("can't write the thresholds into {bundle}: {source}; check free space and permissions", bundle = bundle.display())]
    Write {
        /// The bundle.
        bundle: PathBuf,
        /// The file system's error.
        source: io::Error,
    },
}

/// Replaces a bundle's thresholds by a rename and keeps the old file as `model.threshold.old-N`, whose path it returns.
/// The bundle is complete at every moment.
///
/// # Errors
/// [`RecalibrateError`]; the bundle is then unchanged.
pub fn replace_thresholds(bundle: &Path, thresholds: &ThresholdFile) -> Result<PathBuf, RecalibrateError> {
    let mut buffer = [0; MAX_LEN];
    let encoded = thresholds.encode(&mut buffer)?;
    swap(bundle, encoded).map_err(|source| RecalibrateError::Write { bundle: bundle.to_owned(), source })
}

fn swap(bundle: &Path, encoded: &[u8]) -> io::Result<PathBuf> {
    let path = bundle.join(THRESHOLD_FILE);
    let old = std::fs::read(&path)?;
    let kept = next_old(bundle)?;
    write_file(&kept, &old)?;
    // If the new file can't be written, no trace of the attempt remains.
    write_file(&path, encoded).inspect_err(|_| drop(std::fs::remove_file(&kept)))?;
    Ok(kept)
}

/// Returns the name after the highest existing number, so that the order shows which file is older.
fn next_old(bundle: &Path) -> io::Result<PathBuf> {
    let stem = format!("{THRESHOLD_FILE}.old-");
    let number = |name: &str| name.strip_prefix(&stem)?.parse::<u64>().ok();
    let mut last = 0;
    for entry in std::fs::read_dir(bundle)? {
        last = last.max(entry?.file_name().to_str().and_then(number).unwrap_or(0));
    }
    Ok(bundle.join(format!("{stem}{}", last.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_are_numbered_and_a_failure_leaves_none() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
        write("model.threshold", b"1");
        write("model.threshold.old-7", b"0");
        write("model.threshold.old-x", b"theirs");
        assert_eq!(swap(root.path(), b"2").unwrap(), root.path().join("model.threshold.old-8"));
        assert_eq!(swap(root.path(), b"3").unwrap(), root.path().join("model.threshold.old-9"));
        let read = |name: &str| std::fs::read(root.path().join(name)).unwrap();
        let names =
            ["model.threshold", "model.threshold.old-9", "model.threshold.old-8", "model.threshold.old-7"];
        assert_eq!(names.map(read), [b"3", b"2", b"1", b"0"]);
        // A folder in place of the file can't be read, and nothing is added beside it.
        std::fs::remove_file(root.path().join("model.threshold")).unwrap();
        std::fs::create_dir(root.path().join("model.threshold")).unwrap();
        assert!(swap(root.path(), b"4").is_err());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 5);
    }
}
