//! Bundles that were changed after they were signed, keys that aren't trusted, and minisign's stock program.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use signing::secret_key::write_pair;
use signing::verify::Extent;
use signing::{
    Key, MANIFEST_FILE, Manifest, SIGNATURE_FILE, SecretKey, SignError, SignedBundle, Trust, TrustError,
    VerifyError, Version, sign_bundle, sign_file, unverified, verify_bundle,
};

struct Fixture {
    root: tempfile::TempDir,
    secret: SecretKey,
    trust: Trust,
}

impl Fixture {
    /// A signed bundle. Verifying parses none of its files, so they need not be real.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let secret = SecretKey::generate().unwrap();
        let trust = Trust::new(vec![secret.public().unwrap()]);
        let fixture = Self { root, secret, trust };
        fs::create_dir_all(fixture.bundle().join("golden")).unwrap();
        for (name, bytes) in FILES {
            fs::write(fixture.bundle().join(name), bytes).unwrap();
        }
        fixture.sign(7, Version::FIRST);
        fixture
    }

    fn bundle(&self) -> PathBuf {
        self.root.path().join("cap")
    }

    fn sign(&self, serial: u64, version: Version) {
        sign_bundle(&self.bundle(), "cap", serial, version, &self.secret).unwrap();
    }

    fn verify(&self) -> Result<SignedBundle, VerifyError> {
        verify_bundle(&self.bundle(), "cap", &self.trust, Extent::All)
    }
}

const FILES: [(&str, &[u8]); 4] = [
    ("model.onnx", b"a model"),
    ("model.threshold", b"a threshold"),
    ("golden/normal-1.png", b"a frame"),
    ("golden/normal-2.png", b"b frame"),
];

#[test]
fn a_signed_bundle_says_who_signed_what() {
    let fixture = Fixture::new();
    let signed = fixture.verify().unwrap();
    assert_eq!(signed.signer, fixture.secret.public().unwrap());
    assert_eq!((signed.manifest.serial, signed.manifest.files.len()), (7, FILES.len()));
    assert_eq!(unverified(&fixture.bundle()), Some((7, signed.signer.id())));
    // Signing again changes nothing but the serial number.
    fixture.sign(8, Version::FIRST);
    let again = fixture.verify().unwrap().manifest;
    assert_eq!(Manifest { serial: 7, ..again }, signed.manifest);
}

#[test]
fn every_flipped_bit_in_any_file_is_found() {
    let fixture = Fixture::new();
    for name in FILES.map(|(name, _)| name).into_iter().chain([MANIFEST_FILE]) {
        let path = fixture.bundle().join(name);
        let whole = fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            match fixture.verify() {
                Err(VerifyError::Changed { .. }) if name != MANIFEST_FILE => {}
                Err(VerifyError::Trust(TrustError::Invalid { .. })) if name == MANIFEST_FILE => {}
                other => panic!("bit {bit} of {name}: {other:?}"),
            }
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(fixture.verify().is_err(), "{length} bytes of {name}");
        }
        fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
        assert!(fixture.verify().is_err(), "{name} with a line more");
        fs::write(&path, whole).unwrap();
    }
    fixture.verify().unwrap();
}

#[test]
fn swapped_missing_and_extra_files_are_found() {
    let fixture = Fixture::new();
    let [a, b] = ["golden/normal-1.png", "golden/normal-2.png"].map(|name| fixture.bundle().join(name));
    let aside = fixture.root.path().join("aside");
    let swap = || {
        fs::rename(&a, &aside).unwrap();
        fs::rename(&b, &a).unwrap();
        fs::rename(&aside, &b).unwrap();
    };
    swap();
    assert!(matches!(fixture.verify(), Err(VerifyError::Changed { .. })));
    swap();
    fs::rename(&a, &aside).unwrap();
    assert!(matches!(fixture.verify(), Err(VerifyError::Missing { .. })));
    fs::rename(&aside, &a).unwrap();
    for extra in ["lesson.json", "golden/normal-3.png", "model.threshold.old-1"] {
        let path = fixture.bundle().join(extra);
        fs::write(&path, b"").unwrap();
        assert!(matches!(fixture.verify(), Err(VerifyError::Extra { .. })), "{extra}");
        fs::remove_file(path).unwrap();
    }
    for odd in [".hidden", "with blank", "golden/manifest.json/x/y/z"] {
        let path = fixture.bundle().join(odd);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"").unwrap();
        assert!(matches!(fixture.verify(), Err(VerifyError::Folder(_))), "{odd}");
        fs::remove_file(path).unwrap();
        let _ = fs::remove_dir_all(fixture.bundle().join("golden/manifest.json"));
    }
    for name in [MANIFEST_FILE, SIGNATURE_FILE] {
        let path = fixture.bundle().join(name);
        fs::rename(&path, &aside).unwrap();
        assert!(matches!(fixture.verify(), Err(VerifyError::Unsigned { .. })), "{name}");
        fs::rename(&aside, &path).unwrap();
    }
    fixture.verify().unwrap();
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_refused_and_not_followed() {
    let fixture = Fixture::new();
    let path = fixture.bundle().join("model.onnx");
    let elsewhere = fixture.root.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(matches!(fixture.verify(), Err(VerifyError::Folder(_))));
    let refused = sign_bundle(&fixture.bundle(), "cap", 8, Version::FIRST, &fixture.secret);
    assert!(matches!(refused, Err(SignError::Folder(_))), "{refused:?}");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(fixture.verify(), Err(VerifyError::Folder(_))));
    fs::remove_file(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    fixture.verify().unwrap();
    // A link to a folder could hide files that nobody signed.
    std::os::unix::fs::symlink(fixture.root.path(), fixture.bundle().join("more")).unwrap();
    assert!(matches!(fixture.verify(), Err(VerifyError::Folder(_))));
}

#[test]
fn a_bundle_is_for_its_name_and_for_new_enough_programs() {
    let fixture = Fixture::new();
    let moved = verify_bundle(&fixture.bundle(), "bottle", &fixture.trust, Extent::All);
    assert!(matches!(moved, Err(VerifyError::Name { .. })), "{moved:?}");
    fixture.sign(8, Version::parse("999.0.0").unwrap());
    let refused = fixture.verify().unwrap_err().to_string();
    assert!(refused.contains("999.0.0") && refused.contains("update"), "{refused}");
    for (name, serial) in [("../cap", 1), ("", 1), (".cap", 1), ("cap", 0)] {
        assert!(
            sign_bundle(&fixture.bundle(), name, serial, Version::FIRST, &fixture.secret).is_err(),
            "{name:?}"
        );
    }
    let no_bundle = sign_bundle(fixture.root.path(), "cap", 1, Version::FIRST, &fixture.secret);
    assert!(matches!(no_bundle, Err(SignError::NotABundle { .. })));
}

#[test]
fn only_trusted_keys_count() {
    let fixture = Fixture::new();
    let other = SecretKey::generate().unwrap();
    let nobody = verify_bundle(&fixture.bundle(), "cap", &Trust::default(), Extent::All);
    assert!(matches!(nobody, Err(VerifyError::Trust(TrustError::Untrusted { .. }))));
    sign_bundle(&fixture.bundle(), "cap", 9, Version::FIRST, &other).unwrap();
    let refused = fixture.verify().unwrap_err().to_string();
    assert!(refused.contains(&other.public().unwrap().id()), "{refused}");
    // The signature of a trusted key, of another manifest.
    let signature = fs::read(fixture.bundle().join(SIGNATURE_FILE)).unwrap();
    fixture.sign(10, Version::FIRST);
    fs::write(fixture.bundle().join(SIGNATURE_FILE), signature).unwrap();
    assert!(fixture.verify().is_err());
}

/// Runs minisign's stock program; `None`, and a line that says so, if there is none.
fn minisign(folder: &Path, arguments: &[&str]) -> Option<bool> {
    match Command::new("minisign").current_dir(folder).args(arguments).output() {
        Ok(output) => Some(output.status.success()),
        Err(e) => {
            eprintln!("skipped: minisign can't be run ({e}); install Debian's package minisign");
            None
        }
    }
}

#[test]
fn the_stock_program_verifies_what_is_signed_here_and_signs_what_is_verified_here() {
    let fixture = Fixture::new();
    let key = fixture.secret.public().unwrap();
    let verify = ["-V", "-q", "-m", MANIFEST_FILE, "-P", key.text()];
    let Some(valid) = minisign(&fixture.bundle(), &verify) else { return };
    assert!(valid);
    let path = fixture.bundle().join(MANIFEST_FILE);
    let changed = fs::read_to_string(&path).unwrap().replace("\"serial\": 7", "\"serial\": 8");
    fs::write(&path, changed).unwrap();
    assert_eq!(minisign(&fixture.bundle(), &verify), Some(false));

    let folder = fixture.root.path();
    assert_eq!(minisign(folder, &["-G", "-W", "-p", "stock.pub", "-s", "stock.key"]), Some(true));
    let stock = Key::parse_file(&fs::read_to_string(folder.join("stock.pub")).unwrap()).unwrap();
    assert_eq!(minisign(&fixture.bundle(), &["-S", "-s", "../stock.key", "-m", MANIFEST_FILE]), Some(true));
    let signed =
        verify_bundle(&fixture.bundle(), "cap", &Trust::new(vec![stock.clone()]), Extent::All).unwrap();
    assert_eq!((signed.manifest.serial, &signed.signer), (8, &stock));
    // Its secret key signs here too, and its program verifies that.
    let secret = SecretKey::read(&folder.join("stock.key")).unwrap();
    fs::write(folder.join("keys.toml"), b"a list").unwrap();
    assert!(sign_file(&folder.join("keys.toml"), &secret).unwrap().ends_with("keys.toml.minisig"));
    assert_eq!(minisign(folder, &["-V", "-q", "-m", "keys.toml", "-p", "stock.pub"]), Some(true));
    // And its program signs with a key that was made here.
    let own = write_pair(&folder.join("own.key"), false).unwrap();
    assert_eq!(minisign(folder, &["-S", "-s", "own.key", "-m", "keys.toml"]), Some(true));
    let signature = fs::read(folder.join("keys.toml.minisig")).unwrap();
    assert!(Trust::new(vec![own]).signer(b"a list", &signature, Path::new("s")).is_ok());
    // A damaged key of its kind, which has no checksum, signs nothing.
    let text = fs::read_to_string(folder.join("stock.key")).unwrap();
    let (comment, key) = text.trim_end().split_once('\n').unwrap();
    let middle = 4 * (key.len() / 8) + 8;
    let other = if &key[middle..=middle] == "A" { "B" } else { "A" };
    let damaged = format!("{comment}\n{}{other}{}\n", &key[..middle], &key[middle + 1..]);
    fs::write(folder.join("stock.key"), damaged).unwrap();
    let damaged = SecretKey::read(&folder.join("stock.key"));
    assert!(damaged.is_err() || sign_file(&folder.join("keys.toml"), &damaged.unwrap()).is_err());
}
