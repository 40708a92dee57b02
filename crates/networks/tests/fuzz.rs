//! Fuzzes weight files: each is read, or refused with a sentence, whatever lengths and shapes it declares.
#![cfg(feature = "import")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

#[allow(dead_code, reason = "each test program uses only part of it")]
mod support;

use fuzzing::Fuzz;
use networks::teacher::import::{read_published, read_weights};
use networks::teacher::write_safetensors;
use networks::{Array, Weights};
use support::{Pickle, Strings, legacy_of, legacy_pth, npy, npz, pickle, zip_of, zip_pth, zipped};

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// Opcodes, and impossible lengths.
const WORDS: [&[u8]; 26] = [
    b"(",
    b"t",
    b"}",
    b"]",
    b"h\x00",
    b"q\x00",
    b"\x85",
    b"\x87",
    b"u",
    b"e",
    b"s",
    b"a",
    b"R",
    b"Q",
    b"b",
    b"0",
    b")",
    b".",
    b"r\xff\xff\x0f\x00",
    b"X\xff\xff\xff\x7f",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"conv1.weight",
    b"9999999999",
    b"FloatStorage",
];

/// Tensors of a few values, with names of a real network.
fn weights() -> Weights {
    let array = |shape: &[usize]| {
        let count: usize = shape.iter().product();
        Array { shape: shape.to_vec(), data: (0..count).map(|i| i as f32).collect() }
    };
    let names = ["conv1.weight", "conv2.weight", "conv3.weight", "conv4.weight"];
    let mut weights: Weights = names.map(|name| (name.to_owned(), array(&[2, 3, 1, 1]))).into();
    weights.insert("conv1.bias".to_owned(), array(&[2]));
    weights
}

/// A checkpoint that contains more than the weights.
fn checkpoint() -> Vec<u8> {
    let mut pickle = Pickle::new(Strings::Short);
    pickle.raw(b"}").text("epoch").integer(3).raw(b"s").text("state_dict").state_dict(&weights());
    pickle.raw(b"s").text("optimizer").raw(b"}q\x05").text("state").raw(b"}").integer(0).raw(b"}sss");
    pickle.finish()
}

/// Reads a file; a readable one is also tried as a teacher.
fn is_read(bytes: &[u8]) -> bool {
    match read_weights(bytes) {
        Ok(_) => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            assert!(!read_published(&path).unwrap_err().to_string().is_empty());
            true
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            false
        }
    }
}

#[test]
fn weight_files() {
    let weights = weights();
    let valid = [
        write_safetensors(&weights, Default::default()),
        legacy_pth(&weights),
        zip_pth(&weights),
        npz(&weights),
        legacy_of(&checkpoint(), weights.values(), Strings::Short),
    ];
    valid.iter().for_each(|file| assert!(is_read(file)));
    let stats = Fuzz::new("weight_files", 3_000).dictionary(&WORDS).run(&valid, is_read);
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 20 && refused > stats.inputs / 4, "{stats:?}");
}

/// Zip entries have a checksum, so they are mutated before they are packed.
#[test]
fn zipped_weights() {
    let weights = weights();
    let valid = [pickle(&weights), checkpoint(), npy(&weights["conv1.weight"])];
    let packed = |bytes: &[u8]| {
        if bytes.starts_with(b"\x93") {
            zipped([("conv1.weight.npy".to_owned(), bytes.to_vec())].into_iter())
        } else {
            zip_of(bytes, weights.values())
        }
    };
    valid.iter().for_each(|file| assert!(is_read(&packed(file))));
    let fuzz = Fuzz::new("zipped_weights", 2_000).dictionary(&WORDS).dictionary(&[
        b"'>f8'",
        b"(99999999, 99999999)",
        b"True",
    ]);
    let stats = fuzz.run(&valid, |bytes| is_read(&packed(bytes)));
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 20 && refused > stats.inputs / 4, "{stats:?}");
}
