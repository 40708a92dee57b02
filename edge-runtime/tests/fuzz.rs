//! Fuzzes line files and serial commands: each input is accepted, or refused with an error message.
#![allow(missing_docs)]

use std::path::Path;

use edge_runtime::input::commands::{LineSplitter, MAX_LINE, parse};
use edge_runtime::line_file::{LineFile, TEMPLATE};
use fuzzing::Fuzz;

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// The template with all commented-out keys enabled.
fn with_every_key() -> String {
    let lines = TEMPLATE.lines().filter(|line| !line.starts_with("# "));
    lines.map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect()
}

#[test]
fn line_files() {
    let valid = [TEMPLATE.to_owned().into_bytes(), with_every_key().into_bytes()];
    let fuzz = Fuzz::new("line_files", 10_000).memory_mib(16).dictionary(&[
        b"0",
        b"-1",
        b"1e308",
        b"-1e-308",
        b"nan",
        b"inf",
        b"9223372036854775807",
        b"99999999999999999999",
        b"0x7f",
        b"\"",
        b"\"\"\"",
        b"'",
        b"[",
        b"]",
        b"{",
        b"}",
        b"= ",
        b".",
        b"\n",
        b"#",
        b"\\u0000",
        b"true",
        b"1979-05-27",
        b"\n[[product]]\n",
        b"\n[gate]\n",
        b"\n[trigger]\n",
        b"\n[camera]\n",
        b"[[[[[[[[[[[[[[[[",
    ]);
    let stats = fuzz.run(&valid, |bytes| match LineFile::parse(bytes, Path::new("line.toml")) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("line.toml"), "{error}");
            false
        }
    });
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 50 && refused > stats.inputs / 10, "{stats:?}");
}

#[test]
fn commands() {
    let good = b"T\nE 1200\r\nP cap-500\nC\nA\n?\n";
    let valid = [good.to_vec(), good.repeat(8)];
    let words: [&[u8]; 8] =
        [b"E 4294967296", b"E -1", b"\r", b"\n", b"\0", b"\xff\xfe", b"P \xc3\xbc", b"E E E"];
    let mut refused = 0_u64;
    let stats = Fuzz::new("commands", 30_000).memory_mib(1).dictionary(&words).run(&valid, |bytes| {
        let (mut lines, mut all_right) = (LineSplitter::default(), true);
        for &byte in bytes {
            match lines.push(byte).map(|line| {
                let line = line?;
                assert!(line.len() <= MAX_LINE);
                parse(line)
            }) {
                None | Some(Ok(_)) => {}
                Some(Err(why)) => {
                    assert!(!why.to_string().is_empty());
                    all_right = false;
                }
            }
        }
        refused += u64::from(!all_right);
        all_right
    });
    assert!(
        refused > stats.inputs / 10 && stats.accepted > stats.inputs / 20,
        "{stats:?}, {refused} refused"
    );
}
