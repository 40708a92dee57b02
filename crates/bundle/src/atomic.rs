//! Folders and files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
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

/// Puts a folder that is complete in `target`'s place in one step, after all that is in it has reached the disk. What lay
/// at `target` lies at `new` afterwards: the same call is the way back. At no moment is `target` absent or incomplete, so
/// a file system that can't exchange two folders is an error, and nothing has moved.
///
/// # Errors
/// What the file system said.
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

/// Waits until a folder and everything in it is on the disk.
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

/// Waits until a folder's list of names is on the disk.
///
/// # Errors
/// What the file system said.
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
        // There, and back.
        for (now, before) in [(b"2", b"1"), (b"1", b"2")] {
            replace_folder(&new, &target).unwrap();
            assert_eq!(fs::read(target.join("model")).unwrap(), now);
            assert_eq!(fs::read(new.join("model")).unwrap(), before);
        }
        // More than one step needs a third name, or a removal.
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
