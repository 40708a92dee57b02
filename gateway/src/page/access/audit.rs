//! The log of who changed what: one JSON object per line, in two files of bounded size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::line::unix_ms;
use crate::log::limited;

const FILE: &str = "audit.jsonl";
const EARLIER: &str = "audit.1.jsonl";
/// When the file is this large, it becomes the earlier one.
const MAX_BYTES: u64 = 4 << 20;
/// The part of a file that is read, from its end: over a thousand lines.
const TAIL: u64 = 256 << 10;

/// The log. Its lines are on the disk within the time that the system takes.
#[derive(Debug)]
pub struct AuditLog {
    folder: PathBuf,
    /// One line at a time.
    writing: Mutex<()>,
}

impl AuditLog {
    /// Opens the log in the page's folder.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let log = Self { folder: folder.to_owned(), writing: Mutex::new(()) };
        log.end_torn_line().with_context(|| {
            format!(
                "cannot write the log of changes in {}; create page.folder for this user",
                folder.display()
            )
        })?;
        Ok(log)
    }

    /// Ends the last line if the power failed, or the disk was full, while it was written: the next one must not be lost with it.
    fn end_torn_line(&self) -> io::Result<()> {
        self.append(b"")?;
        let mut file = File::open(self.folder.join(FILE))?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last == [b'\n'] { Ok(()) } else { self.append(b"\n") }
    }

    /// Notes what someone did: who, from where, what and with which outcome.
    pub fn note(&self, who: &str, from: &str, what: &str, details: &Value) {
        let entry =
            json!({"at_unix_ms": unix_ms(), "who": who, "from": from, "what": what, "details": details});
        tracing::info!("page: {who} from {from}: {what} {details}");
        if let Err(e) = self.append(format!("{entry}\n").as_bytes()) {
            // It may have been written in part.
            let _ = self.end_torn_line();
            limited!(
                warn,
                "cannot write the log of changes in {}: {e}; check the disk",
                self.folder.display()
            );
        }
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(FILE);
        if path.metadata().is_ok_and(|metadata| metadata.len() >= MAX_BYTES) {
            std::fs::rename(&path, self.folder.join(EARLIER))?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(line)
    }

    /// Returns the newest entries, the newest first. What is damaged is left out.
    ///
    /// # Errors
    /// The system's error.
    pub fn newest(&self, count: usize) -> io::Result<Vec<Value>> {
        let mut newest = vec![];
        for name in [FILE, EARLIER] {
            let mut file = match File::open(self.folder.join(name)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = vec![];
            file.take(2 * TAIL).read_to_end(&mut bytes)?;
            let lines =
                bytes.rsplit(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
            newest.extend(lines.take(count - newest.len()));
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_two_files_are_all_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(folder.path()).unwrap();
        log.note("anna (operator)", "10.0.0.1", "login", &json!({}));
        std::fs::write(folder.path().join(FILE), vec![b'x'; MAX_BYTES as usize]).unwrap();
        log.note("anna (operator)", "10.0.0.1", "acknowledge", &json!({"outcome": "done"}));
        log.note("ben\n (engineer)", "10.0.0.2", "decide", &json!({}));
        let newest = log.newest(2).unwrap();
        let what: Vec<_> = newest.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
        assert_eq!(what, ["decide", "acknowledge"]);
        assert_eq!(newest[0]["who"], "ben\n (engineer)");
        assert_eq!(log.newest(1).unwrap().len(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(AuditLog::open(Path::new("/nowhere")).is_err());
    }
}
