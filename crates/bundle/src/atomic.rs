//! Folders and files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::Builder;

/// Fills a new folder beside `target` and puts it in `target`'s place by one rename. If `fill` or anything else fails,
/// `target` is as it was and nothing is left behind; only if the file system can't say whether the rename reached the
/// disk may `target` be new and an error be returned.
///
/// # Errors
/// What `fill` or the file system said.
pub fn write_folder<E: From<io::Error>>(
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let partial = beside(target, |builder, folder| {
        builder.permissions(Permissions::from_mode(0o777)).tempdir_in(folder)
    })?;
    fill(partial.path())?;
    sync_folder(partial.path())?;
    if target.symlink_metadata().is_ok() {
        // What is left under the partial name is the replaced folder, which is removed with it.
        exchange(partial.path(), target)?;
    } else {
        fs::rename(partial.path(), target)?;
        let _ = partial.keep();
    }
    Ok(sync_folder(&parent(target))?)
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
    let mut partial = beside(target, |builder, folder| {
        builder.permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
    })?;
    partial.write_all(bytes)?;
    partial.as_file().sync_all()?;
    partial.persist(target).map_err(|e| e.error)?;
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

/// Something under a hidden name beside `target`, after what processes that are gone left there was removed.
fn beside<T>(
    target: &Path,
    make: impl FnOnce(&mut Builder<'_, '_>, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no name to write to"));
    };
    let folder = parent(target);
    fs::create_dir_all(&folder)?;
    let stem = format!(".{}.partial-", name.to_string_lossy());
    for entry in fs::read_dir(&folder)?.flatten() {
        let left = entry.file_name().to_string_lossy().strip_prefix(&stem).and_then(process);
        if left.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            remove(&entry.path());
        }
    }
    let prefix = format!("{stem}{}-", std::process::id());
    make(Builder::new().prefix(&prefix), &folder)
}

/// What a file or folder of this name was to be called, if a process left it half-written.
#[must_use]
pub fn half_written(name: &str) -> Option<&str> {
    let (target, rest) = name.strip_prefix('.')?.split_once(".partial-")?;
    process(rest).map(|_| target)
}

/// The process that a partial's name ends with.
fn process(rest: &str) -> Option<u32> {
    rest.split('-').next()?.parse().ok()
}

fn remove(path: &Path) {
    // Errors are of no use here: what stays is named `.partial`.
    if path.is_dir() {
        let _ = fs::remove_dir_all(path);
    } else {
        let _ = fs::remove_file(path);
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
        fs::write(root.path().join(".file.partial-4194304-a1b2"), b"x").unwrap();
        write_file(&file, b"1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_file(&link, b"2").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"2");
        // Readable for those who may read a file that any program made here.
        fs::write(root.path().join("plain"), b"x").unwrap();
        let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("file"), mode("plain"));
        write_file(Path::new("/dev/null"), b"3").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(names(root.path()), ["file", "link", "plain"]);
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
