//! Tests of `trainer key`, `sign` and `verify` as a user runs them.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn trainer(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trainer")).current_dir(folder).args(arguments).output().unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = trainer(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str], words: &str) {
    let output = trainer(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains(words), "{arguments:?}: {text}");
}

/// A folder with a bundle, of whose files none is parsed here, and two pairs of keys.
fn workshop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("cap/golden")).unwrap();
    for name in ["model.onnx", "model.threshold", "golden/normal-1.png"] {
        fs::write(folder.path().join("cap").join(name), name).unwrap();
    }
    for key in ["office.key", "other.key"] {
        let text = succeeds(folder.path(), &["key", "new", key, "--no-password"]);
        assert!(text.contains("trust = [\"RW"), "{text}");
    }
    folder
}

#[test]
fn a_bundle_is_signed_and_verified_and_a_changed_one_is_refused() {
    let folder = workshop();
    let at = folder.path();
    let text = succeeds(at, &["sign", "cap", "--key", "office.key", "--serial", "7"]);
    assert!(text.contains("3 files signed by key") && text.contains("as cap, serial number 7"), "{text}");
    let text = succeeds(at, &["verify", "cap", "--key", "office.pub"]);
    assert!(text.contains("serial number 7; all 3 files are as they were signed"), "{text}");
    let shown = succeeds(at, &["key", "show", "office.pub", "--owner", "Ada"]);
    let key = shown.split('"').nth(1).unwrap();
    assert!(key.ends_with(" Ada"), "{shown}");
    assert!(succeeds(at, &["verify", "cap", "--key", key]).contains("signed by Ada (key "));
    fails(at, &["verify", "cap", "--key", "other.pub"], "not trusted");
    fails(at, &["verify", "cap", "--key", "office.pub", "--name", "bottle"], "was signed as \"cap\"");
    fails(at, &["verify", "cap", "--key", "office.key"], "not a public key");
    fs::write(at.join("cap/model.onnx"), "model.onny").unwrap();
    fails(at, &["verify", "cap", "--key", "office.pub"], "model.onnx is not the file that was signed");
    // The default serial number rises by itself.
    let text = succeeds(at, &["sign", "cap", "--key", "office.key"]);
    let serial: u64 = text.split("serial number ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(serial > 1_700_000_000, "{text}");
}

#[test]
fn files_are_signed_and_key_lists_are_checked_first() {
    let folder = workshop();
    let at = folder.path();
    fs::write(at.join("nominal.deb"), b"a package").unwrap();
    succeeds(at, &["sign", "nominal.deb", "--key", "office.key"]);
    assert!(succeeds(at, &["verify", "nominal.deb", "--key", "office.pub"]).contains("signed by key"));
    fs::write(at.join("nominal.deb"), b"another package").unwrap();
    fails(at, &["verify", "nominal.deb", "--key", "office.pub"], "copy both again");
    let shown = succeeds(at, &["key", "show", "other.pub"]);
    let key = shown.split('"').nth(1).unwrap();
    fs::write(at.join("keys.toml"), format!("format = 1\nserial = 1\ntrusted = [\"{key}\"]\n")).unwrap();
    succeeds(at, &["sign", "keys.toml", "--key", "office.key"]);
    fs::write(at.join("keys.toml"), "format = 1\nserial = 2\ntrusted = [\"RW\"]\n").unwrap();
    fails(at, &["sign", "keys.toml", "--key", "office.key"], "not a key list");
    fails(at, &["sign", "keys.toml", "--key", "office.key", "--serial", "1"], "omit --serial");
}

#[test]
fn what_can_t_be_signed_or_made_is_named() {
    let folder = workshop();
    let at = folder.path();
    fails(at, &["key", "new", "office.key", "--no-password"], "already exists");
    fails(at, &["sign", "cap", "--key", "nowhere.key"], "trainer key new");
    fails(at, &["sign", "cap", "--key", "office.pub"], "not a secret key");
    fails(at, &["sign", "cap", "--key", "office.key", "--serial", "0"], "give 1 or more");
    fails(at, &["sign", "cap", "--key", "office.key", "--min-version", "1"], "three numbers");
    fails(at, &["sign", "nowhere", "--key", "office.key"], "cannot read nowhere");
    fs::remove_file(at.join("cap/model.onnx")).unwrap();
    fails(at, &["sign", "cap", "--key", "office.key"], "lacks model.onnx");
    assert!(!at.join("cap/manifest.json").exists());
}

#[test]
fn completions_and_manual_pages_name_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let bash = succeeds(folder.path(), &["completions", "bash"]);
    assert!(bash.contains("_trainer()") && bash.contains("--min-version"), "{bash}");
    succeeds(folder.path(), &["manual", "man"]);
    let page = fs::read_to_string(folder.path().join("man/trainer-sign.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("min\\-version"), "{page}");
    assert!(folder.path().join("man/trainer.1").is_file());
}
