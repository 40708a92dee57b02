//! What the programs and libraries of a release need of the system: no more than Debian 12 has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::shell;

/// What Debian 12 has: glibc 2.36, and the C++ library of GCC 12.
const BOOKWORM: [(&str, &[u32]); 3] =
    [("GLIBC_", &[2, 36]), ("GLIBCXX_", &[3, 4, 30]), ("CXXABI_", &[1, 3, 13])];

/// Checks that each needs no later version of a symbol than Debian 12 has.
pub fn check(files: &[PathBuf]) -> Result<()> {
    for file in files {
        let mut readelf = Command::new("readelf");
        let versions = shell::output(readelf.args(["--wide", "--version-info"]).arg(file))?;
        ensure_old_enough(file, &versions)?;
    }
    Ok(())
}

fn ensure_old_enough(file: &Path, versions: &str) -> Result<()> {
    let needed = needed(versions);
    for word in needed.split_whitespace() {
        for (prefix, highest) in BOOKWORM {
            let Some(version) = word.strip_prefix(prefix).and_then(numbers) else { continue };
            ensure!(
                version.as_slice() <= highest,
                "{} needs {word}, which Debian 12 doesn't have; build the release on Debian 12, for example in its container",
                file.display()
            );
        }
    }
    Ok(())
}

/// Returns the part of readelf's output on what is needed, without what a library itself defines.
fn needed(versions: &str) -> &str {
    versions.split_once("Version needs section").map_or("", |(_, needed)| needed)
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_system_has_is_named() {
        let printed = |name: &str| {
            format!(
                "Version definition section '.gnu.version_d':\n  Name: GLIBC_9.9\n\
                 Version needs section '.gnu.version_r':\n  0x10: Name: GLIBC_2.2.5  Flags: none\n  0x20: Name: {name}  Flags: none\n"
            )
        };
        let of = |name: &str| ensure_old_enough(Path::new("trainer"), &printed(name));
        for fine in
            ["GLIBC_2.36", "GLIBC_2.4", "GLIBCXX_3.4.30", "CXXABI_1.3.13", "GLIBC_ABI_DT_RELR", "GCC_14.0.0"]
        {
            of(fine).unwrap();
        }
        for later in ["GLIBC_2.38", "GLIBC_2.100", "GLIBCXX_3.4.31", "CXXABI_1.3.14"] {
            let error = of(later).unwrap_err().to_string();
            assert!(error.contains(later) && error.contains("Debian 12"), "{error}");
        }
        ensure_old_enough(Path::new("static"), "No version information found in this file.").unwrap();
    }

    #[test]
    fn the_test_s_own_program_is_read() {
        let this = std::env::current_exe().unwrap();
        let mut readelf = Command::new("readelf");
        let printed = shell::output(readelf.args(["--wide", "--version-info"]).arg(this)).unwrap();
        assert!(needed(&printed).contains("GLIBC_2."), "{printed}");
    }
}
