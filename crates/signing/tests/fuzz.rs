//! Fuzzes manifests, signatures, key lists and whole bundles: nothing but what was signed is accepted.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use fuzzing::Fuzz;
use signing::verify::Extent;
use signing::{
    Key, KeyList, MANIFEST_FILE, Manifest, SIGNATURE_FILE, SecretKey, Signature, Trust, Version, sign_bundle,
    verify_bundle,
};

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// Inputs of each kind in the ordinary tests.
const COUNT: u64 = 5000;

const FILES: [&str; 4] = ["model.onnx", "model.threshold", "golden/normal-1.png", "lesson.json"];

/// A signed bundle, and trust in who signed it.
fn signed_bundle() -> (tempfile::TempDir, SecretKey, Trust) {
    let folder = tempfile::tempdir().unwrap();
    let secret = SecretKey::generate().unwrap();
    std::fs::create_dir(folder.path().join("golden")).unwrap();
    for name in FILES {
        std::fs::write(folder.path().join(name), format!("the bytes of {name}")).unwrap();
    }
    sign_bundle(folder.path(), "cap", 7, Version::FIRST, &secret).unwrap();
    let trust = Trust::new(vec![secret.public().unwrap()]);
    (folder, secret, trust)
}

#[test]
fn manifests() {
    let (folder, _, trust) = signed_bundle();
    let whole = std::fs::read(folder.path().join(MANIFEST_FILE)).unwrap();
    let signature = std::fs::read(folder.path().join(SIGNATURE_FILE)).unwrap();
    let words: [&[u8]; 12] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b"..",
        b"/",
        b"\\u0000",
        b"18446744073709551616",
        b"-1",
        b"null",
        b"\"format\": 1,",
    ];
    let valid = [whole.clone()];
    let fuzz = Fuzz::new("manifests", COUNT).memory_mib(16).dictionary(&words);
    let stats = fuzz.run(&valid, |bytes| {
        // As if a trusted key had signed this: it may be refused, and what is accepted has one meaning.
        if let Ok(manifest) = Manifest::parse(bytes) {
            assert_eq!(Manifest::parse(&manifest.encode().unwrap()).unwrap(), manifest);
        }
        let accepted = trust.signer(bytes, &signature, Path::new("s")).is_ok();
        assert!(!accepted || bytes == whole);
        accepted
    });
    assert!(stats.accepted < stats.inputs / 10, "{stats:?}");
}

#[test]
fn signatures() {
    let (folder, secret, trust) = signed_bundle();
    let message = std::fs::read(folder.path().join(MANIFEST_FILE)).unwrap();
    let whole = std::fs::read(folder.path().join(SIGNATURE_FILE)).unwrap();
    let other =
        SecretKey::generate().unwrap().sign(&message, "bundle cap, serial number 7").unwrap().into_bytes();
    let later = secret.sign(b"another message", "bundle cap, serial number 8").unwrap().into_bytes();
    let signed = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        bytes[end..].to_vec()
    };
    let words: [&[u8]; 8] =
        [b"\n", b"\r\n", b"=", b"untrusted comment: ", b"trusted comment: ", b"RU", b"RW", b"\t"];
    let fuzz = Fuzz::new("signatures", COUNT).memory_mib(1).dictionary(&words);
    let stats = fuzz.run(&[whole.clone(), other, later], |bytes| {
        if let Ok(signature) = Signature::parse(bytes) {
            assert_eq!(signature.key_id().len(), 16);
        }
        let accepted = trust.signer(&message, bytes, Path::new("s")).is_ok();
        // The first line isn't signed, by minisign's design, and nothing depends on it.
        assert!(!accepted || signed(bytes) == signed(&whole));
        accepted
    });
    assert!(stats.accepted < stats.inputs / 3, "{stats:?}");
}

#[test]
fn key_lists() {
    let [root, trusted, revoked] = [(); 3].map(|()| SecretKey::generate().unwrap());
    let text = |key: &SecretKey| key.public().unwrap().text().to_owned();
    let whole = format!(
        "# Keys of the plant.\nformat = 1\nserial = 12\ntrusted = [\n  \"{} Ada\",\n]\nrevoked = [\"{} Bob\"]\n",
        text(&trusted),
        text(&revoked)
    )
    .into_bytes();
    let signature = root.sign(&whole, "keys").unwrap();
    let roots = Trust::new(vec![root.public().unwrap()]);
    let words: [&[u8]; 10] =
        [b"\"", b"[", b"]", b"= ", b"#", b"\n", b"serial = 13", b"[[", b"99999999999999999999", b"RW"];
    let fuzz = Fuzz::new("key_lists", COUNT).memory_mib(16).dictionary(&words);
    let stats = fuzz.run(std::slice::from_ref(&whole), |bytes| {
        if let Ok(list) = KeyList::parse(bytes) {
            assert!(list.serial > 0 && list.trusted.iter().all(|key: &Key| key.text().len() == 56));
        }
        let accepted = roots.signer(bytes, signature.as_bytes(), Path::new("s")).is_ok();
        assert!(!accepted || bytes == whole);
        accepted
    });
    assert!(stats.accepted < stats.inputs / 10, "{stats:?}");
}

#[test]
fn signed_bundles() {
    let (folder, _secret, trust) = signed_bundle();
    let names: Vec<&str> = FILES.into_iter().chain([MANIFEST_FILE, SIGNATURE_FILE]).collect();
    // Each input is one of the files, with its number before it, which says in which place it is put.
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let originals: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect();
    let valid: Vec<Vec<u8>> =
        (0_u8..).zip(&originals).map(|(index, bytes)| [&[index], &bytes[..]].concat()).collect();
    let fuzz = Fuzz::new("signed_bundles", COUNT).memory_mib(16);
    let stats = fuzz.run(&valid, |bytes| {
        let Some((index, bytes)) = bytes.split_first() else { return false };
        let index = usize::from(*index) % names.len();
        let path = folder.path().join(names[index]);
        std::fs::write(&path, bytes).unwrap();
        let accepted = verify_bundle(folder.path(), "cap", &trust, Extent::All).is_ok();
        std::fs::write(&path, &originals[index]).unwrap();
        let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let is_same = match names[index] {
            SIGNATURE_FILE => bytes[line(bytes)..] == originals[index][line(&originals[index])..],
            _ => bytes == originals[index],
        };
        assert!(!accepted || is_same, "{}", names[index]);
        accepted
    });
    assert!(stats.accepted < stats.inputs / 5, "{stats:?}");
}
