//! The examples run, and the line files are valid.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests state what they expect by unwrapping")]

use std::path::Path;
use std::process::Command;

use edge_runtime::line_file::LineFile;
use shared_format::telegram::MAX_LEN;
use shared_format::{Disposition, Reason, Telegram, Verdict};

#[test]
fn line_files_are_valid_and_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join("lines")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("(lines/{name})")), "{name} is not in README.md");
        if let Err(error) = LineFile::load(&path) {
            panic!("{name}: {error}");
        }
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn telegrams_are_printed_and_damage_is_reported() {
    let telegram = Telegram {
        run: 7,
        part: 123,
        product: 0,
        verdict: Some(Verdict::Reject),
        disposition: Disposition::Reject,
        reason: Reason::Verdict,
        score: Some(0.875),
        threshold: Some(0.5),
    };
    let mut buffer = [0; MAX_LEN];
    let bytes = telegram.encode(&mut buffer).unwrap();
    let mut damaged = bytes.to_vec();
    damaged[4] ^= 0x10;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("port");
    std::fs::write(&file, [bytes, &damaged, bytes].concat()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_read-telegrams")).arg(&file).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(stdout.lines().count(), 2, "{stdout}{stderr}");
    assert!(
        stdout.starts_with("run 7 part 123 product 0: Reject (Verdict), score Some(0.875)\n"),
        "{stdout}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn wrong_arguments_get_the_usage() {
    for (program, usage) in [
        (env!("CARGO_BIN_EXE_fit-bundle"), "usage: fit-bundle TEACHER PHOTOS BUNDLE"),
        (env!("CARGO_BIN_EXE_judge-folder"), "usage: judge-folder BUNDLE FOLDER"),
        (env!("CARGO_BIN_EXE_read-telegrams"), "usage: read-telegrams PATH"),
    ] {
        let output = Command::new(program).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(usage));
    }
}
