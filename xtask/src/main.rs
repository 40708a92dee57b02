//! The project's own commands, `cargo xtask setup | demo | test | cross | board | bench | soak`: from a fresh checkout to a judged frame.
//!
//! | module | job |
//! |---|---|
//! | [`setup`] | the steps and their order |
//! | [`system`] | Debian packages: a C++ compiler, Python |
//! | [`libtorch`], [`teacher`], [`samples`], [`test_python`] | one step each |
//! | [`split`] | which sample image is trained on and which is tested on |
//! | [`cache`], [`wheel`], [`pip`], [`hash`] | how a step fetches, checks and keeps what it needs |
//! | [`demo`], [`mod@test`] | the two commands that use all that |
//! | [`peers`] | the judge's engine beside other inference engines |
//! | [`cross`], [`board`] | the board's processor, and an emulated board |
//! | [`package`], [`deploy`] | the Debian package for a board, and bringing it there |
//! | [`image`] | a card or disk image for a board, and the board that tries it |
//! | [`root`] | a Debian root of a board's processor |
//! | [`workspace`], [`shell`] | where the checkout is; running programs |

mod board;
mod cache;
mod cross;
mod demo;
mod deploy;
mod hash;
mod image;
mod instructions;
mod libtorch;
mod package;
mod peers;
mod pip;
mod root;
mod samples;
mod setup;
mod shell;
mod split;
mod system;
mod teacher;
mod test;
mod test_python;
mod wheel;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use setup::Purpose;

const HELP: &str = "\
Nominal's own commands:

  cargo xtask setup [--for demo|test]
      Fetches what the project needs, once: libtorch (for the trainer), a teacher network, a sample set of
      solar cells and, for the tests, a few Python packages. Says what, from where, how big and under which
      licence. A second run only looks. --for demo leaves out what only the tests need.

  cargo xtask demo
      Sets up, then trains on photos of good cells, exports a bundle, measures it on unseen cells and judges
      a few as the line would. Ends with the path of a page to look at.

  cargo xtask test [-- ARGUMENTS FOR cargo test]
      Sets up, then runs every test. Examples: cargo xtask test -- -p shared-format
                                               cargo xtask test -- some_test_name -- --nocapture

  cargo xtask cross [-- ARGUMENTS FOR cargo test]
      Builds what runs on the board for 64-bit ARM and tests it under QEMU's user emulation, with Debian's packages.

  cargo xtask board [-- SCENARIO]
      Boots an emulated ARM board with camera, GPIO and serial port, runs the line on it and watches it from outside.

  cargo xtask bench
      Sets up, then prints how long the line takes beside the network, and how late its gate is; a minute.

  cargo xtask bench --peers [--json FILE] [--bundle FOLDER]…
      Times the judge's networks, and the bundles that are named, in other inference engines beside its own, with one
      and two threads, and writes docs/performance.md; some twelve minutes on a machine that does nothing else.

  cargo xtask bench --instructions [NETWORK…]
      Counts a 64-bit ARM processor's instructions for a frame, by the judge's kernels and by tract's own; a
      quarter of an hour.

  cargo xtask soak
      Sets up, then lets the line's program judge a hundred thousand frames and looks whether memory or handles
      grow; a quarter of an hour. NOMINAL_SOAK_FRAMES sets another number.

Downloads are kept in ~/.cache/nominal; set NOMINAL_CACHE to another folder to keep them there.
A libtorch 2.11.0 of your own is used where LIBTORCH names it or LIBTORCH_USE_PYTORCH=1 is set.";

/// What `cargo xtask bench` gives to `cargo test`: one after the other, so that none slows another down.
const BENCH: [&str; 7] =
    ["--test", "program", "--", "--ignored", "--nocapture", "--test-threads=1", "latency_of"];
/// What `cargo xtask soak` gives to `cargo test`.
const SOAK: [&str; 5] = ["--test", "soak", "--", "--ignored", "--nocapture"];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap_or_default()).collect();
    match words.as_slice() {
        ["setup"] | ["setup", "--for", "test"] => setup::run(Purpose::Test).map(|_| ExitCode::SUCCESS),
        ["setup", "--for", "demo"] => setup::run(Purpose::Demo).map(|_| ExitCode::SUCCESS),
        ["demo"] => demo::run().map(|()| ExitCode::SUCCESS),
        ["test"] => test::run(&[]),
        ["test", "--", ..] => test::run(&arguments[2..]),
        ["cross"] => cross::run(&[]),
        ["cross", "--", ..] => cross::run(&arguments[2..]),
        ["board"] => board::run(&[]),
        ["board", "--", ..] => board::run(&arguments[2..]),
        ["bench", "--peers", ..] => peers::run(&arguments[2..]).map(|()| ExitCode::SUCCESS),
        ["bench", "--instructions", networks @ ..] => instructions::run(networks).map(|()| ExitCode::SUCCESS),
        ["bench"] => test::run(&BENCH.map(OsString::from)),
        ["soak"] => test::run(&SOAK.map(OsString::from)),
        ["deploy", options @ ..] => deploy::run(options).map(|()| ExitCode::SUCCESS),
        ["package", options @ ..] => package::run(options).map(|()| ExitCode::SUCCESS),
        ["image", options @ ..] => image::run(options).map(|()| ExitCode::SUCCESS),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}\n\n{}\n\n{}\n\n{}", package::HELP, deploy::HELP, image::HELP);
            Ok(ExitCode::SUCCESS)
        }
        [] => {
            eprintln!("{HELP}");
            Ok(ExitCode::from(2))
        }
        _ => {
            eprintln!("`cargo xtask {}` is not a command.\n\n{HELP}", words.join(" "));
            Ok(ExitCode::from(2))
        }
    }
}
