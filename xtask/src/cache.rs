//! The folder outside the checkout that keeps downloads, shared by all of a user's checkouts.
//!
//! Everything there under its final name is complete: it is created under another name (`….part`) and renamed at the end. We don't use
//! `tempfile` for this because it can only replace single files, and these are folders and links.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The file in every installed folder that records what was installed.
const STAMP: &str = ".nominal-stamp";

/// The cache folder, locked by this process while the value exists.
pub struct Cache {
    folder: PathBuf,
    _lock: File,
}

impl Cache {
    /// Finds or creates the folder, and waits until no other set-up uses it.
    pub fn open() -> Result<Self> {
        let folder = locate(&|name| env::var_os(name)).context(
            "none of NOMINAL_CACHE, XDG_CACHE_HOME and HOME is set; set NOMINAL_CACHE to a folder for downloads",
        )?;
        Self::open_at(&std::path::absolute(folder)?)
    }

    /// As [`Cache::open`], with a given folder.
    pub fn open_at(folder: &Path) -> Result<Self> {
        let action = || format!("can't use {} (set NOMINAL_CACHE to another folder)", folder.display());
        fs::create_dir_all(folder).with_context(action)?;
        let lock = File::create(folder.join("setup.lock")).with_context(action)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!("waiting for another `cargo xtask` that is using {} …", folder.display());
                lock.lock().with_context(action)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(action),
        }
        Ok(Self { folder: folder.to_path_buf(), _lock: lock })
    }

    /// Returns a path below the cache folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }
}

/// Returns `$NOMINAL_CACHE`, or else `nominal` below `$XDG_CACHE_HOME` or `~/.cache`.
fn locate(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // The XDG specification says to ignore relative paths.
    folder("NOMINAL_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").filter(|f| f.is_absolute()).map(|f| f.join("nominal")))
        .or_else(|| folder("HOME").map(|f| f.join(".cache/nominal")))
}

/// Returns whether `target` contains an installation with this stamp.
pub fn is_installed(target: &Path, stamp: &str) -> bool {
    fs::read_to_string(target.join(STAMP)).is_ok_and(|found| found == stamp)
}

/// Installs the folder `target`: `fill` writes its contents into an empty folder, which is then moved to `target`. A previous
/// installation and leftovers of an interrupted run are deleted.
pub fn install(target: &Path, stamp: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (part, old) = (with_suffix(target, ".part"), with_suffix(target, ".old"));
    remove(&part)?;
    remove(&old)?;
    fs::create_dir_all(&part).with_context(|| format!("can't make the folder {}", part.display()))?;
    fill(&part)?;
    fs::write(part.join(STAMP), stamp).with_context(|| format!("can't write into {}", part.display()))?;
    if target.symlink_metadata().is_ok() {
        rename(target, &old)?;
    }
    rename(&part, target)?;
    remove(&old)
}

/// Returns `path` with a suffix added to its file name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file, link or whole folder, if it exists.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("can't remove {}", path.display()))
}

/// Copies a file, into a folder that is made if it doesn't exist; an error names both paths.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("can't copy {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::copy(from, to).map(drop).with_context(failed)
}

/// Renames a path; an error names both paths.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("can't rename {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_the_variables() {
        let set = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
        };
        let all = set(&[("NOMINAL_CACHE", "/n"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(locate(&all), Some("/n".into()));
        let xdg = set(&[("NOMINAL_CACHE", ""), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(locate(&xdg), Some("/x/nominal".into()));
        let home = set(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]);
        assert_eq!(locate(&home), Some("/h/.cache/nominal".into()));
        assert_eq!(locate(&set(&[])), None);
    }

    #[test]
    fn an_interrupted_installation_leaves_the_old_one_and_the_next_run_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("thing");
        install(&target, "1", |part| Ok(fs::write(part.join("one"), "1")?)).unwrap();
        assert!(is_installed(&target, "1"));
        assert!(!is_installed(&target, "2"));

        let failed = install(&target, "2", |part| {
            fs::write(part.join("half"), "")?;
            anyhow::bail!("the network went away")
        });
        assert!(failed.is_err());
        assert!(is_installed(&target, "1"));

        install(&target, "2", |part| {
            assert_eq!(fs::read_dir(part)?.count(), 0, "left over from the interrupted run");
            Ok(fs::write(part.join("two"), "2")?)
        })
        .unwrap();
        assert!(is_installed(&target, "2"));
        assert!(!target.join("one").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_second_set_up_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Cache::open_at(folder.path()).unwrap();
        let path = folder.path().to_path_buf();
        let (sender, receiver) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            let cache = Cache::open_at(&path).unwrap();
            sender.send(()).unwrap();
            drop(cache);
        });
        assert!(receiver.recv_timeout(std::time::Duration::from_millis(200)).is_err(), "did not wait");
        drop(first);
        receiver.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        second.join().unwrap();
    }
}
