//! Writes folders and files atomically: they appear whole or not at all.

#[cfg_attr(unix, path = "atomic/unix.rs")]
#[cfg_attr(not(unix), path = "atomic/other.rs")]
mod system;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::Builder;

pub use system::sync_folder;

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
    let partial = beside(target, |builder, folder| system::for_everyone(builder, 0o777).tempdir_in(folder))?;
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
        system::exchange(new, target)?;
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
    let mut partial =
        beside(target, |builder, folder| system::for_everyone(builder, 0o666).tempfile_in(folder))?;
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
        if left.is_some_and(|id| system::is_left(id, &entry.path())) {
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

/// Returns whether a half-written file or folder is so old that nobody is still writing it. Where one can't ask whether the process
/// still exists.
#[cfg(not(target_os = "linux"))]
fn is_old(_process: u32, path: &Path) -> bool {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > DAY)
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
    match system::exchange(a, b) {
        // Move the old one aside, move the new one in, and undo the first step if that fails.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            let aside = b.with_extension(format!("replaced-{}", std::process::id()));
            fs::rename(b, &aside)?;
            if let Err(e) = fs::rename(a, b) {
                fs::rename(&aside, b)?;
                return Err(e);
            }
            fs::rename(&aside, a)
        }
        exchanged => exchanged,
    }
}

#[cfg(test)]
mod tests;
