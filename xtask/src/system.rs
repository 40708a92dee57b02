//! Requirements installed through the operating system's packages: a C++ compiler, Python, and those of individual commands.

use std::env;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The Pythons to look for.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];
/// The minor versions of Python 3 that the pinned packages support.
const PYTHON_VERSIONS: Range<u8> = 10..15;

/// Makes sure that a C++ compiler and Python are installed, and returns the Python.
pub fn ensure() -> Result<PathBuf> {
    let missing = missing(has_compiler(), find_python().is_some());
    if missing.is_empty() {
        println!("system packages: nothing is missing");
    } else {
        install(&missing)?;
    }
    let python = find_python().context(
        "no Python 3.10 to 3.14 with the modules venv and ensurepip was found; put one first on PATH as python3",
    )?;
    if !has_compiler() {
        bail!("no C++ compiler was found; put one on PATH as c++, or set CXX");
    }
    Ok(python)
}

/// Makes sure that each program is installed; each is given with its Debian package.
pub fn ensure_programs(wanted: &[(&'static str, &'static str)]) -> Result<()> {
    let missing = |wanted: &[(&'static str, &'static str)]| -> Vec<&'static str> {
        wanted.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect()
    };
    let packages = missing(wanted);
    if !packages.is_empty() {
        install(&packages)?;
    }
    match missing(wanted).as_slice() {
        [] => Ok(()),
        left => bail!("the program of package {} is still missing; put it on PATH", left.join(" ")),
    }
}

/// Returns whether the user is root.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n")
}

/// Returns whether a program is installed, including root's programs, which aren't on every user's path.
fn is_there(program: &str) -> bool {
    is_on_path(program) || Path::new("/usr/sbin").join(program).is_file()
}

fn has_compiler() -> bool {
    env::var_os("CXX").is_some_and(|c| !c.is_empty()) || is_on_path("c++")
}

fn is_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|p| env::split_paths(&p).any(|folder| folder.join(program).is_file()))
}

/// Returns the user's `python3`, or else the system's, if it is suitable.
fn find_python() -> Option<PathBuf> {
    python(&PYTHONS, PYTHON_VERSIONS)
}

/// Returns the first of the programs that is a Python 3 of one of these minor versions and can create virtual environments.
pub fn python(programs: &[&str], versions: Range<u8>) -> Option<PathBuf> {
    let Range { start, end } = versions;
    let check =
        format!("import sys, venv, ensurepip; sys.exit(not (3, {start}) <= sys.version_info < (3, {end}))");
    let fits = |program: &&&str| shell::succeeds(Command::new(program).args(["-I", "-c", &check]));
    programs.iter().find(fits).map(PathBuf::from)
}

/// Returns the Debian packages that provide what is missing.
fn missing(compiler: bool, python: bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if !compiler {
        packages.push("g++");
    }
    if !python {
        packages.extend(["python3", "python3-venv"]);
    }
    packages
}

/// Makes sure that these Debian packages are installed; a name may specify another processor, as in `libc6:arm64`.
pub fn ensure_packages(packages: &[&str]) -> Result<()> {
    let is_there = |package: &&&str| {
        let mut query = Command::new("dpkg-query");
        let output = query.args(["--show", "--showformat=${db:Status-Status}", package]).output();
        output.is_ok_and(|output| output.stdout == b"installed")
    };
    let missing: Vec<&str> = packages.iter().filter(|package| !is_there(package)).copied().collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !is_on_path("apt-get") {
        bail!(
            "missing: {names} (as named in Debian and Ubuntu), and apt-get was not found; install the equivalent, then run \
             the command again"
        );
    }
    let foreign = packages.iter().find_map(|package| package.split_once(':')).map(|(_, processor)| processor);
    let add = foreign.map(|processor| ["dpkg", "--add-architecture", processor]);
    let prefix: &[&str] = if is_root() {
        &[]
    } else if shell::succeeds(Command::new("sudo").args(["-n", "true"])) {
        &["sudo", "-n"]
    } else {
        let add = add.map(|words| format!("sudo {} && ", words.join(" "))).unwrap_or_default();
        bail!(
            "missing packages can only be installed by root. Run this line, then the command again:\n\n    \
             {add}sudo apt-get update && sudo apt-get install --no-install-recommends {names}"
        );
    };
    println!("installing Debian packages: {names}");
    let as_root = |command: &[&str]| {
        let words = [prefix, command].concat();
        shell::run(Command::new(words[0]).args(&words[1..]))
    };
    // Waits if another package manager is running.
    let apt_get = |arguments: &[&str]| {
        let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--option=DPkg::Lock::Timeout=600"];
        as_root(&[&apt, arguments].concat())
    };
    if let Some(add) = add {
        as_root(&add)?;
    }
    apt_get(&["update", "--quiet"])?;
    apt_get(&[&["install", "--quiet", "--yes", "--no-install-recommends"], packages].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        assert!(missing(true, true).is_empty());
        assert_eq!(missing(false, true), ["g++"]);
        assert_eq!(missing(true, false), ["python3", "python3-venv"]);
        assert_eq!(missing(false, false), ["g++", "python3", "python3-venv"]);
    }

    #[test]
    fn packages_that_are_there_are_not_installed_again() {
        if is_on_path("dpkg-query") {
            ensure_packages(&["dpkg", "base-files"]).unwrap();
        }
        ensure_packages(&[]).unwrap();
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(is_on_path("sh"));
        assert!(!is_on_path("no-such-program-here"));
    }
}
