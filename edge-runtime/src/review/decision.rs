//! A decision, and the history of a record's decisions.

use std::fmt;
use std::io;
use std::path::Path;

use bundle::atomic::write_file;
use judge::{ReadError, read_regular_file};
use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::record::DECISION_FILE;

/// The version of the file that this program writes and reads.
const VERSION: u32 = 1;
/// A limit far beyond any history that is kept.
const MAX_BYTES: u64 = 1 << 20;
/// Entries that are kept; the oldest go first.
const MAX_ENTRIES: usize = 100;
/// Maximum length of a kind, in bytes: it names a folder.
const MAX_KIND: usize = 64;
/// Maximum length of a name, in characters.
const MAX_NAME: usize = 64;
/// Maximum length of a note, in characters.
const MAX_NOTE: usize = 1000;

/// What a person decides about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The part is good, although it was rejected.
    FalseAlarm,
    /// The part is bad, whether it was rejected or passed.
    Defect,
    /// The person can't tell.
    Unsure,
    /// Takes an earlier decision back.
    Undecided,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FalseAlarm => "false alarm",
            Self::Defect => "defect",
            Self::Unsure => "unsure",
            Self::Undecided => "undecided",
        })
    }
}

/// A kind of defect, such as `scratch`: the name of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl Kind {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Kind {
    type Error = EntryError;

    fn try_from(text: String) -> Result<Self, EntryError> {
        let is_plain = !text.starts_with('.')
            && text.trim() == text
            && !text.contains(['/', '\\'])
            && !text.chars().any(char::is_control);
        // Folders of this name hold good parts.
        if text.is_empty() || text.len() > MAX_KIND || !is_plain || text == "good" {
            return Err(EntryError::Kind(text));
        }
        Ok(Self(text))
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0
    }
}

impl std::str::FromStr for Kind {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        text.to_owned().try_into()
    }
}

/// Why a decision can't be taken as given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The kind can't be a folder's name.
    #[error(
        "{0:?} can't be a kind of defect; give 1 to {MAX_KIND} bytes without slashes that begin with no dot, such as scratch"
    )]
    Kind(String),
    /// A kind was given for something else than a defect.
    #[error("only a defect has a kind; leave it out, or decide on a defect")]
    KindOf(Decision),
    /// The name or the note is too long or has control characters.
    #[error("{0} is empty, too long or has control characters; write up to {1} ordinary characters")]
    Text(&'static str, usize),
}

/// A decision, by whom and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What was decided.
    pub decision: Decision,
    /// The kind of a defect, if it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who decided.
    pub by: String,
    /// When, by the board's clock.
    pub at: WallTime,
}

impl Entry {
    /// Makes an entry of now.
    ///
    /// # Errors
    /// [`EntryError`] if a text is too long, or a kind is given without a defect.
    pub fn new(
        decision: Decision,
        kind: Option<Kind>,
        note: Option<String>,
        by: String,
    ) -> Result<Self, EntryError> {
        if kind.is_some() && decision != Decision::Defect {
            return Err(EntryError::KindOf(decision));
        }
        let is_text = |text: &str, max| {
            !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
        };
        if !is_text(&by, MAX_NAME) {
            return Err(EntryError::Text("the name", MAX_NAME));
        }
        if note.as_deref().is_some_and(|note| !is_text(note, MAX_NOTE)) {
            return Err(EntryError::Text("the note", MAX_NOTE));
        }
        Ok(Self { decision, kind, note, by, at: WallTime::now() })
    }

    /// Returns whether both say the same about the part.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        (self.decision, &self.kind) == (other.decision, &other.kind)
    }
}

impl fmt::Display for Entry {
    /// Formats the entry for people: `defect (scratch) by anna`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decision)?;
        if let Some(kind) = &self.kind {
            write!(f, " ({})", kind.as_str())?;
        }
        write!(f, " by {}", self.by)
    }
}

/// Why the file of a record's decisions can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// It can't be read.
    #[error("cannot read {DECISION_FILE}: {0}")]
    Read(#[from] ReadError),
    /// It is damaged.
    #[error("{DECISION_FILE} is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// It is from another version of this program.
    #[error("{DECISION_FILE} has version {0}, but this program reads version {VERSION}; update this program")]
    Version(u32),
}

/// The decisions on a record, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(Vec<Entry>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    history: Vec<Entry>,
}

impl History {
    /// Reads the history of the record in `folder`; it is empty if there is none.
    ///
    /// # Errors
    /// [`HistoryError`] if the file is damaged.
    pub fn read(folder: &Path) -> Result<Self, HistoryError> {
        match read_regular_file(&folder.join(DECISION_FILE), MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes),
            Err(ReadError::Io(e)) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e.into()),
        }
    }

    /// Parses the file's bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HistoryError> {
        let Contents { version, history } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(HistoryError::Version(version));
        }
        Ok(Self(history))
    }

    /// Writes the history, whole or not at all.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let contents = Contents { version: VERSION, history: self.0.clone() };
        let mut json = serde_json::to_vec_pretty(&contents)?;
        json.push(b'\n');
        write_file(&folder.join(DECISION_FILE), &json)
    }

    /// Adds a decision.
    pub fn push(&mut self, entry: Entry) {
        self.0.push(entry);
        let over = self.0.len().saturating_sub(MAX_ENTRIES);
        self.0.drain(..over);
    }

    /// Returns the decision that holds; `None` if there is none, or it was taken back.
    #[must_use]
    pub fn current(&self) -> Option<&Entry> {
        self.0.last().filter(|last| last.decision != Decision::Undecided)
    }

    /// Returns all entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(decision: Decision) -> Entry {
        let kind = (decision == Decision::Defect).then(|| "deep scratch".parse().unwrap());
        Entry::new(decision, kind, Some("Ölfleck".to_owned()), "anna".to_owned()).unwrap()
    }

    #[test]
    fn a_history_is_read_back_and_its_last_entry_holds() {
        let root = tempfile::tempdir().unwrap();
        let mut history = History::read(root.path()).unwrap();
        assert_eq!(history, History::default());
        for decision in [Decision::FalseAlarm, Decision::Defect] {
            history.push(entry(decision));
            history.write(root.path()).unwrap();
            assert_eq!(History::read(root.path()).unwrap(), history);
            assert_eq!(history.current().unwrap().decision, decision);
        }
        assert_eq!(history.current().unwrap().to_string(), "defect (deep scratch) by anna");
        history.push(entry(Decision::Undecided));
        assert_eq!((history.current(), history.entries().len()), (None, 3));
        (0..200).for_each(|_| history.push(entry(Decision::Unsure)));
        history.write(root.path()).unwrap();
        assert_eq!(History::read(root.path()).unwrap().entries().len(), MAX_ENTRIES);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_or_has_wrong_values_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut history = History::default();
        history.push(entry(Decision::Defect));
        history.write(root.path()).unwrap();
        let whole = std::fs::read(root.path().join(DECISION_FILE)).unwrap();
        // Without the final line break it is still complete.
        for length in 0..whole.len() - 1 {
            assert!(History::parse(&whole[..length]).is_err(), "{length}");
        }
        let text = String::from_utf8(whole).unwrap();
        for (right, wrong) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"defect\"", "\"defekt\""),
            ("deep scratch", "../scratch"),
            ("\"by\"", "\"who\""),
            ("-", "x"),
            ("anna", "an\u{0}na"),
        ] {
            let damaged = text.replace(right, wrong);
            assert_ne!(damaged, text);
            assert!(History::parse(damaged.as_bytes()).is_err(), "{wrong}");
        }
        std::fs::remove_file(root.path().join(DECISION_FILE)).unwrap();
        std::fs::create_dir(root.path().join(DECISION_FILE)).unwrap();
        assert!(matches!(History::read(root.path()), Err(HistoryError::Read(ReadError::NotAFile))));
    }

    #[test]
    fn kinds_are_names_of_folders_and_texts_are_bounded() {
        for wrong in ["", ".", "..", ".hidden", "a/b", "a\\b", " a", "a\n", "good", &"x".repeat(65)] {
            assert!(matches!(wrong.parse::<Kind>(), Err(EntryError::Kind(_))), "{wrong:?}");
        }
        let made = |decision, kind: Option<&str>, note: Option<&str>, by: &str| {
            let kind = kind.map(|kind| kind.parse().unwrap());
            Entry::new(decision, kind, note.map(str::to_owned), by.to_owned())
        };
        assert!(made(Decision::Defect, Some("Kratzer"), None, "a").is_ok());
        let refused = made(Decision::FalseAlarm, Some("Kratzer"), None, "a").unwrap_err();
        assert_eq!(refused, EntryError::KindOf(Decision::FalseAlarm));
        for (note, by) in [(None, ""), (None, " "), (None, "a\u{1b}[2J"), (Some(""), "a")] {
            assert!(matches!(made(Decision::Unsure, None, note, by), Err(EntryError::Text(..))), "{by:?}");
        }
        assert!(made(Decision::Unsure, None, Some(&"ä".repeat(1001)), "a").is_err());
        assert!(made(Decision::Unsure, None, Some(&"ä".repeat(1000)), "a").is_ok());
    }
}
