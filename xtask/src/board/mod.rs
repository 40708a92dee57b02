//! `cargo xtask board`: runs the device's program on an emulated ARM board, with a real kernel's device drivers.
//!
//! | module | contents |
//! |---|---|
//! | [`kernel`] | Debian's kernel for the board, and two modules that it lacks |
//!
//! The scenarios are the tests in `tests/tests/board`; this command prepares what they need.

mod kernel;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cache::Cache;
use crate::cross::Cross;
use crate::{system, test};

/// The emulator, file system tools for its disk, and tools for building and packing kernel modules.
const PACKAGES: [&str; 5] = ["qemu-system-arm", "e2fsprogs", "make", "kmod", "xz-utils"];

/// Prepares everything and runs the scenarios, or only those named.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    if let Err(error) = system::ensure_packages(&PACKAGES) {
        println!("board: SKIPPED, its emulator can't be installed here: {error:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let cross = Cross::set_up()?;
    let kernel = kernel::ensure(&Cache::open()?)?;
    let programs = cross.programs()?;
    let mut words: Vec<OsString> = ["--test", "board", "--"].map(OsString::from).to_vec();
    words.extend(["--ignored", "--nocapture", "--test-threads=1"].map(OsString::from));
    words.extend_from_slice(arguments);
    let paths =
        [("NOMINAL_BOARD_KERNEL", kernel.as_os_str()), ("NOMINAL_BOARD_PROGRAMS", programs.as_os_str())];
    test::run_with(&words, &paths)
}
