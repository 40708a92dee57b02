//! Running programs, and formatting command lines as a user would type them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a command to its end, with output to this process's. An exit status other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start `{}`", line(command, None)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command, None));
    }
    Ok(())
}

/// Runs a command to its end and returns its standard output. An exit status other than 0 is an error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("can't start `{}`", line(command, None)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", line(command, None), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns whether a command can be started and exits with 0. Its output is discarded.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Formats the command line as a user would type it. Paths below `folder` are shortened to relative ones.
pub fn line(command: &Command, folder: Option<&Path>) -> String {
    let word = |word: &OsStr| {
        let path = Path::new(word);
        let short = folder.and_then(|f| path.strip_prefix(f).ok()).unwrap_or(path);
        quoted(&short.to_string_lossy())
    };
    // Cargo passes its own full path, which no one would type.
    let program = Path::new(command.get_program());
    let program = if program.ends_with("cargo") { OsStr::new("cargo") } else { program.as_os_str() };
    std::iter::once(program).chain(command.get_args()).map(word).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_line_can_be_typed() {
        let mut command = Command::new("/checkout/target/release/trainer");
        command.args(["train", "--out", "/checkout/target/demo", "--note", "it's here", ""]);
        assert_eq!(
            line(&command, Some(Path::new("/checkout"))),
            r"target/release/trainer train --out target/demo --note 'it'\''s here' ''"
        );
        assert_eq!(line(Command::new("/toolchain/bin/cargo").arg("test"), None), "cargo test");
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        let error = run(Command::new("false").arg("x")).unwrap_err().to_string();
        assert!(error.contains("`false x` failed"), "{error}");
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
        assert!(!succeeds(&mut Command::new("no-such-program-here")));
    }
}
