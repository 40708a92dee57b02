//! `trainer completions` and `trainer manual`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;

/// Print the completions of this program's commands and options for a shell.
///
/// For bash: trainer completions bash >~/.local/share/bash-completion/completions/trainer
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages of this program, one for each command.
///
/// For yourself: trainer manual ~/.local/share/man/man1, then man trainer-sign
#[derive(Debug, clap::Args)]
pub struct ManualArgs {
    /// The folder to write into, which is made if it doesn't exist
    folder: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "trainer", &mut std::io::stdout());
    ExitCode::SUCCESS
}

pub(super) fn manual(args: &ManualArgs) -> anyhow::Result<ExitCode> {
    let folder = args.folder.display();
    let failed = || format!("cannot write the manual into {folder}; check the path and its permissions");
    std::fs::create_dir_all(&args.folder).with_context(failed)?;
    // Without the command `help`, whose pages would repeat all others.
    let command = Cli::command().name("trainer").disable_help_subcommand(true);
    clap_mangen::generate_to(command, &args.folder).with_context(failed)?;
    println!("{folder}: the manual pages trainer.1 and, for each command, trainer-COMMAND.1");
    Ok(ExitCode::SUCCESS)
}
