//! Tests the kinds of bad input that users really give the trainer: each gets a sentence that names the next
//! action, and nothing half-written.

use std::path::Path;

use networks::Network;
use networks::teacher::write_safetensors;
use shared_format::Size;
use tests::images::{jpeg, write_parts};
use tests::teachers::{legacy_preamble, legacy_pth, npz, pickle, random_weights, zip_pth};
use tests::workshop::Workshop;
use tests::{run, succeed};

const SIZE: Size = Size { width: 96, height: 80 };

/// Trains for two steps, and returns the exit code and standard error.
fn train(workshop: &Workshop, data: &Path, extra: &[&str]) -> (i32, String) {
    let (code, _, stderr) = run(&mut workshop.train(data, "run", extra));
    (code, stderr)
}

fn refuses(workshop: &Workshop, data: &Path, extra: &[&str], sentence: &str) {
    let (code, stderr) = train(workshop, data, extra);
    assert!(code == 1 || code == 2, "exit code {code}: {stderr}");
    assert!(stderr.contains(sentence), "`{sentence}` is not in: {stderr}");
    assert!(!workshop.path("run").exists(), "a run was started");
}

#[test]
fn folders_without_enough_images() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    refuses(&workshop, &data, &[], "check the path");
    std::fs::create_dir(&data).unwrap();
    refuses(&workshop, &data, &[], "contains no images of good parts");
    write_parts(&data, SIZE, 1, false);
    refuses(&workshop, &data, &[], "1 usable image(s) of good parts");
}

#[test]
fn damaged_and_absurd_images_are_listed_and_skipped() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    write_parts(&data, SIZE, 8, false);
    let whole = jpeg(SIZE, 50, false);
    std::fs::write(data.join("whole.jpg"), &whole).unwrap();
    std::fs::write(data.join("cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(data.join("text.png"), b"these are not pixels").unwrap();
    std::fs::write(data.join("copy.jpg"), &whole).unwrap();
    for (name, width, height) in [("dot.png", 1, 1), ("strip.png", 20_000, 50)] {
        let frame = tests::images::part(Size { width, height }, 1, false);
        std::fs::write(data.join(name), judge::encode_png(&frame).unwrap()).unwrap();
    }
    let (code, stderr) = train(&workshop, &data, &[]);
    assert_eq!(code, 0, "{stderr}");
    for name in ["cut.jpg", "text.png", "dot.png", "strip.png", "whole.jpg"] {
        let skipped = stderr.lines().find(|line| line.starts_with("skipped") && line.contains(name));
        assert!(skipped.is_some(), "{name} is not listed in: {stderr}");
    }
    assert!(stderr.contains("5 of 14 images skipped"), "{stderr}");
    assert!(
        stderr.contains("9 normals: 7 to learn from, 1 to choose the checkpoint, 1 to calibrate"),
        "{stderr}"
    );
}

#[test]
fn absurd_settings() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    write_parts(&data, SIZE, 6, false);
    refuses(&workshop, &data, &["--size", "17"], "17 is not a multiple of 32");
    refuses(&workshop, &data, &["--roi", "50,50,60,10"], "0 usable image(s)");
    refuses(
        &workshop,
        &data,
        &["--roi", "50,50,60,10"],
        "the region of interest 50,50,60,10 extends beyond it",
    );
    refuses(&workshop, &data, &["--roi", "1,2,3"], "expected X,Y,WIDTH,HEIGHT");
    refuses(&workshop, &data, &["--method", "magic"], "stpm");
    let (code, _, stderr) =
        run(workshop.trainer().args(["train", "--teacher", "nobody", "--out", "x", "--data"]).arg(&data));
    assert_eq!(code, 1);
    assert!(stderr.contains("no teacher is called `nobody` (known: pdn-s, pdn-xs, random)"), "{stderr}");
}

#[test]
fn a_run_is_never_overwritten_and_a_run_that_is_none_is_not_exported() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    write_parts(&data, SIZE, 6, false);
    let (code, stderr) = train(&workshop, &data, &[]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = train(&workshop, &data, &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("continue it with --resume"), "{stderr}");
    let (code, _, stderr) =
        run(workshop.trainer().arg("export").arg(&data).arg("--out").arg(workshop.path("b")));
    assert_eq!(code, 1);
    assert!(stderr.contains("is not a training run"), "{stderr}");
    // Photos are never replaced by a bundle, whatever --out says.
    let (code, _, stderr) = run(&mut workshop.export("run", &data, &[]));
    assert_eq!(code, 1);
    assert!(stderr.contains("is not a bundle; choose another folder"), "{stderr}");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 6);
    // A damaged student is named.
    let student = workshop.path("run/student.safetensors");
    let bytes = std::fs::read(&student).unwrap();
    std::fs::write(&student, &bytes[..bytes.len() / 2]).unwrap();
    let out = workshop.path("b");
    let (code, _, stderr) = run(&mut workshop.export("run", &out, &[]));
    assert_eq!(code, 1);
    assert!(stderr.contains("student.safetensors is damaged"), "{stderr}");
    assert!(!out.exists());
}

#[test]
fn weight_files_of_every_format_and_every_fault() {
    let workshop = Workshop::default();
    let network = Network::by_name("efficientnet-lite0").unwrap();
    let weights = random_weights(&network, 3);
    let import = |name: &str, bytes: &[u8]| {
        let file = workshop.path(name);
        std::fs::write(&file, bytes).unwrap();
        run(workshop.trainer().args(["teacher", "import", "--name", "t"]).arg(file))
    };
    let refused = |name: &str, bytes: &[u8], sentence: &str| {
        let (code, _, stderr) = import(name, bytes);
        assert_eq!(code, 1, "{name}");
        assert!(stderr.contains(sentence), "{name}: `{sentence}` is not in: {stderr}");
    };
    let legacy = legacy_pth(&weights);
    for (name, bytes) in [
        ("a.safetensors", write_safetensors(&weights, Default::default())),
        ("b.pth", legacy.clone()),
        ("c.pth", zip_pth(&weights)),
        ("d.npz", npz(&weights)),
    ] {
        let (code, stdout, stderr) = import(name, &bytes);
        assert_eq!(code, 0, "{name}: {stderr}");
        assert!(stdout.contains("efficientnet-lite0"), "{stdout}");
        let kept = networks::teacher::Library::at(&workshop.path("home/teachers")).load("t").unwrap();
        assert_eq!(kept.weights, weights, "{name}");
    }
    let mut nan = weights.clone();
    nan.get_mut("_blocks.1._expand_conv.weight").unwrap().data[5] = f32::NAN;
    refused(
        "nan.safetensors",
        &write_safetensors(&nan, Default::default()),
        "`_blocks.1._expand_conv.weight` contains, or leads to, a value that is not finite",
    );
    let mut misshapen = weights.clone();
    misshapen.get_mut("_conv_stem.weight").unwrap().shape = vec![32, 27];
    refused(
        "shape.safetensors",
        &write_safetensors(&misshapen, Default::default()),
        "tensor `_conv_stem.weight` has shape [32, 27]",
    );
    let mut missing = weights.clone();
    missing.remove("_blocks.3._depthwise_conv.weight");
    refused("missing.pth", &legacy_pth(&missing), "no tensor `_blocks.3._depthwise_conv.weight`");
    refused("cut.pth", &legacy[..legacy.len() - 100], "is cut short");
    refused(
        "cut.safetensors",
        &write_safetensors(&weights, Default::default())[..5000],
        "not a readable weight file",
    );
    refused("photo.pth", &jpeg(SIZE, 1, false), "not a readable weight file");
    refused("empty.pth", b"", "not a readable weight file");
    // A pickle that would run a command when loaded by Python is read without executing anything.
    let trap = workshop.path("trap");
    let call =
        format!("cposix\nsystem\n(X{}touch {}tR.", le(6 + trap.to_str().unwrap().len()), trap.display());
    let mut evil = legacy_preamble();
    evil.extend_from_slice(b"\x80\x02");
    evil.extend_from_slice(call.as_bytes());
    evil.extend_from_slice(&pickle(&weights));
    let (code, _, stderr) = import("evil.pth", &evil);
    assert_eq!(code, 1, "{stderr}");
    assert!(!trap.exists());
    // Nesting that would overflow the call stack, and a dict that contains itself.
    let nested = [legacy_preamble(), b"\x80\x02)".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
    refused("nested.pth", &nested, "nests tuples more than 64 deep");
    let name = b"X\x01\x00\x00\x00ah\x00s";
    let itself =
        [legacy_preamble(), b"\x80\x02}q\x00".to_vec(), name.repeat(500), b".\x80\x02].".to_vec()].concat();
    refused("itself.pth", &itself, "nested more than 64 deep");
    let listed = succeed(workshop.trainer().args(["teacher", "list"]));
    let shipped = "pdn-s  pdn-s  comes with trainer\npdn-xs  pdn-xs  comes with trainer\n";
    assert_eq!(listed, format!("{shipped}random  efficientnet-lite0\nt  efficientnet-lite0\n"));
    let (code, _, stderr) = run(workshop
        .trainer()
        .args(["teacher", "import", "--name", "../t"])
        .arg(workshop.path("a.safetensors")));
    assert_eq!(code, 1);
    assert!(stderr.contains("invalid teacher name"), "{stderr}");
}

/// Returns a length as four little-endian bytes that happen to be text.
fn le(n: usize) -> String {
    String::from_utf8((n as u32).to_le_bytes().to_vec()).unwrap()
}
