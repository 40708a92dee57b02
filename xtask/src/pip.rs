//! pip in a separate virtual environment, so that it needs only Python and leaves the user's packages alone.

use std::cell::OnceCell;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::{hash, shell};

/// pip, set up on first use; a machine that has everything never needs it.
pub struct Pip {
    base: PathBuf,
    folder: PathBuf,
    ready: OnceCell<PathBuf>,
}

/// A virtual environment in the cache.
pub struct Environment {
    /// Its folder in the cache.
    pub name: &'static str,
    /// A readable description, such as `Python packages for tests`.
    pub what: &'static str,
    /// Files in `xtask` that pin its packages by hash.
    pub requirements: &'static [&'static str],
    /// The download size and the licences.
    pub contents: &'static str,
    /// Python code that must run in it.
    pub imports: &'static str,
}

impl Pip {
    /// Prepares pip; `base` is a Python with the modules venv and ensurepip.
    pub fn new(base: PathBuf, cache: &Cache) -> Self {
        Self { base, folder: cache.path("pip"), ready: OnceCell::new() }
    }

    /// Creates a pip that runs this program instead, for tests.
    #[cfg(test)]
    pub fn with_program(program: PathBuf) -> Self {
        Self { base: program.clone(), folder: PathBuf::new(), ready: OnceCell::from(program) }
    }

    /// Downloads wheels for libtorch's platform, as given by requirement lines, into `folder`.
    pub fn download(&self, requirements: &str, folder: &Path) -> Result<()> {
        let list = folder.join("requirements.txt");
        fs::write(&list, requirements).with_context(|| format!("can't write {}", list.display()))?;
        let mut command = self.pip()?;
        // The files are unpacked, never imported, so the user's Python doesn't matter; wheels for one fixed version are downloaded.
        command.args(["download", "--no-deps", "--no-cache-dir", "--require-hashes", "--only-binary=:all:"]);
        command.args(["--implementation", "cp", "--python-version", "3.12"]);
        for platform in ["manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux_2_17_x86_64"] {
            command.args(["--platform", platform]);
        }
        command.arg("--requirement").arg(&list).arg("--dest").arg(folder);
        // pip writes files to the temporary folder first, which may be too small.
        command.env("TMPDIR", folder);
        let status = command.status().with_context(|| format!("can't start {}", self.folder.display()))?;
        // pip has printed the reason; its command line would only bury that.
        anyhow::ensure!(
            status.success(),
            "the download failed; check the connection (behind a proxy, set HTTPS_PROXY) and run the command again. \
             Completed steps are kept"
        );
        Ok(())
    }

    /// Unpacks files from a wheel according to rules, see `unpack.py`.
    pub fn unpack(&self, wheel: &Path, folder: &Path, rules: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.base);
        command.args(["-I", "-c", include_str!("unpack.py")]).arg(wheel).arg(folder).args(rules);
        let status = command.status().with_context(|| format!("can't start {}", self.base.display()))?;
        anyhow::ensure!(status.success(), "can't unpack {}", wheel.display());
        Ok(())
    }

    /// Returns the Python of an environment in the cache, which is created if it is missing. `root` is the checkout's root.
    pub fn ensure_environment(&self, cache: &Cache, root: &Path, wanted: &Environment) -> Result<PathBuf> {
        let mut requirements = String::new();
        for name in wanted.requirements {
            let path = root.join("xtask").join(name);
            requirements += &fs::read_to_string(&path)
                .with_context(|| format!("can't read {}: check the file out again", path.display()))?;
        }
        let stamp = format!("{} {}\n", wanted.requirements.join(" "), hash::sha256_of_text(&requirements));
        let folder = cache.path(wanted.name);
        let program = folder.join("bin/python");
        // The Python that the environment was created from may be gone.
        if cache::is_installed(&folder, &stamp)
            && shell::succeeds(Command::new(&program).args(["-I", "-c", ""]))
        {
            println!("{} are in {}", wanted.what, folder.display());
            return Ok(program);
        }
        println!("downloading {} from pypi.org, {}", wanted.what, wanted.contents);
        cache::install(&folder, &stamp, |part| {
            fs::create_dir_all(part).with_context(|| format!("can't make {}", part.display()))?;
            let list = part.join("requirements.txt");
            fs::write(&list, &requirements).with_context(|| format!("can't write {}", list.display()))?;
            self.environment(part, &list)?;
            shell::run(Command::new(part.join("bin/python")).args(["-I", "-c", wanted.imports]))
                .with_context(|| format!("{} were installed but can't be imported", wanted.what))
        })?;
        Ok(program)
    }

    /// Creates a virtual environment in `folder` with the packages of a requirements file, which pins every hash.
    fn environment(&self, folder: &Path, requirements: &Path) -> Result<()> {
        shell::run(Command::new(&self.base).args(["-m", "venv"]).arg(folder))?;
        let mut command = pip_of(&folder.join("bin/python"));
        command.args(["install", "--no-deps", "--no-cache-dir", "--require-hashes", "--only-binary=:all:"]);
        command.arg("--requirement").arg(requirements);
        command.env("TMPDIR", folder);
        shell::run(&mut command).context("can't install the Python packages; run the command again")
    }

    fn pip(&self) -> Result<Command> {
        let program = match self.ready.get() {
            Some(program) => program,
            None => {
                let program = self.make()?;
                self.ready.get_or_init(|| program)
            }
        };
        Ok(pip_of(program))
    }

    fn make(&self) -> Result<PathBuf> {
        let program = self.folder.join("bin/python");
        let stamp = format!("{}\n", self.base.display());
        let works = || shell::succeeds(Command::new(&program).args(["-m", "pip", "--version"]));
        if !(cache::is_installed(&self.folder, &stamp) && works()) {
            println!("creating a Python environment for pip in {}", self.folder.display());
            cache::install(&self.folder, &stamp, |part| {
                shell::run(Command::new(&self.base).args(["-m", "venv"]).arg(part))
            })?;
        }
        Ok(program)
    }
}

fn pip_of(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    if !std::io::stdout().is_terminal() {
        command.arg("--quiet");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a wheel, which is a zip archive, with Python.
    fn make_wheel(folder: &Path) -> PathBuf {
        let wheel = folder.join("a.whl");
        let script = "import sys, zipfile\n\
             with zipfile.ZipFile(sys.argv[1], 'w') as z:\n\
             \x20   for name in ['a/lib/one.so', 'a/lib/two.so', 'a/include/x/y.h', '../evil/out']: z.writestr(name, name)";
        shell::run(Command::new("python3").args(["-c", script]).arg(&wheel)).unwrap();
        wheel
    }

    #[test]
    fn only_the_named_files_are_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(&folder.path().join("cache")).unwrap();
        let wheel = make_wheel(folder.path());
        let pip = Pip::new("python3".into(), &cache);
        let out = folder.path().join("out");
        pip.unpack(&wheel, &out, &["a/include/=include/", "a/lib/one.so=lib/one.so"]).unwrap();
        assert_eq!(fs::read_to_string(out.join("include/x/y.h")).unwrap(), "a/include/x/y.h");
        assert_eq!(fs::read_to_string(out.join("lib/one.so")).unwrap(), "a/lib/one.so");
        assert!(!out.join("lib/two.so").exists());

        assert!(pip.unpack(&wheel, &out, &["a/lib/three.so=three.so"]).is_err(), "a rule without a match");
        assert!(pip.unpack(&wheel, &out, &["../=../"]).is_err(), "a name outside the folder");
        assert!(!folder.path().join("evil").exists());
        fs::write(&wheel, "not a zip archive").unwrap();
        assert!(pip.unpack(&wheel, &out, &["a/lib/one.so=lib/one.so"]).is_err());
    }
}
