//! Where bundles wait for the line: each in a folder of its name, whole or not at all. Blocks: call it from a thread that may.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fleet::IndexedBundle;
use sha2::{Digest as _, Sha256};
use signing::listed_files::ListedFile;

/// Below a bundle's folder that is being filled: the file that is being written. No file of a bundle begins with a dot.
const PART: &str = ".part";

/// What is read at once, in bytes.
const READ_SIZE: usize = 64 << 10;

/// The folder in which the line looks for bundles.
#[derive(Debug, Clone)]
pub struct Inbox(PathBuf);

impl Inbox {
    /// Names the folder; it must exist.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Finds out whether it can be written.
    ///
    /// # Errors
    /// If it can't.
    pub fn check(&self) -> Result<()> {
        let path = self.0.join(".check");
        let written = File::create(&path).and_then(|_| fs::remove_file(&path));
        written.with_context(|| {
            format!(
                "cannot write to fleet.inbox {}; create it for this user, and let the line's group read it",
                self.0.display()
            )
        })
    }

    /// Whether a bundle is there, whole.
    #[must_use]
    pub fn has(&self, bundle: &IndexedBundle) -> bool {
        let folder = self.0.join(&bundle.name);
        bundle.files.iter().all(|(path, file)| holds(&folder.join(path), *file))
    }

    /// Prepares the folder that is filled with a bundle's files, and returns it. Files that are there already are kept.
    ///
    /// # Errors
    /// The system's error.
    pub fn prepare(&self, bundle: &IndexedBundle) -> io::Result<PathBuf> {
        let staging = self.staging(bundle);
        // Of other versions: they would fill the disk.
        let prefix = format!(".{}.", bundle.name);
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Another bundle's name may begin with this one's and a dot.
            let is_version = |rest: &str| rest == "old" || rest.bytes().all(|byte| byte.is_ascii_digit());
            if name.strip_prefix(&prefix).is_some_and(is_version) && entry.path() != staging {
                fs::remove_dir_all(entry.path())?;
            }
        }
        for path in bundle.files.keys() {
            if let Some(folder) = staging.join(path).parent() {
                fs::create_dir_all(folder)?;
            }
        }
        Ok(staging)
    }

    /// Moves a bundle whose files are all there to its place.
    ///
    /// # Errors
    /// The system's error, or that a file is missing, too many or not what the index says.
    pub fn commit(&self, bundle: &IndexedBundle) -> io::Result<()> {
        let staging = self.staging(bundle);
        let _ = fs::remove_file(staging.join(PART));
        let mut found = BTreeSet::new();
        list(&staging, "", &mut found)?;
        let is_complete = found.iter().eq(bundle.files.keys())
            && bundle.files.iter().all(|(path, file)| holds(&staging.join(path), *file));
        if !is_complete {
            fs::remove_dir_all(&staging)?;
            return Err(io::Error::other("the bundle is not what the index says; it is fetched again"));
        }
        let (place, old) = (self.0.join(&bundle.name), self.0.join(format!(".{}.old", bundle.name)));
        remove(&old)?;
        match fs::rename(&place, &old) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        fs::rename(&staging, &place)?;
        sync_folder(&self.0)?;
        remove(&old)
    }

    fn staging(&self, bundle: &IndexedBundle) -> PathBuf {
        self.0.join(format!(".{}.{}", bundle.name, bundle.serial))
    }
}

/// Whether a file is there and is the one that the index names.
#[must_use]
pub fn holds(path: &Path, expected: ListedFile) -> bool {
    let is = || -> io::Result<bool> {
        let found = path.symlink_metadata()?;
        if !found.is_file() || found.len() != expected.bytes {
            return Ok(false);
        }
        let mut hasher = Sha256::new();
        let (mut file, mut bytes) = (File::open(path)?.take(expected.bytes), vec![0; READ_SIZE]);
        loop {
            match file.read(&mut bytes)? {
                0 => break,
                read => hasher.update(bytes.get(..read).unwrap_or_default()),
            }
        }
        Ok(<[u8; 32]>::from(hasher.finalize()) == expected.sha256)
    };
    is().unwrap_or(false)
}

/// Writes one file of a bundle, which appears under its name only if it is the one that the index names.
pub struct FileWriter {
    file: File,
    part: PathBuf,
    target: PathBuf,
    hasher: Sha256,
    expected: ListedFile,
    bytes: u64,
}

impl FileWriter {
    /// Begins a file in the folder that [`Inbox::prepare`] returned.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(staging: &Path, path: &str, expected: ListedFile) -> io::Result<Self> {
        let part = staging.join(PART);
        let file = File::create(&part)?;
        let target = staging.join(path);
        Ok(Self { file, part, target, hasher: Sha256::new(), expected, bytes: 0 })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::FileTooLarge`] if they are more than the index says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.expected.bytes {
            let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let said =
                format!("{name} is longer than the {} bytes that the index names", self.expected.bytes);
            return Err(io::Error::new(ErrorKind::FileTooLarge, said));
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::InvalidData`] if it isn't the one that the index names.
    pub fn finish(self) -> io::Result<()> {
        if self.bytes != self.expected.bytes
            || <[u8; 32]>::from(self.hasher.finalize()) != self.expected.sha256
        {
            let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let said = format!("{name} is not the file that the index names");
            return Err(io::Error::new(ErrorKind::InvalidData, said));
        }
        // The line's user reads it; the inbox itself lets in whom it is for.
        self.file.set_permissions(Permissions::from_mode(0o644))?;
        self.file.sync_all()?;
        fs::rename(&self.part, &self.target)
    }
}

/// Lists the files of a folder by their path with `/`, and makes its folders readable and their entries durable.
fn list(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name);
        }
    }
    sync_folder(folder)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 4] = [
        ("golden/a.png", b"png"),
        ("manifest.json", b"{}"),
        ("manifest.json.minisig", b"signature"),
        ("model.threshold", b"thresholds"),
    ];

    fn bundle(serial: u64) -> IndexedBundle {
        let file =
            |bytes: &[u8]| ListedFile { bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() };
        let files = FILES.iter().map(|(path, bytes)| ((*path).to_owned(), file(bytes))).collect();
        IndexedBundle { name: "cap".to_owned(), serial, files }
    }

    fn write(staging: &Path, bundle: &IndexedBundle, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut writer = FileWriter::new(staging, path, bundle.files[path])?;
        bytes.chunks(3).try_for_each(|chunk| writer.write(chunk))?;
        writer.finish()
    }

    #[test]
    fn a_bundle_appears_whole_and_what_is_there_is_not_fetched_again() {
        let root = tempfile::tempdir().unwrap();
        let (inbox, bundle) = (Inbox::new(root.path().to_owned()), bundle(3));
        inbox.check().unwrap();
        let staging = inbox.prepare(&bundle).unwrap();
        for (path, bytes) in FILES {
            assert!(!inbox.has(&bundle));
            write(&staging, &bundle, path, bytes).unwrap();
            assert!(holds(&staging.join(path), bundle.files[path]));
        }
        inbox.commit(&bundle).unwrap();
        assert!(inbox.has(&bundle));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        let mode = |path: &str| root.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("cap"), mode("cap/golden"), mode("cap/golden/a.png")), (0o755, 0o755, 0o644));
        // The next one takes its place.
        let next = self::bundle(4);
        let staging = inbox.prepare(&next).unwrap();
        FILES.iter().for_each(|(path, bytes)| write(&staging, &next, path, bytes).unwrap());
        inbox.commit(&next).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn wrong_bytes_never_get_a_name_and_half_a_bundle_never_gets_its_place() {
        let root = tempfile::tempdir().unwrap();
        let (inbox, bundle) = (Inbox::new(root.path().to_owned()), bundle(3));
        let staging = inbox.prepare(&bundle).unwrap();
        let kind = |bytes: &[u8]| write(&staging, &bundle, "model.threshold", bytes).unwrap_err().kind();
        assert_eq!(kind(b"thresholdz"), ErrorKind::InvalidData);
        assert_eq!(kind(b"threshold"), ErrorKind::InvalidData);
        assert_eq!(kind(b"thresholds and more"), ErrorKind::FileTooLarge);
        assert!(!staging.join("model.threshold").exists());
        // Without the model's thresholds, with a file more, with a link in the place of a file.
        let fill = || {
            let staging = inbox.prepare(&bundle).unwrap();
            FILES.iter().for_each(|(path, bytes)| write(&staging, &bundle, path, bytes).unwrap());
        };
        fill();
        fs::remove_file(staging.join("model.threshold")).unwrap();
        assert!(inbox.commit(&bundle).is_err());
        fill();
        fs::write(staging.join("golden/more.png"), b"png").unwrap();
        assert!(inbox.commit(&bundle).is_err());
        fill();
        fs::remove_file(staging.join("manifest.json")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", staging.join("manifest.json")).unwrap();
        assert!(inbox.commit(&bundle).is_err());
        assert!(!root.path().join("cap").exists());
        fill();
        inbox.commit(&bundle).unwrap();
        // What an attacker of the inbox changes later is noticed.
        fs::write(root.path().join("cap/model.threshold"), b"thresholdz").unwrap();
        assert!(!inbox.has(&bundle));
        let said = Inbox::new("/nowhere".into()).check().unwrap_err().to_string();
        assert!(said.contains("/nowhere") && said.contains("fleet.inbox"), "{said}");
    }
}
