//! Writes folders and files atomically: they appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::Builder;

/// Fills a new folder beside `target` and moves it into place with one rename. If `fill` or any other step fails,
/// `target` is unchanged and nothing is left behind. The one exception: if the file system can't confirm that the rename
/// reached the disk, an error is returned although `target` may already be new.
///
/// # Errors
/// The error of `fill` or of the file system.
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
        // After the exchange the partial name holds the replaced folder, which is removed when `partial` is dropped.
        exchange(partial.path(), target)?;
    } else {
        fs::rename(partial.path(), target)?;
        let _ = partial.keep();
    }
    Ok(sync_folder(&parent(target))?)
}

/// Replaces `target` with a complete folder in one step, after everything in it has reached the disk. Afterwards `new`
/// holds the previous contents of `target`, so the same call undoes the replacement. `target` is never absent or
/// incomplete: on a file system that can't exchange two folders nothing is moved, and an error is returned.
///
/// # Errors
/// The file system's error.
pub fn replace_folder(new: &Path, target: &Path) -> io::Result<()> {
    sync_tree(new)?;
    if target.symlink_metadata().is_ok() {
        renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE).map_err(|e| match e {
            Errno::INVAL | Errno::NOSYS => io::Error::new(
                io::ErrorKind::Unsupported,
                "this file system can't exchange two folders in one step; keep them on ext4",
            ),
            e => e.into(),
        })?;
    } else {
        fs::rename(new, target)?;
    }
    sync_folder(&parent(target))?;
    sync_folder(&parent(new))
}

/// Flushes a folder and everything in it to the disk.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Writes a new file beside `target` and moves it into place with one rename. If `target` is a symbolic link, the file
/// it points to is replaced and the link stays. If it isn't a regular file (`/dev/stdout`), the bytes are written to it.
///
/// # Errors
/// The file system's error; `target` is then unchanged.
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

/// Writes a file and flushes it to the disk.
///
/// # Errors
/// The file system's error.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes something under a hidden name beside `target`, after removing what processes that no longer exist left there.
fn beside<T>(
    target: &Path,
    make: impl FnOnce(&mut Builder<'_, '_>, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
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

/// Returns the intended name of a file or folder that a process left half-written; `None` for other names.
#[must_use]
pub fn half_written(name: &str) -> Option<&str> {
    let (target, rest) = name.strip_prefix('.')?.split_once(".partial-")?;
    process(rest).map(|_| target)
}

/// Returns the ID of the process that made a partial file or folder, from its name.
fn process(rest: &str) -> Option<u32> {
    rest.split('-').next()?.parse().ok()
}

fn remove(path: &Path) {
    // Errors can be ignored: anything left behind has `.partial` in its name.
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
        // Some file systems can't exchange: move the old one aside, move the new one in, and undo the first step if that
        // fails.
        Err(Errno::INVAL | Errno::NOSYS) => {
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

/// Flushes a folder's list of names to the disk.
///
/// # Errors
/// The file system's error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use rustix::fs::inotify;

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
        // No process has this number: Linux's limit is far lower.
        fs::write(root.path().join(".file.partial-4194999999"), b"x").unwrap();
        fs::write(root.path().join(".file.partial-4194304-a1b2"), b"x").unwrap();
        write_file(&file, b"1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_file(&link, b"2").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"2");
        // As readable as a file that any other program makes here.
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

    #[test]
    fn a_folder_that_is_replaced_is_there_at_every_moment() {
        let root = tempfile::tempdir().unwrap();
        let (new, target) = (root.path().join(".bundle.beside"), root.path().join("bundle"));
        write_synced_folder(&new, b"1");
        replace_folder(&new, &target).unwrap();
        assert_eq!(names(root.path()), ["bundle"]);
        write_synced_folder(&new, b"2");
        let changes = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&changes, root.path(), inotify::WatchFlags::ALL_EVENTS).unwrap();
        // Forwards and back.
        for (now, before) in [(b"2", b"1"), (b"1", b"2")] {
            replace_folder(&new, &target).unwrap();
            assert_eq!(fs::read(target.join("model")).unwrap(), now);
            assert_eq!(fs::read(new.join("model")).unwrap(), before);
        }
        // Anything that takes more than one step would need a third name, or a removal.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&changes, &mut buffer);
        let mut moves = 0;
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_str().unwrap().to_owned()).unwrap_or_default();
            assert!(["", "bundle", ".bundle.beside"].contains(&name.as_str()), "{name}");
            let gone = inotify::ReadFlags::DELETE | inotify::ReadFlags::CREATE;
            assert!(!event.events().intersects(gone), "{name}");
            moves += usize::from(event.events().contains(inotify::ReadFlags::MOVED_TO));
        }
        assert_eq!(moves, 4);
    }

    #[test]
    fn nothing_moves_where_the_new_folder_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("bundle");
        write_synced_folder(&target, b"1");
        let error = replace_folder(&root.path().join("none"), &target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read(target.join("model")).unwrap(), b"1");
    }

    fn write_synced_folder(folder: &Path, model: &[u8]) {
        fs::create_dir_all(folder.join("golden")).unwrap();
        write_synced(&folder.join("model"), model).unwrap();
        write_synced(&folder.join("golden/normal.png"), model).unwrap();
    }
}
