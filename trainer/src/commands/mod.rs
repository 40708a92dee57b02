//! The program's commands, one file each.

mod adopt;
mod batch;
mod compare;
#[cfg(feature = "libtorch")]
mod distill;
mod eval;
mod export;
mod first_try;
mod images;
mod key;
mod quality;
mod screening;
mod setup;
mod sign;
mod size_class;
mod stress;
mod teach_defects;
mod teacher;
mod thresholds;
mod train;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Learns what good parts look like from photos of good parts, and writes bundles for the line.
///
/// From photos to a verdict:
///
///   trainer setup
///   trainer train --data photos/ --out runs/cap
///   trainer export runs/cap --out bundles/cap
///   trainer eval bundles/cap --data photos/
///   edge-runtime inspect --bundle bundles/cap new/*.jpg
///
/// `photos/` holds good parts only (for `eval` also `test/good` and `test/<defect>`). Two hundred photos is a good start.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the teacher that all commands use by default, once
    Setup(setup::Args),
    /// From photos to verdicts in one step: fetch the teacher, learn, write a bundle, judge
    Try(first_try::Args),
    /// Import, list and distil teachers: networks pre-trained on natural images
    #[command(subcommand)]
    Teacher(teacher::Command),
    /// Learn from images of good parts
    #[command(args_override_self = true)]
    Train(Box<train::Args>),
    /// Teach known defects to a finished run: likeness to them becomes a second limit
    TeachDefects(teach_defects::Args),
    /// Write a bundle for the device: ONNX model, thresholds, golden frames
    Export(export::Args),
    /// Make the bundles of many products, as far as they are out of date
    Batch(batch::Args),
    /// Adopt a third-party anomaly model (ONNX): calibrate it and write a bundle
    Adopt(Box<adopt::Args>),
    /// Choose method, teacher, input size and alignment by known defects
    Compare(Box<compare::Args>),
    /// Measure a bundle on images with known answers
    Eval(eval::Args),
    /// Measure how well methods find defects, on many sets
    Quality(quality::Args),
    /// Make the keys that bundles are signed with
    #[command(subcommand)]
    Key(key::Command),
    /// Sign a bundle, so that lines know who made it and that nobody has changed it
    Sign(sign::Args),
    /// Verify a bundle's signature and files
    Verify(sign::VerifyArgs),
    /// Print completions for a shell
    Completions(manual::CompletionsArgs),
    /// Write this program's manual pages
    Manual(manual::ManualArgs),
    /// Measure how much change of light, focus and position a bundle withstands
    Stress(stress::Args),
}

impl Cli {
    /// Parses a command line, starting with the program's name; an invalid one ends the program with a message, as does `--help`. A
    /// recipe is expanded to options before the given ones, so the given ones win.
    ///
    /// # Errors
    /// If the recipe doesn't exist.
    pub fn parse_args(args: Vec<OsString>) -> anyhow::Result<Self> {
        let cli = Self::parse_from(&args);
        let Command::Train(train) = &cli.command else { return Ok(cli) };
        let options = train.recipe_options()?;
        if options.is_empty() {
            return Ok(cli);
        }
        let mut args = args;
        let at = args.iter().position(|arg| arg == "train").map_or(args.len(), |at| at + 1);
        args.splice(at..at, options.iter().map(OsString::from));
        Ok(Self::parse_from(args))
    }

    /// Runs the command.
    ///
    /// # Errors
    /// If the command fails; the message names the next action.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Setup(args) => setup::run(&args),
            Command::Try(args) => first_try::run(&args),
            Command::Teacher(command) => teacher::run(command),
            Command::Train(args) => train::run(&args),
            Command::TeachDefects(args) => teach_defects::run(&args),
            Command::Export(args) => export::run(&args),
            Command::Batch(args) => batch::run(&args),
            Command::Adopt(args) => adopt::run(&args),
            Command::Compare(args) => compare::run(&args),
            Command::Eval(args) => eval::run(&args),
            Command::Quality(args) => quality::run(&args),
            Command::Key(command) => key::run(&command),
            Command::Sign(args) => sign::run(&args),
            Command::Verify(args) => sign::verify(&args),
            Command::Completions(args) => {
                manual::completions(&args, program(), &mut std::io::stdout())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Manual(args) => {
                println!("{}", manual::manual(&args, program())?);
                Ok(ExitCode::SUCCESS)
            }
            Command::Stress(args) => stress::run(&args),
        }
    }
}

/// Returns this program's command line under the name that it is installed with.
fn program() -> clap::Command {
    Cli::command().name("trainer")
}
