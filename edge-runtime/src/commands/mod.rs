//! The commands of the program, one file each.
//!
//! | file | what it holds |
//! |---|---|
//! | [`outcome`] | verdicts → exit code |
//! | `engine` | who computes the network, as a command line says it |

pub mod bench;
pub mod calibrate;
pub mod check;
pub mod collect;
pub mod doctor;
mod engine;
pub mod exchange;
pub mod init;
pub mod inspect;
pub mod outcome;
pub mod run;
pub mod teach;

use outcome::Outcome;

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
    /// Find a product's threshold anew, from good parts.
    Calibrate(calibrate::Args),
    /// Take training photos of good parts with a line's own camera and trigger.
    Collect(collect::Args),
    /// Make a bundle from good parts alone, here on the device: fitted in seconds.
    Teach(teach::Args),
    /// Check this machine, and whether a bundle does here what it did where it was made.
    Doctor(doctor::Args),
    /// Put a bundle in another's place in one step, for what installs bundles on a board.
    Exchange(exchange::Args),
}

impl Command {
    /// Carries it out.
    ///
    /// # Errors
    /// Those of the command.
    pub fn carry_out(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Inspect(args) => inspect::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Run(args) => run::run(&args),
            Self::Init(args) => init::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Calibrate(args) => calibrate::run(&args),
            Self::Collect(args) => collect::run(&args),
            Self::Teach(args) => teach::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Exchange(args) => exchange::run(&args),
        }
    }
}
