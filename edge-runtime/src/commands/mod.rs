//! The program's commands, one file each.
//!
//! | file | contents |
//! |---|---|
//! | [`outcome`] | maps verdicts to the exit code |
//! | `engine` | the `--engine` option |
//! | `trusted` | the `--line` option of commands on bundles |

pub mod bench;
pub mod calibrate;
pub mod capture;
pub mod check;
pub mod collect;
pub mod doctor;
mod engine;
pub mod exchange;
pub mod init;
pub mod inspect;
pub mod install;
pub mod learn;
pub mod outcome;
pub mod review;
pub mod run;
pub mod teach;
mod trusted;

use std::io::Write as _;

use clap::Subcommand as _;
use outcome::CommandOutcome;

/// The commands of the program.
#[derive(Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Judge image files.
    Inspect(inspect::Args),
    /// Measure how long each stage takes on this machine.
    Bench(bench::Args),
    /// Run a line: capture, judge, drive the reject gate.
    Run(run::Args),
    /// Write a commented line file.
    Init(init::Args),
    /// Check a line file, its bundles and its devices.
    Check(check::Args),
    /// Recalibrate a product's threshold from good parts.
    Calibrate(calibrate::Args),
    /// Hold a line's camera, in a process of its own; see `camera.source = "process"` in the line file.
    Capture(capture::Args),
    /// Take training photos of good parts with a line's camera and trigger.
    Collect(collect::Args),
    /// Fit a bundle on this device, from good parts alone, in seconds.
    Teach(Box<teach::Args>),
    /// List the line's records, and say which were false alarms and which defects.
    #[command(subcommand)]
    Review(review::ReviewCommand),
    /// Make a product's next bundle from the decisions on its records.
    Learn(learn::Args),
    /// Check a bundle on this machine, and put it in the place of a product's.
    Install(install::Args),
    /// Check this machine, and that a bundle scores the same here as where it was made.
    Doctor(doctor::Args),
    /// Exchange two bundle folders in one step, for scripts that install bundles on a board.
    Exchange(exchange::Args),
    /// Print completions for a shell.
    Completions(manual::CompletionsArgs),
    /// Write this program's manual pages.
    Manual(manual::ManualArgs),
}

/// What the program does, for its help and its manual.
pub const ABOUT: &str = "Judges parts on a line, or frames in files, with a bundle from the Nominal trainer.";

/// The end of its help.
pub const EXIT_CODES: &str =
    "Exit codes: 0 all frames pass, 10 at least one reject, 11 at least one fault, 1 error, 2 usage error.";

impl Command {
    /// Returns the program's command line, under the name that it is installed with.
    fn program() -> clap::Command {
        let program = clap::Command::new("edge-runtime")
            .about(ABOUT)
            .version(env!("CARGO_PKG_VERSION"))
            .after_help(EXIT_CODES);
        Self::augment_subcommands(program)
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The command's errors.
    pub fn run(self) -> anyhow::Result<CommandOutcome> {
        match self {
            Self::Inspect(args) => inspect::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Run(args) => run::run(&args),
            Self::Init(args) => init::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Calibrate(args) => calibrate::run(&args),
            Self::Capture(args) => capture::run(&args),
            Self::Collect(args) => collect::run(&args),
            Self::Teach(args) => teach::run(&args),
            Self::Review(command) => review::run(&command),
            Self::Learn(args) => learn::run(&args),
            Self::Install(args) => install::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Exchange(args) => exchange::run(&args),
            Self::Completions(args) => {
                manual::completions(&args, Self::program(), &mut std::io::stdout())?;
                Ok(CommandOutcome::Success)
            }
            Self::Manual(args) => {
                writeln!(std::io::stdout(), "{}", manual::manual(&args, Self::program())?)?;
                Ok(CommandOutcome::Success)
            }
        }
    }
}
