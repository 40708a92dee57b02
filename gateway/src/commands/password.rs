//! `password`: sets a password of the page.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::config::Config;
use crate::page::{Role, set_password};

/// The longest text that is read from standard input.
const MAX_BYTES: u64 = 4096;

/// Asks for the password twice, or reads it from standard input if that is not a terminal, and keeps its hash.
pub(super) fn run(role: Role, file: &Path) -> Result<()> {
    let config = Config::load(file)?;
    let Some(page) = config.page else {
        bail!("the gateway file {} has no [page]; add it first", file.display());
    };
    let password = if std::io::stdin().is_terminal() { ask(role)? } else { read()? };
    set_password(&page.folder, role, &password)?;
    let role = role.as_str();
    writeln!(
        std::io::stdout(),
        "the {role}'s password is set; whoever was logged in as {role} has to log in again"
    )?;
    Ok(())
}

fn ask(role: Role) -> Result<String> {
    let prompt = |text: &str| {
        rpassword::prompt_password(text)
            .context("cannot read the password from the terminal; give it on standard input")
    };
    let password = prompt(&format!("new password of the {}: ", role.as_str()))?;
    ensure!(password == prompt("once more: ")?, "the two passwords differ; try again");
    Ok(password)
}

fn read() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text);
    read.context("cannot read the password from standard input; give it as one line of text")?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
