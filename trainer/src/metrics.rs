//! A run's metrics: one JSON object per line, each with its step.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Appends one line.
///
/// # Errors
/// The file system's error.
pub fn append(path: &Path, metrics: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(metrics)?;
    line.push('\n');
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

/// Truncates the file to what a run that resumes from `step` would have written: a power cut can leave a partial line, and
/// lines of steps that will be trained again.
///
/// # Errors
/// The file system's error; a missing file is not an error.
pub fn truncate_after(path: &Path, step: u64) -> io::Result<()> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let kept = kept_length(&bytes, step);
    if kept < bytes.len() {
        let file: File = OpenOptions::new().write(true).open(path)?;
        file.set_len(kept as u64)?;
        file.sync_all()?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct MetricsLine {
    step: u64,
}

/// Returns the length of the leading complete lines whose steps ascend and don't exceed `step`.
fn kept_length(bytes: &[u8], step: u64) -> usize {
    let (mut kept, mut former) = (0, None);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let at = serde_json::from_slice(line).ok().map(|MetricsLine { step }| step);
        if line.last() != Some(&b'\n') || at.is_none() || at <= former || at > Some(step) {
            break;
        }
        kept += line.len();
        former = at;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        "{\"step\":30,\"loss\":3.1}\n{\"step\":60,\"loss\":1.9}\n{\"step\":90,\"loss\":1.2}\n";

    /// Returns what remains of `text` for a run that resumes from step 60.
    fn after(text: &[u8]) -> String {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        std::fs::write(&path, text).unwrap();
        truncate_after(&path, 60).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn torn_and_repeated_lines_go_and_the_others_stay() {
        let first_two = &WHOLE[..46];
        assert!(first_two.ends_with("1.9}\n"));
        assert_eq!(after(WHOLE.as_bytes()), first_two);
        assert_eq!(after(first_two.as_bytes()), first_two);
        // Wherever the power failed, only complete lines remain.
        for length in 0..WHOLE.len() {
            let whole = WHOLE[..length.min(46)].rfind('\n').map_or(0, |end| end + 1);
            assert_eq!(after(&WHOLE.as_bytes()[..length]), WHOLE[..whole], "{length} bytes");
        }
        // Lines that an earlier version wrote twice, and blocks of zeros that some file systems leave.
        assert_eq!(after(format!("{first_two}{first_two}").as_bytes()), first_two);
        assert_eq!(after(format!("{first_two}\0\0\0\n").as_bytes()), first_two);
    }

    #[test]
    fn a_missing_file_is_made_by_the_first_line() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        truncate_after(&path, 0).unwrap();
        assert!(!path.exists());
        append(&path, &serde_json::json!({ "step": 1 })).unwrap();
        append(&path, &serde_json::json!({ "step": 2 })).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"step\":1}\n{\"step\":2}\n");
    }
}
