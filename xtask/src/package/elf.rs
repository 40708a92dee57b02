//! A program's system requirements: the processor, and the version of the C library.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cross::EMULATOR;
use crate::{shell, system};

/// A version of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

/// The version recorded for a statically linked program.
const STATIC: Glibc = Glibc(2, 0);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A program's system requirements.
#[derive(Debug)]
pub struct Elf {
    /// Debian's name for the processor.
    pub debian: &'static str,
    /// Rust's target triple.
    pub triple: &'static str,
    /// The program for stripping it.
    pub strip: &'static str,
    /// The highest C library version that any of its symbols needs; 2.0 if it is statically linked.
    pub glibc: Glibc,
}

impl Elf {
    /// Reads a program for 64-bit Linux.
    pub fn read(program: &Path) -> Result<Self> {
        let mut head = [0; 20];
        std::fs::File::open(program)
            .and_then(|mut file| file.read_exact(&mut head))
            .with_context(|| format!("can't read the program {}", program.display()))?;
        ensure!(head.starts_with(b"\x7fELF\x02\x01"), "{} is not a 64-bit Linux program", program.display());
        let (debian, triple, strip) = match u16::from_le_bytes([head[18], head[19]]) {
            62 => ("amd64", "x86_64-unknown-linux-gnu", "strip"),
            183 => ("arm64", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu-strip"),
            other => {
                bail!("{} is for the unsupported processor number {other}", program.display())
            }
        };
        let versions =
            shell::output(Command::new("readelf").args(["--wide", "--version-info"]).arg(program))?;
        Ok(Self { debian, triple, strip, glibc: highest_glibc(&versions).unwrap_or(STATIC) })
    }

    /// Returns a command that runs the program: in the emulator if it is for another processor than this machine's.
    pub fn runner(&self, program: &Path) -> Result<Command> {
        if self.debian == host()? {
            return Ok(Command::new(program));
        }
        ensure!(self.debian == "arm64", "this machine can't run programs for {}", self.debian);
        system::ensure_programs(&[(EMULATOR, "qemu-user")])?;
        let mut command = Command::new(EMULATOR);
        command.arg(program);
        Ok(command)
    }

    /// Returns whether the program is statically linked.
    pub fn is_static(&self) -> bool {
        self.glibc == STATIC
    }
}

/// Returns Debian's name for this host's processor.
pub fn host() -> Result<&'static str> {
    Ok(Elf::read(&std::env::current_exe().context("can't find this program's own path")?)?.debian)
}

/// Returns the highest version in the output of `readelf --version-info`.
fn highest_glibc(versions: &str) -> Option<Glibc> {
    versions.split_whitespace().filter_map(|word| version(word.strip_prefix("GLIBC_")?)).max()
}

/// Returns the C library version declared in a package's `Depends`.
pub fn promised_glibc(depends: &str) -> Option<Glibc> {
    let (_, rest) = depends.split_once("libc6 (>= ")?;
    version(rest.split_once(')')?.0)
}

fn version(text: &str) -> Option<Glibc> {
    let mut numbers = text.split('.').map(str::parse);
    Some(Glibc(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let printed = "  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 4\n 0x20: Name: GLIBC_2.34 Flags: none\n\
                       0x30: Name: GLIBC_2.17  0x40: Name: GCC_3.0 Name: GLIBC_PRIVATE";
        assert_eq!(highest_glibc(printed), Some(Glibc(2, 34)));
        assert_eq!(highest_glibc("No version information found in this file."), None);
        assert_eq!(promised_glibc("adduser, libc6 (>= 2.31), libgcc-s1"), Some(Glibc(2, 31)));
        assert_eq!(promised_glibc("adduser"), None);
    }

    #[test]
    fn a_program_tells_its_processor_and_other_files_are_refused() {
        let this = Elf::read(&std::env::current_exe().unwrap()).unwrap();
        let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        assert_eq!(this.debian, processor);
        assert!(this.glibc > Glibc(2, 2), "{}", this.glibc);
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "#!/bin/sh\necho a script, no program").unwrap();
        assert!(Elf::read(text.path()).unwrap_err().to_string().contains("not a 64-bit Linux program"));
    }
}
