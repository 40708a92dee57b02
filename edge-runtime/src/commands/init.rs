//! `init`: writes a commented line file.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::commands::outcome::CommandOutcome;
use crate::line_file::TEMPLATE;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file to write.
    #[arg(default_value = "line.toml", value_name = "FILE")]
    file: PathBuf,
}

/// Writes the template, but never overwrites an existing file.
///
/// # Errors
/// If the file exists or can't be written.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let path = args.file.display();
    let mut file = match std::fs::File::create_new(&args.file) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            bail!("{path} already exists; give another name, or edit it")
        }
        created => {
            created.with_context(|| format!("cannot write {path}; check the folder and its permissions"))?
        }
    };
    let written = file.write_all(TEMPLATE.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // A partial line file is worse than none.
        let _ = std::fs::remove_file(&args.file);
    }
    written.with_context(|| format!("cannot write {path}; check free space"))?;
    writeln!(std::io::stdout(), "wrote {path}; edit it, then run: edge-runtime check {path}")?;
    Ok(CommandOutcome::Success)
}
