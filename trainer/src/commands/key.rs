//! `trainer key`

use std::path::PathBuf;
use std::process::ExitCode;

use signing::Key;
use signing::secret_key::write_pair;

/// `trainer key …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a pair of keys in minisign's format: FILE, to be kept secret, and a .pub beside it
    New {
        /// The secret key's file, such as office.key; it must not exist
        file: PathBuf,
        /// Don't protect the secret key with a password, for machines that sign by themselves
        #[arg(long)]
        no_password: bool,
    },
    /// Print a public key as a line file names it
    Show {
        /// The public key's file, such as office.pub
        file: PathBuf,
        /// The name of the key's owner
        #[arg(long, default_value = "")]
        owner: String,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New { file, no_password } => {
            let key = write_pair(file, !no_password)?;
            println!("{}: the secret key; keep it, and a copy in a safe place", file.display());
            println!("{}: the public key, number {}", file.with_extension("pub").display(), key.id());
            println!("in the line file of each board that trusts it: trust = [\"{}\"]", key.text());
        }
        Command::Show { file, owner } => {
            let key = Key::named(super::sign::public_key(file)?.text(), owner)?;
            println!("trust = [\"{}\"]", format!("{} {owner}", key.text()).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}
