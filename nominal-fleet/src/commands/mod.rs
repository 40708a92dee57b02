//! The program's commands, one file each.

mod collect;
mod history;
mod publish;
mod rollout;
mod status;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand as _;
use signing::{Key, SecretKey, Trust};

/// The commands of the program.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a signed bundle to the fleet's folder.
    Publish(publish::Args),
    /// Show which boards are to run which bundle, or change it.
    Rollout(rollout::Args),
    /// Keep what the boards report in a table, for as long as the program runs.
    Collect(collect::Args),
    /// Show all boards and what they run.
    Status(status::Args),
    /// Show what a board has reported over time.
    History(history::Args),
    /// Print completions for a shell.
    Completions(manual::CompletionsArgs),
    /// Write this program's manual pages.
    Manual(manual::ManualArgs),
}

/// What the program does, for its help and its manual.
pub const ABOUT: &str =
    "Publishes bundles to a fleet of boards, rolls them out, and keeps what the boards report.";

/// The end of its help.
pub const EXIT_CODES: &str = "Exit codes: 0 success, 1 error, 2 usage error.";

impl Command {
    /// Returns the program's command line.
    fn program() -> clap::Command {
        let program = clap::Command::new("nominal-fleet")
            .about(ABOUT)
            .version(env!("CARGO_PKG_VERSION"))
            .after_help(EXIT_CODES);
        Self::augment_subcommands(program)
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The command's errors.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Publish(args) => publish::run(&args),
            Self::Rollout(args) => rollout::run(&args),
            Self::Collect(args) => collect::run(args),
            Self::Status(args) => status::run(&args),
            Self::History(args) => history::run(&args),
            Self::Completions(args) => {
                Ok(manual::completions(&args, Self::program(), &mut std::io::stdout())?)
            }
            Self::Manual(args) => {
                println!("{}", manual::manual(&args, Self::program())?);
                Ok(())
            }
        }
    }
}

/// The key that signs the index, and whose signatures count besides its own.
#[derive(Debug, clap::Args)]
struct Keys {
    /// The secret key that signs the index, as `trainer key new` makes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A public key whose bundles and index count too: its .pub file, or its text. May be repeated.
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
}

impl Keys {
    fn read(&self) -> Result<(SecretKey, Trust)> {
        let secret = SecretKey::read(&self.key)?;
        let mut keys = vec![secret.public()?];
        for text in &self.trust {
            let file = std::fs::read_to_string(text);
            let key = file.map_or_else(|_| Key::parse(text), |contents| Key::parse_file(&contents));
            keys.push(key.with_context(|| format!("--trust {text} can't be used"))?);
        }
        Ok((secret, Trust::new(keys)))
    }
}
