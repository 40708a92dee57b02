//! The project's own commands, `cargo xtask setup | demo | test | …`, from a fresh checkout to a judged frame.
//!
//! | module | contents |
//! |---|---|
//! | [`commands`], [`arguments`] | the command line |
//! | [`setup`] | the set-up steps and their order |
//! | [`system`] | Debian packages: a C++ compiler, Python |
//! | [`libtorch`], [`teacher`], [`samples`], [`test_python`] | one set-up step each |
//! | [`split`] | splitting the sample images into training and test sets |
//! | [`cache`], [`wheel`], [`pip`], [`hash`] | fetching, checking and caching downloads |
//! | [`demo`], [`mod@test`] | the two commands that use the set-up |
//! | [`checks`] | linting features separately; licences and sources of dependencies |
//! | [`fuzz`] | fuzzing for a given time |
//! | [`nightly`], [`quality`] | tests that take too long for every change |
//! | [`peers`], [`instructions`] | comparison with other inference engines; instruction counts |
//! | [`cross`], [`board`] | tests for the board's processor and on an emulated board |
//! | [`release`] | what people download: programs, packages, checksums |
//! | [`package`], [`deploy`] | the Debian package for a board, and its deployment |
//! | [`image`] | a card or disk image for a board, and its test on an emulated board |
//! | [`root`] | Debian roots for a board's processor |
//! | [`workspace`], [`shell`] | locating the checkout; running programs |

mod arguments;
mod board;
mod cache;
mod checks;
mod commands;
mod cross;
mod demo;
mod deploy;
mod fuzz;
mod hash;
mod image;
mod instructions;
mod libtorch;
mod nightly;
mod package;
mod peers;
mod pip;
mod quality;
mod release;
mod root;
mod samples;
mod setup;
mod shell;
mod split;
#[cfg(test)]
mod stand_in;
mod system;
mod teacher;
mod test;
mod test_python;
mod wheel;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
