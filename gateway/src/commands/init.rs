//! `init`: writes a commented gateway file.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::config::TEMPLATE;

/// Writes the template, but never overwrites an existing file.
pub(super) fn run(file: &Path) -> Result<()> {
    let path = file.display();
    let mut created = match std::fs::File::create_new(file) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            bail!("{path} already exists; give another name, or edit it")
        }
        created => {
            created.with_context(|| format!("cannot write {path}; check the folder and its permissions"))?
        }
    };
    let written = created.write_all(TEMPLATE.as_bytes()).and_then(|()| created.sync_all());
    if written.is_err() {
        // A partial file is worse than none.
        let _ = std::fs::remove_file(file);
    }
    written.with_context(|| format!("cannot write {path}; check free space"))?;
    writeln!(std::io::stdout(), "wrote {path}; edit it, then run: gateway check {path}")?;
    Ok(())
}
