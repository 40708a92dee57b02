//! Tar archives and Debian packages, equal to the byte if their contents are: no owner, order or time of this machine is in them.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::source_date;
use super::tree::{Tree, copy_folder, entries};
use crate::{cache, shell, workspace};

/// Writes a staged folder as a compressed tar archive.
pub fn tar_gz(tree: &Tree, to: &Path) -> Result<()> {
    tar_gz_of(tree.folder(), to, source_date(&workspace::root()?)?)
}

fn tar_gz_of(folder: &Path, to: &Path, date: u64) -> Result<()> {
    let (above, name) = (folder.parent().context("the folder has no parent")?, folder.file_name());
    let plain = to.with_extension("");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u=rwX,go=rX", &format!("--mtime=@{date}"), "--file"]).arg(&plain);
    tar.arg("--directory").arg(above).arg(name.context("the folder has no name")?);
    // Someone's own default options must not change the archive.
    shell::run(tar.env_remove("TAR_OPTIONS").env("LC_ALL", "C"))?;
    cache::remove(to)?;
    // Without name and time.
    shell::run(Command::new("gzip").args(["--no-name", "-9"]).arg(&plain).env_remove("GZIP"))
}

/// What a Debian package says of itself.
pub struct Control<'a> {
    /// The package's name.
    pub package: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Debian's name of the processor.
    pub architecture: &'a str,
    /// One line.
    pub summary: &'a str,
    /// Further fields, each a line.
    pub fields: &'a str,
}

/// Writes a staged folder as a Debian package that installs it below `/usr`.
pub fn debian(tree: &Tree, control: &Control<'_>, stage: &Path, to: &Path) -> Result<()> {
    let root = stage.join(format!("{}-root", tree.name()));
    debian_of(tree.folder(), control, &root, to, source_date(&workspace::root()?)?)
}

fn debian_of(folder: &Path, control: &Control<'_>, root: &Path, to: &Path, date: u64) -> Result<()> {
    cache::remove(root)?;
    copy_folder(folder, &root.join("usr"))?;
    let kibibytes = size(&root.join("usr"))? / 1024;
    let Control { package, version, architecture, summary, fields } = control;
    let text = format!(
        "Package: {package}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: The Nominal authors\n\
         Installed-Size: {kibibytes}\n{fields}Section: science\nPriority: optional\nDescription: {summary}\n \
         Learns what good parts look like from photos of good parts, and writes bundles for a line.\n"
    );
    let debian = root.join("DEBIAN");
    fs::create_dir(&debian).with_context(|| format!("can't make the folder {}", debian.display()))?;
    fs::write(debian.join("control"), text).context("can't write the package's control file")?;
    fs::write(debian.join("md5sums"), md5sums(root)?).context("can't write the package's checksums")?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date);
    make_ordinary(root, date)?;
    let mut build = Command::new("dpkg-deb");
    // Not xz, whose output depends on the number of threads.
    build.args(["--root-owner-group", "-Zgzip", "--build"]).arg(root).arg(to);
    let seconds = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    build.env("SOURCE_DATE_EPOCH", seconds.to_string()).stdout(std::process::Stdio::null());
    shell::run(&mut build)
}

/// Returns the MD5 of each file, as `dpkg --verify` reads them.
fn md5sums(root: &Path) -> Result<String> {
    let mut lines = String::new();
    let mut folders = vec![root.join("usr")];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let printed = shell::output(Command::new("md5sum").arg("--").arg(&path))?;
            let sum = printed.trim_start_matches('\\').split(' ').next().unwrap_or_default();
            let name = path.strip_prefix(root).unwrap_or(&path);
            let _ = writeln!(lines, "{sum}  {}", name.display());
        }
    }
    Ok(lines)
}

/// Returns the size of all files in bytes.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for path in entries(folder)? {
        bytes += if path.is_dir() { size(&path)? } else { path.metadata()?.len() };
    }
    Ok(bytes)
}

/// Gives files and folders the permissions and the time that they have in every build.
fn make_ordinary(path: &Path, date: SystemTime) -> Result<()> {
    let failed = || format!("can't set permissions and time of {}", path.display());
    let metadata = path.metadata().with_context(failed)?;
    if metadata.is_dir() {
        for entry in entries(path)? {
            make_ordinary(&entry, date)?;
        }
    }
    let is_open = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
    fs::set_permissions(path, Permissions::from_mode(if is_open { 0o755 } else { 0o644 }))
        .with_context(failed)?;
    File::open(path).and_then(|file| file.set_modified(date)).with_context(failed)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const DATE: u64 = 1_700_000_000;
    const CONTROL: Control<'_> = Control {
        package: "nominal-small",
        version: "1.2.3",
        architecture: "all",
        summary: "a few files",
        fields: "Recommends: ca-certificates\n",
    };

    /// Makes the same files in another order, with other permissions and at another time.
    fn staged(place: &Path, files: &[(&str, &str)], mode: u32) -> PathBuf {
        let folder = place.join("nominal-small-1.2.3");
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let mode = if name.starts_with("bin/") { mode | 0o111 } else { mode };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        folder
    }

    fn both(files: &[(&str, &str)], make: impl Fn(&Path, &Path)) -> [Vec<u8>; 2] {
        let mut other: Vec<(&str, &str)> = files.to_vec();
        other.reverse();
        [(files.to_vec(), 0o600), (other, 0o664)].map(|(files, mode)| {
            let place = tempfile::tempdir().unwrap();
            // Longer paths, and other times: what must not be seen in the result.
            let place = place.path().join(if mode == 0o600 { "a" } else { "a/longer/place" });
            let folder = staged(&place, &files, mode);
            let day = SystemTime::now() - Duration::from_secs(u64::from(mode) * 1000);
            File::open(folder.join("bin/run")).unwrap().set_modified(day).unwrap();
            let to = place.join("result.gz");
            make(&folder, &to);
            fs::read(to).unwrap()
        })
    }

    const FILES: [(&str, &str); 4] =
        [("bin/run", "#!/bin/sh\necho ran\n"), ("share/b", "b"), ("share/a", "a"), ("share/doc/x/y", "y")];

    #[test]
    fn equal_files_make_equal_archives() {
        let [a, b] = both(&FILES, |folder, to| tar_gz_of(folder, to, DATE).unwrap());
        assert_eq!(a, b);
        let [_, other] = both(&[("bin/run", "another"), FILES[1], FILES[2], FILES[3]], |folder, to| {
            tar_gz_of(folder, to, DATE).unwrap();
        });
        assert_ne!(a, other);
        // It unpacks to what went in, and lists no user of this machine.
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.tar.gz"), a).unwrap();
        let mut tar = Command::new("tar");
        let listed = shell::output(
            tar.args(["--list", "--verbose", "--numeric-owner", "--utc", "--file", "a.tar.gz"])
                .current_dir(place.path()),
        )
        .unwrap();
        assert!(
            listed.lines().all(|line| line.contains(" 0/0 ") && line.contains("2023-11-14 22:13")),
            "{listed}"
        );
        assert!(listed.contains("-rwxr-xr-x") && listed.contains("-rw-r--r--"), "{listed}");
    }

    #[test]
    fn equal_files_make_equal_packages() {
        if !shell::succeeds(Command::new("dpkg-deb").arg("--version")) {
            eprintln!("SKIPPED: packages (dpkg-deb is missing)");
            return;
        }
        let [a, b] = both(&FILES, |folder, to| {
            debian_of(folder, &CONTROL, &to.with_extension("root"), to, DATE).unwrap();
        });
        assert_eq!(a, b);
        let place = tempfile::tempdir().unwrap();
        let package = place.path().join("a.deb");
        fs::write(&package, a).unwrap();
        let field = |name: &str| crate::package::field(&package, name).unwrap();
        assert_eq!((field("Version").as_str(), field("Recommends").as_str()), ("1.2.3", "ca-certificates"));
        let root = place.path().join("root");
        shell::run(Command::new("dpkg-deb").arg("--raw-extract").arg(&package).arg(&root)).unwrap();
        assert_eq!(fs::read_to_string(root.join("usr/share/a")).unwrap(), "a");
        let ran = shell::output(&mut Command::new(root.join("usr/bin/run"))).unwrap();
        assert_eq!(ran, "ran\n");
        // dpkg can check what was installed.
        let mut check = Command::new("md5sum");
        shell::output(check.args(["--check", "DEBIAN/md5sums"]).current_dir(&root)).unwrap();
    }
}
