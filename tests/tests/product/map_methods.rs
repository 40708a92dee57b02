//! Tests the methods that share training and export (autoencoders, GANomaly, Deep SVDD, DevNet) from the photos to a verdict, through the
//! programs that users run.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use networks::teacher::{read_safetensors, write_safetensors};
use serde_json::Value;
use shared_format::Size;
use tests::images::{write_parts, write_set};
use tests::workshop::Workshop;
use tests::{run, succeed, times};

const SIZE: Size = Size { width: 160, height: 120 };

/// Prepares a workshop with photos of `count` good parts, eight good and eight stained ones to test, and four more that are stained.
fn prepared(workshop: Workshop, count: u64) -> Workshop {
    write_set(&workshop.path("photos"), SIZE, count);
    write_parts(&workshop.path("defects/stain"), SIZE, 4, true);
    workshop
}

fn workshop(count: u64) -> Workshop {
    prepared(Workshop::default(), count)
}

/// Returns `trainer train` with a method, and with the defects if it learns from them.
fn train(workshop: &Workshop, method: &str, out: &str, extra: &[&str]) -> Command {
    let extra = [&["--method", method, "--align", "off"], extra].concat();
    let mut command = workshop.train(&workshop.path("photos"), out, &extra);
    if method == "devnet" {
        command.arg("--defects").arg(workshop.path("defects"));
    }
    command
}

fn resume(workshop: &Workshop, out: &str) -> Command {
    let mut command = workshop.trainer();
    command.args(["train", "--resume", "--out"]).arg(workshop.path(out));
    command
}

fn refused(command: &mut Command, sentence: &str) {
    let (code, _, stderr) = run(command);
    assert!(code != 0 && stderr.contains(sentence), "{code}: `{sentence}` is not in: {stderr}");
}

#[test]
fn stained_parts_are_told_from_good_ones() {
    let workshop = prepared(Workshop::with_network("resnet18"), 16);
    for (method, extra, least) in [
        ("autoencoder", &["--target", "features"][..], 0.95),
        ("autoencoder", &["--target", "pixels", "--loss", "ssim"], 0.95),
        ("memae", &["--memory", "50"], 0.95),
        ("vae", &[], 0.95),
        ("masked-autoencoder", &[], 0.9),
        ("svdd", &["--embeddings", "200"], 0.95),
        ("svdd-image", &[], 0.7),
        ("devnet", &[], 0.95),
    ] {
        let out = format!("{method}{}", extra.len());
        succeed(&mut train(&workshop, method, &out, &[extra, &["--steps", "40"]].concat()));
        let bundle = workshop.path(&format!("{out}-bundle"));
        succeed(&mut workshop.export(&out, &bundle, &["--target-fpr", "0.2"]));
        let json = workshop.path("figures.json");
        let mut eval = workshop.trainer();
        eval.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos"));
        succeed(eval.arg("--json").arg(&json));
        let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert!(figures["image_auroc"].as_f64().unwrap() >= least, "{method} {extra:?}: {figures}");
    }
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let workshop = workshop(8);
    // All share one training; these keep the most beside their weights. The others' turn is at night.
    let methods = ["memae", "ganomaly", "svdd", "devnet", "vae", "svdd-image", "masked-autoencoder"];
    for method in methods.into_iter().take(4 * times() as usize) {
        let (whole, cut) = (format!("{method}-whole"), format!("{method}-cut"));
        succeed(&mut train(&workshop, method, &whole, &["--steps", "30"]));
        let mut command = train(&workshop, method, &cut, &["--steps", "30"]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let metrics = workshop.path(&cut).join("metrics.jsonl");
        let started = Instant::now();
        while !metrics.exists() && started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(5));
        }
        succeed(Command::new("kill").arg("-INT").arg(child.id().to_string()));
        assert_eq!(child.wait().unwrap().code(), Some(130), "{method}");
        refused(&mut workshop.export(&cut, &workshop.path("bundle"), &[]), "--resume");
        succeed(&mut resume(&workshop, &cut));
        let student = |run: &str| std::fs::read(workshop.path(run).join("student.safetensors")).unwrap();
        assert!(student(&whole) == student(&cut), "the resumed {method} differs");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_a_run_is_started() {
    let workshop = workshop(6);
    let cases: [(&str, &[&str], &str); 12] = [
        ("autoencoder", &["--loss", "ssim"], "--loss ssim compares pictures, not features"),
        ("autoencoder", &["--dropout", "1"], "invalid share `1`: expected a number from 0 to 0.9"),
        ("autoencoder", &["--latent", "0"], "0 is not in 1..=256"),
        ("autoencoder", &["--memory", "5"], "--memory is for --method memae, not autoencoder"),
        ("memae", &["--memory", "1"], "1 is not in 2..=2000"),
        ("vae", &["--teacher", "pdn-xs"], "vae needs a backbone with several levels"),
        ("vae", &["--precision", "bf16"], "trained in 32-bit floats; omit --precision bf16"),
        ("masked-autoencoder", &["--patch", "12"], "invalid value '12'"),
        ("svdd", &["--embeddings", "5"], "5 is not in 16..=10000"),
        ("svdd-image", &["--embeddings", "50"], "--embeddings is for --method svdd, not svdd-image"),
        ("devnet", &["--tiles", "2x1"], "devnet learns from whole frames"),
        ("ganomaly", &["--recipe", "published"], "the published recipe of ganomaly can't be followed here"),
    ];
    for (method, extra, sentence) in cases {
        refused(&mut train(&workshop, method, "run", extra), sentence);
        assert!(!workshop.path("run").exists(), "{method} {extra:?} started a run");
    }
    let photos = workshop.path("photos");
    refused(
        &mut workshop.train(&photos, "run", &["--method", "devnet"]),
        "devnet learns from known defects beside good parts; give their folder as --defects",
    );
    let mut with_defects = train(&workshop, "svdd", "run", &[]);
    refused(with_defects.arg("--defects").arg(workshop.path("defects")), "svdd can't be taught defects");
    assert!(!workshop.path("run").exists());
    // A method that doesn't look at the teacher's features learns with any teacher.
    succeed(&mut train(&workshop, "autoencoder", "pixels", &["--teacher", "pdn-xs", "--target", "pixels"]));
}

#[test]
fn networks_that_diverge_or_collapse_stop_and_keep_the_last_good_checkpoint() {
    let workshop = workshop(6);
    for (method, tensor, value, sentence) in [
        ("ganomaly", "decoder.picture.bias", 1e6, "training diverged at step 2"),
        ("ganomaly", "decoder.picture.bias", f32::NAN, "training diverged at step 2 (the loss is NaN)"),
        ("svdd-image", "", 0.0, "training collapsed at step 3: the network gives nearly the same result"),
        ("svdd", "", 0.0, "training collapsed at step 3: the network gives nearly the same result"),
    ] {
        let out = format!("{method}{value}");
        succeed(&mut train(&workshop, method, &out, &[]));
        let settings = workshop.path(&out).join("run.json");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, text.replace("\"steps\": 2", "\"steps\": 4")).unwrap();
        let checkpoint = workshop.path(&out).join("checkpoint.safetensors");
        let good = std::fs::read(&checkpoint).unwrap();
        let (mut weights, mut notes) = read_safetensors(&good).unwrap();
        notes.insert("total".to_owned(), "4".to_owned());
        // A head of zeros, whose result is its centre whatever it sees.
        let changed = |name: &str| name == tensor || (tensor.is_empty() && is_of_the_head(name));
        for (_, array) in weights.iter_mut().filter(|(name, _)| changed(name)) {
            array.data.fill(value);
        }
        let bad = write_safetensors(&weights, notes);
        std::fs::write(&checkpoint, &bad).unwrap();
        let (code, _, stderr) = run(&mut resume(&workshop, &out));
        assert!(code == 1 && stderr.contains(sentence), "{method}: {stderr}");
        assert!(stderr.contains("the last good checkpoint is kept"), "{stderr}");
        assert!(std::fs::read(&checkpoint).unwrap() == bad, "{method}");
        std::fs::write(&checkpoint, &good[..good.len() / 2]).unwrap();
        refused(&mut resume(&workshop, &out), "checkpoint.safetensors is damaged");
        std::fs::write(&checkpoint, &good).unwrap();
        succeed(&mut resume(&workshop, &out));
    }
}

/// Returns whether a tensor of a checkpoint belongs to a one-class network's head, its centre or its optimiser.
fn is_of_the_head(name: &str) -> bool {
    name.starts_with("head.") || name == "centre" || name.starts_with("adam.")
}

#[test]
fn a_damaged_student_is_not_exported() {
    let workshop = workshop(6);
    for (method, tensor, value, sentence) in [
        ("vae", "scoring.deviations", Some(0.0), "scoring.deviations"),
        ("vae", "scoring.means", None, "scoring.means"),
        ("memae", "memory", None, "memory"),
        ("svdd", "bank", Some(f32::NAN), "bank"),
        ("svdd", "bank", None, "bank"),
        ("svdd-image", "centre", None, "centre"),
        ("devnet", "trunk.mean", Some(f32::INFINITY), "trunk.mean"),
    ] {
        let out = format!("{method}-run");
        if !workshop.path(&out).exists() {
            succeed(&mut train(&workshop, method, &out, &[]));
        }
        let student = workshop.path(&out).join("student.safetensors");
        let good = std::fs::read(&student).unwrap();
        let (mut weights, notes) = read_safetensors(&good).unwrap();
        match value {
            Some(value) => weights.get_mut(tensor).unwrap().data.fill(value),
            None => drop(weights.remove(tensor).unwrap()),
        }
        std::fs::write(&student, write_safetensors(&weights, notes)).unwrap();
        refused(&mut workshop.export(&out, &workshop.path("bundle"), &[]), sentence);
        assert!(!workshop.path("bundle").exists());
        std::fs::write(&student, good).unwrap();
    }
}
