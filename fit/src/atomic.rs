//! Folders and files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Fills a new folder beside `target` and puts it in `target`'s place by one rename. Where `fill` or anything else
/// fails, `target` is as it was and nothing is left behind.
///
/// # Errors
/// What `fill` or the file system said.
pub fn write_folder<E: From<io::Error>>(
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let partial = Partial::beside(target)?;
    fs::create_dir(&partial.0)?;
    fill(&partial.0)?;
    sync_folder(&partial.0)?;
    if target.symlink_metadata().is_ok() {
        exchange(&partial.0, target)?;
    } else {
        fs::rename(&partial.0, target)?;
    }
    sync_folder(&parent(target))?;
    // What is left under the partial name is the replaced folder: `partial` removes it.
    Ok(())
}

/// Writes a new file beside `target` and puts it in `target`'s place by one rename.
///
/// # Errors
/// What the file system said; `target` is then as it was.
pub fn write_file(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = Partial::beside(target)?;
    write_synced(&partial.0, bytes)?;
    fs::rename(&partial.0, target)?;
    sync_folder(&parent(target))
}

/// Writes a file and waits until it is on the disk.
///
/// # Errors
/// What the file system said.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A path that is removed again when this is dropped, whatever lies there by then.
struct Partial(PathBuf);

impl Partial {
    fn beside(target: &Path) -> io::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no name to write to"));
        };
        let folder = parent(target);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!(".{}.partial-{}", name.to_string_lossy(), std::process::id()));
        Self::remove(&path);
        Ok(Self(path))
    }

    fn remove(path: &Path) {
        // Errors are of no use here: what matters was reported already, and what stays is named `.partial`.
        if path.is_dir() {
            let _ = fs::remove_dir_all(path);
        } else {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        Self::remove(&self.0);
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // Some file systems can't exchange: step aside, move in, and step back where that fails.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            let aside = b.with_extension(format!("replaced-{}", std::process::id()));
            fs::rename(b, &aside)?;
            if let Err(e) = fs::rename(a, b) {
                fs::rename(&aside, b)?;
                return Err(e);
            }
            fs::rename(&aside, a)
        }
        Err(e) => Err(e.into()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_appears_whole_and_replaces_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("new/bundle");
        write_folder(&target, |p| write_synced(&p.join("one"), b"1")).unwrap();
        assert_eq!(names(&target), ["one"]);
        write_folder(&target, |p| write_synced(&p.join("two"), b"2")).unwrap();
        assert_eq!(names(&target), ["two"]);
        assert_eq!(names(target.parent().unwrap()), ["bundle"]);
    }

    #[test]
    fn a_failure_leaves_everything_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("bundle");
        write_folder(&target, |p| write_synced(&p.join("one"), b"1")).unwrap();
        let failed = write_folder(&target, |p| {
            write_synced(&p.join("two"), b"2")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(names(&target), ["one"]);
        assert_eq!(names(root.path()), ["bundle"]);
    }
}
