//! Command line arguments shared by several commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap_light::{Arg, ArgAction, ArgMatches, value_parser};

/// Creates an option `--name` that takes a path.
pub fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf)).help(help)
}

/// Creates an option `--name` that takes one of these words.
pub fn choice(name: &'static str, words: &'static [&'static str], help: &'static str) -> Arg {
    Arg::new(name).long(name).value_parser(words.to_vec()).help(help)
}

/// Creates an option `--name` without a value.
pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// Creates an argument for everything after `--`, to be passed on to another program.
pub fn passed_on(help: &'static str) -> Arg {
    Arg::new("passed on")
        .value_name("ARGUMENTS")
        .value_parser(value_parser!(OsString))
        .num_args(0..)
        .last(true)
        .help(help)
}

/// Returns the arguments given after `--`.
pub fn all_passed_on(given: &ArgMatches) -> Vec<OsString> {
    given.get_many("passed on").into_iter().flatten().cloned().collect()
}

/// Returns the path given for `--name`.
pub fn path_of(given: &ArgMatches, name: &str) -> Option<PathBuf> {
    given.get_one(name).cloned()
}

/// Returns all paths given for `--name`.
pub fn paths_of(given: &ArgMatches, name: &str) -> Vec<PathBuf> {
    given.get_many(name).into_iter().flatten().cloned().collect()
}

/// Returns the word given for `--name`.
pub fn value_of<'a>(given: &'a ArgMatches, name: &str) -> Option<&'a str> {
    given.get_one::<String>(name).map(String::as_str)
}
