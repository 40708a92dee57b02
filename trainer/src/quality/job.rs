//! A job is a method on a set, identified by everything that affects its result.

use std::io;
use std::path::{Path, PathBuf};

use bundle::dataset::listing::list_below;
use bundle::dataset::{normal_images, test_images};
use judge::file_sha256;
use serde::{Deserialize, Serialize};

/// Whose settings a method runs with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// This program's defaults
    Ours,
    /// The paper's, as far as this program can follow it
    Published,
}

impl Origin {
    /// Returns its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Published => "published",
        }
    }
}

/// A folder of images with known answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The folder.
    pub folder: PathBuf,
    /// Its name.
    pub name: String,
    /// SHA-256 of the names and bytes of all its images, in hexadecimal digits.
    pub digest: String,
}

impl Set {
    /// Reads every image of the folder once.
    ///
    /// # Errors
    /// If the folder or a file can't be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let mut seen = Vec::new();
        for path in list_below(&folder)?.images {
            seen.extend(path.strip_prefix(&folder).unwrap_or(&path).as_os_str().as_encoded_bytes());
            seen.extend(file_sha256(&std::fs::read(&path)?));
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { folder, name, digest: hex(&file_sha256(&seen)) })
    }

    /// Describes how each folder was classified and which files aren't used, in lines for people. A folder that can't be used is
    /// reported when it is measured.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let (Ok(normals), Ok(mut test)) = (normal_images(&self.folder), test_images(&self.folder)) else {
            return vec![];
        };
        let used = normals.images.into_iter().chain(test.images.iter().map(|image| image.path.clone()));
        let used = used.collect();
        test.unused.merge(normals.unused);
        test.unused.remove(&used);
        test.describe().into_iter().chain(test.unused.line(&self.folder)).collect()
    }
}

/// A method on a set.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The set.
    pub set: &'a Set,
    /// The method's name.
    pub method: &'static str,
    /// Whose settings to use.
    pub recipe: Origin,
    /// The options that the recipe stands for, as `trainer train` takes them.
    pub options: &'static [&'static str],
    /// Seed for the split and everything random.
    pub seed: u64,
    /// The teacher's name.
    pub teacher: String,
    /// The program's version.
    pub version: String,
}

/// Number of what is measured: raised if the same job gives other figures, so that its rows are measured again.
const MEASUREMENT: u32 = 2;

impl Job<'_> {
    /// Returns a key that is equal for two jobs exactly if they do the same.
    #[must_use]
    pub fn key(&self) -> String {
        let Self { set, method, recipe, options, seed, teacher, version } = self;
        let text = format!(
            "{version}\n{MEASUREMENT}\n{}\n{method}\n{}\n{}\n{seed}\n{teacher}",
            set.digest,
            recipe.name(),
            options.join(" ")
        );
        hex(&file_sha256(text.as_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_whatever_changes_the_figures() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("caps");
        std::fs::create_dir_all(folder.join("train/good")).unwrap();
        let image = folder.join("train/good/1.png");
        std::fs::write(&image, b"one").unwrap();
        let set = Set::open(&folder).unwrap();
        assert_eq!(set.name, "caps");
        let job = |set, seed, recipe| {
            let (teacher, version) = ("t".to_owned(), "1".to_owned());
            Job { set, method: "padim", recipe, options: &[], seed, teacher, version }.key()
        };
        let key = job(&set, 0, Origin::Ours);
        assert_eq!(key, job(&set, 0, Origin::Ours));
        assert_ne!(key, job(&set, 1, Origin::Ours));
        assert_ne!(key, job(&set, 0, Origin::Published));
        // The folder's path doesn't matter, only its contents.
        let moved = root.path().join("elsewhere");
        std::fs::rename(&folder, &moved).unwrap();
        assert_eq!(Set::open(&moved).unwrap().digest, set.digest);
        std::fs::write(moved.join("train/good/1.png"), b"two").unwrap();
        assert_ne!(Set::open(&moved).unwrap().digest, set.digest);
        assert!(Set::open(&root.path().join("absent")).is_err());
    }

    #[test]
    fn a_set_says_what_its_folders_were_taken_for_and_what_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        for name in ["train/good/1.png", "train/2.png", "test/OK/3.png", "test/hole/4.png", "test/hole/4.txt"]
        {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        let lines = Set::open(root.path()).unwrap().describe().join("\n");
        assert!(lines.contains("good parts: OK (1); defects: hole (1)"), "{lines}");
        assert!(lines.contains("train/2.png") && lines.contains("test/hole/4.txt"), "{lines}");
        assert!(!lines.contains("3.png"), "{lines}");
    }
}
