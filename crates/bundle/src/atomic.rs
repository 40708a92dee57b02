//! Folders and files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Fills a new folder beside `target` and puts it in `target`'s place by one rename. Where `fill` or anything else
/// fails, `target` is as it was and nothing is left behind; only where the file system can't say whether the rename
/// reached the disk may `target` be new and an error be returned.
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

/// Writes a new file beside `target` and puts it in `target`'s place by one rename. A symbolic link stays one: the file
/// that it names is replaced. What is no file (`/dev/stdout`) is written to.
///
/// # Errors
/// What the file system said; `target` is then as it was.
pub fn write_file(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = &target.canonicalize().unwrap_or_else(|_| target.to_owned());
    if fs::metadata(target).is_ok_and(|metadata| !metadata.is_file()) {
        return File::options().write(true).open(target)?.write_all(bytes);
    }
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
        let stem = format!(".{}.partial-", name.to_string_lossy());
        for entry in fs::read_dir(&folder)?.flatten() {
            let left =
                entry.file_name().to_string_lossy().strip_prefix(&stem).and_then(|id| id.parse::<u32>().ok());
            if left.is_some_and(|id| id == std::process::id() || !Path::new(&format!("/proc/{id}")).exists())
            {
                Self::remove(&entry.path());
            }
        }
        Ok(Self(folder.join(format!("{stem}{}", std::process::id()))))
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

/// Waits until a folder's list of names is on the disk.
///
/// # Errors
/// What the file system said.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
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
    fn links_stay_links_devices_stay_devices_and_old_partials_go() {
        let root = tempfile::tempdir().unwrap();
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        // No process has this number: Linux stops far below.
        fs::write(root.path().join(".file.partial-4194999999"), b"x").unwrap();
        fs::write(root.path().join(".file.partial-4194304"), b"x").unwrap();
        write_file(&file, b"1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_file(&link, b"2").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"2");
        write_file(Path::new("/dev/null"), b"3").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(names(root.path()), ["file", "link"]);
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
