//! How a bundle was taught, so that it can be taught again with more parts.

use std::path::{Path, PathBuf};

use bundle::ThresholdRule;
use bundle::atomic::write_file;
use judge::{Bundle, ReadError, read_regular_file};
use methods::{DynMethod, Flip};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::LearnError;
use crate::clock::WallTime;

/// The file, in the bundle's folder.
pub const LESSON_FILE: &str = "lesson.json";
/// The version of the file that this program writes and reads.
const VERSION: u32 = 1;
/// A limit far beyond any lesson.
const MAX_BYTES: u64 = 16 << 20;

/// How a bundle was taught. What the threshold file says, such as the recipe, is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    version: u32,
    /// The method's options; see [`DynMethod::record`].
    pub options: Value,
    /// Which mirrored copies were learned from.
    pub flip: Flip,
    /// The rule of the threshold; see [`ThresholdRule`].
    rule: String,
    /// The teacher's name, or the path of its file.
    pub teacher: String,
    /// The folder of photos.
    photos: String,
    /// What was learned from decisions; `None` if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
}

/// What was learned from decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// SHA-256 of the threshold file of the bundle that this one was made to replace, in hexadecimal.
    pub replaces: String,
    /// When.
    pub at: WallTime,
    /// The records that were learned as good parts.
    pub false_alarms: Vec<String>,
}

impl Lesson {
    /// Describes a lesson.
    ///
    /// # Errors
    /// If a path isn't UTF-8, or the options can't be written as JSON.
    pub fn new(
        method: &dyn DynMethod,
        flip: Flip,
        rule: ThresholdRule,
        teacher: &str,
        photos: &Path,
    ) -> Result<Self, LearnError> {
        let options = method.record().map_err(LearnError::Options)?;
        // Absolute: the next lesson may start in another folder.
        let file = Path::new(teacher);
        let teacher = if file.is_file() { text(file)? } else { teacher.to_owned() };
        let (rule, photos) = (rule.to_string(), text(photos)?);
        Ok(Self { version: VERSION, options, flip, rule, teacher, photos, learned: None })
    }

    /// Reads the lesson in a bundle's folder; `None` if it has none.
    ///
    /// # Errors
    /// [`LearnError::Lesson`] if the file is damaged, [`LearnError::Read`].
    pub fn read(bundle: &Path) -> Result<Option<Self>, LearnError> {
        let path = bundle.join(LESSON_FILE);
        match read_regular_file(&path, MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes, path).map(Some),
            Err(ReadError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LearnError::Read { path, source }),
        }
    }

    /// Reads the lesson of an opened bundle; `None` if it has none.
    ///
    /// # Errors
    /// [`LearnError::Lesson`] if the file is damaged, [`LearnError::Bundle`] if it can't be read, or isn't what was signed.
    pub fn of(bundle: &Bundle) -> Result<Option<Self>, LearnError> {
        let bytes = bundle.read(LESSON_FILE, MAX_BYTES)?;
        bytes.map(|bytes| Self::parse(&bytes, bundle.folder.join(LESSON_FILE))).transpose()
    }

    fn parse(bytes: &[u8], path: PathBuf) -> Result<Self, LearnError> {
        let damaged = |reason: String| LearnError::Lesson { path: path.clone(), reason };
        let lesson: Self = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if lesson.version != VERSION {
            return Err(damaged(format!("its version is {}, not {VERSION}", lesson.version)));
        }
        lesson.rule.parse::<ThresholdRule>().map_err(|e| damaged(e.to_string()))?;
        Ok(lesson)
    }

    /// Writes the lesson into a bundle, whole or not at all.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write(&self, bundle: &Path) -> std::io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        write_file(&bundle.join(LESSON_FILE), &json)
    }

    /// Returns the rule of the threshold.
    #[must_use]
    pub fn rule(&self) -> ThresholdRule {
        // Checked when it was read.
        self.rule.parse().unwrap_or_default()
    }

    /// Returns the folder of photos.
    #[must_use]
    pub fn photos(&self) -> PathBuf {
        PathBuf::from(&self.photos)
    }
}

fn text(path: &Path) -> Result<String, LearnError> {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    absolute.to_str().map(str::to_owned).ok_or(LearnError::Name { path: absolute })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_is_read_back_and_a_damaged_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Lesson::read(root.path()).unwrap(), None);
        let method = methods::METHODS[0].defaults();
        let rule = ThresholdRule::Estimate;
        let mut lesson =
            Lesson::new(method.as_ref(), Flip::Vertical, rule, "efficientnet-lite0", root.path()).unwrap();
        let at = WallTime::read("2026-11-30").unwrap();
        lesson.learned = Some(Learned { replaces: "ab".repeat(32), at, false_alarms: vec!["x".to_owned()] });
        lesson.write(root.path()).unwrap();
        let read = Lesson::read(root.path()).unwrap().unwrap();
        assert_eq!((&read, read.rule(), read.photos()), (&lesson, rule, root.path().canonicalize().unwrap()));
        let whole = std::fs::read(root.path().join(LESSON_FILE)).unwrap();
        for length in 0..whole.len() - 1 {
            std::fs::write(root.path().join(LESSON_FILE), &whole[..length]).unwrap();
            assert!(matches!(Lesson::read(root.path()), Err(LearnError::Lesson { .. })), "{length}");
        }
        let text = String::from_utf8(whole).unwrap();
        for (right, wrong) in
            [("\"version\": 1", "\"version\": 9"), ("estimate", "guess"), ("vertical", "both")]
        {
            std::fs::write(root.path().join(LESSON_FILE), text.replace(right, wrong)).unwrap();
            let refused = Lesson::read(root.path()).unwrap_err().to_string();
            assert!(refused.contains("teach the bundle again"), "{refused}");
        }
    }
}
