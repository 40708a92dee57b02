//! The options of several methods on one command line.
//!
//! Methods may share an option, which is then listed once, with the names of all methods that have it.

use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// A method's name and the function that adds its options to a command.
#[derive(Debug, Clone, Copy)]
pub struct MethodOptions {
    /// The method's name.
    pub method: &'static str,
    /// Adds its options: [`clap::Args::augment_args`].
    pub add_options: fn(Command) -> Command,
}

impl MethodOptions {
    fn options(self) -> Vec<Arg> {
        (self.add_options)(Command::new(self.method)).get_arguments().cloned().collect()
    }
}

/// The methods of a program.
pub trait Methods {
    /// Lists all of them.
    fn method_options() -> Vec<MethodOptions>;
}

/// The options of all methods of `M`, for `#[command(flatten)]`.
#[derive(Debug, Clone)]
pub struct Options<M> {
    matches: ArgMatches,
    methods: PhantomData<M>,
}

/// An option that the chosen method doesn't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{option} is for --method {}, not {chosen}; leave it out", .owners.join(" or "))]
pub struct OptionMismatch {
    /// The option's name.
    pub option: String,
    /// The methods that have it.
    pub owners: Vec<&'static str>,
    /// The chosen method.
    pub chosen: String,
}

impl<M: Methods> Options<M> {
    /// Returns the given options, if all of them belong to the method `chosen`.
    ///
    /// # Errors
    /// Names the first option that the method doesn't have.
    pub fn for_method(&self, chosen: &str) -> Result<&ArgMatches, OptionMismatch> {
        for (option, owners) in merged(&M::method_options()) {
            let id = option.get_id().as_str();
            let is_given = self.matches.value_source(id) == Some(ValueSource::CommandLine);
            if is_given && !owners.contains(&chosen) {
                let option = option.get_long().unwrap_or(id).to_owned();
                return Err(OptionMismatch { option, owners, chosen: chosen.to_owned() });
            }
        }
        Ok(&self.matches)
    }
}

/// Lists every option once, with the methods that have it.
fn merged(methods: &[MethodOptions]) -> Vec<(Arg, Vec<&'static str>)> {
    let mut merged: Vec<(Arg, Vec<&'static str>)> = vec![];
    for method_options in methods {
        for option in method_options.options() {
            match merged.iter_mut().find(|(known, _)| known.get_id() == option.get_id()) {
                Some((_, owners)) => owners.push(method_options.method),
                None => merged.push((option, vec![method_options.method])),
            }
        }
    }
    merged
}

impl<M: Methods> clap::Args for Options<M> {
    fn augment_args(command: Command) -> Command {
        merged(&M::method_options()).into_iter().fold(command, |command, (option, owners)| {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            command.arg(option.help(format!("{}: {help}", owners.join(", "))))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<M: Methods> clap::FromArgMatches for Options<M> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { matches: matches.clone(), methods: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.matches = matches.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    #[derive(Debug, Args)]
    struct Near {
        /// how near
        #[arg(long, default_value_t = 1)]
        near: u8,
        /// how soft
        #[arg(long, default_value_t = 1)]
        soft: u8,
    }

    #[derive(Debug, Args)]
    struct Soft {
        /// how soft
        #[arg(long, default_value_t = 1)]
        soft: u8,
    }

    #[derive(Debug, Clone)]
    struct Both;

    impl Methods for Both {
        fn method_options() -> Vec<MethodOptions> {
            vec![
                MethodOptions { method: "near", add_options: Near::augment_args },
                MethodOptions { method: "soft", add_options: Soft::augment_args },
            ]
        }
    }

    fn parse(words: &[&str]) -> Options<Both> {
        let command = Options::<Both>::augment_args(Command::new("train").no_binary_name(true));
        Options::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    #[test]
    fn a_shared_option_is_listed_once_and_reaches_each() {
        let help = Options::<Both>::augment_args(Command::new("train")).render_help().to_string();
        assert!(help.contains("near, soft: how soft") && help.contains("near: how near"), "{help}");
        let given = parse(&["--soft", "3"]);
        assert_eq!(Near::from_arg_matches(given.for_method("near").unwrap()).unwrap().soft, 3);
        assert_eq!(Soft::from_arg_matches(given.for_method("soft").unwrap()).unwrap().soft, 3);
    }

    #[test]
    fn an_option_of_another_method_is_refused() {
        let refused = parse(&["--near", "3"]).for_method("soft").unwrap_err().to_string();
        assert_eq!(refused, "--near is for --method near, not soft; leave it out");
        assert!(parse(&[]).for_method("soft").is_ok());
    }
}
