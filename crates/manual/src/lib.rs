//! The commands `completions` and `manual` of every program: both are made from its command line, so they are never out of date.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

/// Print the completions of this program's commands and options for a shell.
///
/// For bash: PROGRAM completions bash >~/.local/share/bash-completion/completions/PROGRAM
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages of this program, one for each command.
///
/// For yourself: PROGRAM manual ~/.local/share/man/man1, then man PROGRAM-COMMAND
#[derive(Debug, clap::Args)]
pub struct ManualArgs {
    /// The folder to write into, which is made if it doesn't exist
    folder: PathBuf,
}

/// Prints a program's completions; `command` has the program's name.
///
/// # Errors
/// If they can't be written.
pub fn completions(args: &CompletionsArgs, mut command: Command, out: &mut impl Write) -> io::Result<()> {
    let name = command.get_name().to_owned();
    // Into memory first: the generator panics if it can't write.
    let mut text = vec![];
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    out.write_all(&text)
}

/// Writes a program's manual pages. Returns a sentence that says where they are.
///
/// # Errors
/// A sentence, if they can't be written.
pub fn manual(args: &ManualArgs, command: Command) -> Result<String, ManualError> {
    let failed = |source| ManualError { folder: args.folder.clone(), source };
    let name = command.get_name().to_owned();
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    // Without the command `help`, whose pages would repeat all others.
    let command = command.disable_help_subcommand(true);
    clap_mangen::generate_to(command, &args.folder).map_err(failed)?;
    Ok(format!(
        "{}: the manual pages {name}.1 and, for each command, {name}-COMMAND.1",
        args.folder.display()
    ))
}

/// Why there are no manual pages.
#[derive(Debug)]
pub struct ManualError {
    folder: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for ManualError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = self.folder.display();
        write!(
            f,
            "cannot write the manual into {folder}: {}; check the path and its permissions",
            self.source
        )
    }
}

impl std::error::Error for ManualError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Parser, ValueEnum as _};

    use super::*;

    fn program() -> Command {
        Command::new("judge-it").version("1.2.3").subcommand(ManualArgs::augment_args(Command::new("manual")))
    }

    #[test]
    fn every_shell_and_every_command_has_its_text() {
        for shell in Shell::value_variants() {
            let mut text = vec![];
            completions(&CompletionsArgs { shell: *shell }, program(), &mut text).unwrap();
            assert!(String::from_utf8(text).unwrap().contains("manual"), "{shell}");
        }
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("new/man1");
        manual(&ManualArgs { folder: folder.clone() }, program()).unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["judge-it-manual.1", "judge-it.1"]);
        // Equal programs have equal pages: nothing of the day or the place is in them.
        let page = std::fs::read(folder.join("judge-it-manual.1")).unwrap();
        manual(&ManualArgs { folder: root.path().join("other") }, program()).unwrap();
        assert_eq!(std::fs::read(root.path().join("other/judge-it-manual.1")).unwrap(), page);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_and_a_full_pipe_is_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error =
            manual(&ManualArgs { folder: file.path().to_owned() }, program()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()) && error.contains("check the path"), "{error}");
        let shell = CompletionsArgs::parse_shell("bash");
        assert!(completions(&shell, program(), &mut io::Cursor::new([0; 8].as_mut_slice())).is_err());
    }

    impl CompletionsArgs {
        fn parse_shell(shell: &str) -> Self {
            #[derive(Parser)]
            struct Line {
                #[command(flatten)]
                args: CompletionsArgs,
            }
            Line::parse_from(["x", shell]).args
        }
    }
}
