//! Finds records and reads what the line and people say about them. Blocks: call it from a thread that may.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::name::RecordName;

/// The most records that are described at once.
pub const MAX_LISTED: usize = 60;
/// A limit far beyond any description or history of decisions.
const MAX_BYTES: u64 = 1 << 20;

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Among the rejects and faults.
    Rejected,
    /// In the sample of passed parts.
    Passed,
    /// Among those that a person has decided on.
    Decided,
}

impl Place {
    /// In the order in which a record is looked for: one that is being moved counts as decided.
    const ALL: [Self; 3] = [Self::Decided, Self::Rejected, Self::Passed];

    /// Reads the place's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "rejected" => Some(Self::Rejected),
            "passed" => Some(Self::Passed),
            "decided" => Some(Self::Decided),
            _ => None,
        }
    }

    /// Returns the place's folder below that of all records.
    const fn subfolder(self) -> Option<&'static str> {
        match self {
            Self::Rejected => None,
            Self::Passed => Some("passed"),
            Self::Decided => Some("decided"),
        }
    }
}

/// The folder of a line's records.
#[derive(Debug, Clone)]
pub struct RecordFolder(PathBuf);

/// What `record.json` says, as far as the page shows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Description {
    product: String,
    verdict: String,
    part_verdict: Option<String>,
    score: Option<f64>,
    threshold: Option<f64>,
    region: Option<Value>,
    defect: Option<Value>,
    fault: Option<String>,
    captured_at: Value,
}

/// The end of `decision.json`.
#[derive(Debug, Deserialize)]
struct Decisions {
    history: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    decision: String,
    #[serde(default)]
    kind: Option<String>,
    by: String,
}

/// A record as the page shows it.
#[derive(Debug, Serialize)]
pub struct Record {
    name: String,
    place: Place,
    #[serde(flatten)]
    description: Description,
    /// The decision that holds.
    decision: Option<Entry>,
}

impl RecordFolder {
    /// Names the folder; it may not exist yet.
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Describes the newest records of a place that are older than `before`, the newest first, and says whether there are
    /// more. A record with damaged files is left out.
    ///
    /// # Errors
    /// The system's error if the folder can't be read.
    pub fn list(
        &self,
        place: Place,
        before: Option<&RecordName>,
        count: usize,
    ) -> io::Result<(Vec<Record>, bool)> {
        let mut names = self.names(place)?;
        names.retain(|name| before.is_none_or(|before| name < before));
        names.sort_unstable_by(|a, b| b.cmp(a));
        let has_more = names.len() > count;
        names.truncate(count);
        Ok((names.iter().filter_map(|name| self.describe(place, name).ok()).collect(), has_more))
    }

    fn names(&self, place: Place) -> io::Result<Vec<RecordName>> {
        let folder = place.subfolder().map_or_else(|| self.0.clone(), |subfolder| self.0.join(subfolder));
        let entries = match std::fs::read_dir(folder) {
            // The line makes the subfolders when it needs them.
            Err(e) if e.kind() == ErrorKind::NotFound && place != Place::Rejected => return Ok(vec![]),
            entries => entries?,
        };
        let mut names = vec![];
        for entry in entries {
            let entry = entry?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.extend(entry.file_name().to_str().and_then(RecordName::parse));
            }
        }
        Ok(names)
    }

    fn describe(&self, place: Place, name: &RecordName) -> io::Result<Record> {
        let description = serde_json::from_slice(&self.read(place, name, "record.json")?)?;
        let decision = match self.read(place, name, "decision.json") {
            Ok(bytes) => serde_json::from_slice::<Decisions>(&bytes).ok().and_then(|mut of| of.history.pop()),
            Err(_) => None,
        };
        let decision = decision.filter(|entry| entry.decision != "undecided");
        Ok(Record { name: name.as_str().to_owned(), place, description, decision })
    }

    fn read(&self, place: Place, name: &RecordName, file: &str) -> io::Result<Vec<u8>> {
        let mut bytes = vec![];
        let read = self.open_in(place, name, file)?.0.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if read as u64 > MAX_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// Opens a record's file, wherever the record is, and returns its length in bytes too.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::NotFound`] if there is no such record or file.
    pub fn open(&self, name: &RecordName, file: &str) -> io::Result<(File, u64)> {
        let mut error = ErrorKind::NotFound.into();
        for place in Place::ALL {
            match self.open_in(place, name, file) {
                Ok(opened) => return Ok(opened),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    fn open_in(&self, place: Place, name: &RecordName, file: &str) -> io::Result<(File, u64)> {
        let steps: Vec<&str> = place.subfolder().into_iter().chain([name.as_str()]).collect();
        self.open_below(&steps, file)
    }

    /// Opens a file in a folder that these steps lead to, and returns its length in bytes too. No step follows a link, which could lead
    /// out of the folder of records, and only regular files are opened.
    pub(super) fn open_below(&self, steps: &[&str], file: &str) -> io::Result<(File, u64)> {
        let step = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = openat(CWD, &self.0, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for name in steps {
            folder = openat(&folder, *name, step, Mode::empty())?;
        }
        // A pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&folder, file, flags, Mode::empty())?;
        let found = fstat(&opened)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(ErrorKind::NotFound.into());
        }
        Ok((File::from(opened), u64::try_from(found.st_size).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const NAME: &str = "20261125-030101-000012-00000345";

    fn write(folder: &Path, name: &str, decision: Option<&str>) {
        let record = folder.join(name);
        std::fs::create_dir_all(&record).unwrap();
        let text =
            r#"{"product":"cap","verdict":"reject","score":1.5,"threshold":1,"captured_at":"x","new":[1]}"#;
        std::fs::write(record.join("record.json"), text).unwrap();
        if let Some(decision) = decision {
            let text = format!(
                r#"{{"version":1,"history":[{{"decision":"unsure","by":"ben","at":1}},{{"decision":"{decision}","by":"anna"}}]}}"#
            );
            std::fs::write(record.join("decision.json"), text).unwrap();
        }
    }

    #[test]
    fn records_are_listed_newest_first_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        for part in 0..7 {
            write(folder.path(), &format!("20261125-030101-000012-{part:08}"), None);
        }
        write(&folder.path().join("decided"), NAME, Some("defect"));
        std::fs::create_dir(folder.path().join("20261125-030101-000012-00000009")).unwrap();
        let damaged = folder.path().join("20261125-030101-000012-00000010");
        std::fs::create_dir(&damaged).unwrap();
        std::fs::write(damaged.join("record.json"), b"{\"product\":\xff").unwrap();
        let records = RecordFolder::new(folder.path().to_owned());
        let parts = |before: Option<&str>, count| {
            let before = before.map(|name| RecordName::parse(name).unwrap());
            let (listed, has_more) = records.list(Place::Rejected, before.as_ref(), count).unwrap();
            let parts = listed.iter().map(|record| record.name.rsplit('0').next().unwrap().to_owned());
            (parts.collect::<Vec<_>>().join(" "), has_more)
        };
        assert_eq!(parts(None, 5), ("6 5 4".to_owned(), true));
        assert_eq!(parts(Some("20261125-030101-000012-00000004"), 3), ("3 2 1".to_owned(), true));
        let (decided, has_more) = records.list(Place::Decided, None, 5).unwrap();
        let shown = serde_json::to_value(&decided[0]).unwrap();
        assert!(!has_more && shown["decision"]["decision"] == "defect" && shown["score"] == 1.5, "{shown}");
        assert!(records.list(Place::Passed, None, 5).unwrap().0.is_empty());
        assert!(RecordFolder::new("/nowhere".into()).list(Place::Rejected, None, 5).is_err());
    }

    #[test]
    fn a_decision_that_was_taken_back_does_not_hold() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), NAME, Some("undecided"));
        let listed = RecordFolder::new(folder.path().to_owned()).list(Place::Rejected, None, 5).unwrap().0;
        assert!(listed[0].decision.is_none());
    }

    #[test]
    fn no_link_leads_out_of_the_records_and_only_files_are_opened() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("overlay.png"), "secret").unwrap();
        std::fs::write(outside.path().join("record.json"), "{}").unwrap();
        let records = RecordFolder::new(folder.path().to_owned());
        let name = RecordName::parse(NAME).unwrap();
        symlink(outside.path(), folder.path().join(NAME)).unwrap();
        assert!(records.open(&name, "overlay.png").is_err());
        assert!(records.list(Place::Rejected, None, 5).unwrap().0.is_empty());
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        write(folder.path(), NAME, None);
        let record = folder.path().join(NAME);
        symlink(outside.path().join("overlay.png"), record.join("overlay.png")).unwrap();
        assert!(records.open(&name, "overlay.png").is_err());
        std::fs::create_dir(record.join("frame.png")).unwrap();
        assert_eq!(records.open(&name, "frame.png").unwrap_err().kind(), ErrorKind::NotFound);
        let fifo = std::process::Command::new("mkfifo").arg(record.join("frame.jpg")).status().unwrap();
        assert!(fifo.success() && records.open(&name, "frame.jpg").is_err());
        symlink(outside.path(), folder.path().join("decided")).unwrap();
        assert!(records.open(&name, "record.json").is_ok());
    }
}
