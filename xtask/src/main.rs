//! The project's own commands, `cargo xtask setup | demo | test | …`: from a fresh checkout to a judged frame.
//!
//! | module | job |
//! |---|---|
//! | [`commands`], [`arguments`] | the command line |
//! | [`setup`] | the steps and their order |
//! | [`system`] | Debian packages: a C++ compiler, Python |
//! | [`libtorch`], [`teacher`], [`samples`], [`test_python`] | one step each |
//! | [`split`] | which sample image is trained on and which is tested on |
//! | [`cache`], [`wheel`], [`pip`], [`hash`] | how a step fetches, checks and keeps what it needs |
//! | [`demo`], [`mod@test`] | the two commands that use all that |
//! | [`checks`] | features one by one, licences and sources of dependencies |
//! | [`fuzz`] | mutated inputs, for as long as one likes |
//! | [`nightly`], [`quality`] | what is too long for every change |
//! | [`peers`], [`instructions`] | the judge's engine beside other inference engines, and what it counts |
//! | [`cross`], [`board`] | the board's processor, and an emulated board |
//! | [`package`], [`deploy`] | the Debian package for a board, and bringing it there |
//! | [`image`] | a card or disk image for a board, and the board that tries it |
//! | [`root`] | a Debian root of a board's processor |
//! | [`workspace`], [`shell`] | where the checkout is; running programs |

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
