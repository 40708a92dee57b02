//! Tests normalising flows from the photos to a verdict, through the programs that users run.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use judge::Bundle;
use networks::teacher::{read_safetensors, write_safetensors};
use serde_json::Value;
use shared_format::Size;
use tests::images::write_set;
use tests::workshop::Workshop;
use tests::{run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };

/// A workshop with photos of `count` good parts, and eight good and eight stained ones to test.
fn workshop(count: u64) -> Workshop {
    let workshop = Workshop::default();
    write_set(&workshop.path("photos"), SIZE, count);
    workshop
}

/// Returns `trainer train --method flow` with two couplings, unless `extra` overrides that.
fn train(workshop: &Workshop, out: &str, extra: &[&str]) -> Command {
    let couplings = if extra.contains(&"--couplings") { &[][..] } else { &["--couplings", "2"] };
    let extra = [&["--method", "flow"], couplings, extra].concat();
    workshop.train(&workshop.path("photos"), out, &extra)
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

fn metrics(workshop: &Workshop, run: &str) -> Vec<Value> {
    let lines = std::fs::read_to_string(workshop.path(run).join("metrics.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn stained_parts_are_told_from_good_ones_in_every_context() {
    let workshop = workshop(24);
    for context in ["position", "neighbours", "both"] {
        let extra = ["--context", context, "--steps", "60", "--size", "128", "--align", "off"];
        succeed(&mut train(&workshop, context, &extra));
        let metrics = metrics(&workshop, context);
        let loss = |line: &Value| line["loss"].as_f64().unwrap();
        let (first, last) = (&metrics[0], &metrics[metrics.len() - 1]);
        assert!(loss(last) < loss(first) - 0.02, "{context}: it did not learn: {first} to {last}");
        let bundle = workshop.path(&format!("{context}-bundle"));
        succeed(&mut workshop.export(context, &bundle, &["--target-fpr", "0.2"]));
        let json = workshop.path("figures.json");
        let mut eval = workshop.trainer();
        eval.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos"));
        succeed(eval.arg("--json").arg(&json));
        let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert!(figures["image_auroc"].as_f64().unwrap() > 0.95, "{context}: {figures}");
    }
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let workshop = workshop(8);
    let options = ["--steps", "40", "--context", "both"];
    succeed(&mut train(&workshop, "whole", &options));
    let mut child = train(&workshop, "cut", &options).stderr(Stdio::null()).spawn().unwrap();
    let metrics = workshop.path("cut/metrics.jsonl");
    let started = Instant::now();
    while !metrics.exists() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    succeed(Command::new("kill").arg("-INT").arg(child.id().to_string()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    refused(&mut workshop.export("cut", &workshop.path("bundle"), &[]), "--resume");
    succeed(&mut resume(&workshop, "cut"));
    let student = |run: &str| std::fs::read(workshop.path(run).join("student.safetensors")).unwrap();
    assert!(student("whole") == student("cut"), "the resumed flow differs");
}

#[test]
fn a_time_limit_ends_training_before_its_last_step() {
    let workshop = workshop(8);
    succeed(&mut train(&workshop, "run", &["--minutes", "0.05"]));
    let metrics = metrics(&workshop, "run");
    let last = metrics.last().unwrap();
    assert!((1..400).contains(&last["step"].as_u64().unwrap()), "{last}");
    assert!(last["rate"].as_f64().unwrap() < 1e-9, "{last}");
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
    assert!(Bundle::open(&bundle).is_ok());
}

#[test]
fn what_does_not_fit_is_refused_before_a_run_is_started() {
    let workshop = workshop(6);
    let cases: [(&[&str], &str); 7] = [
        (&["--couplings", "0"], "0 is not in 1..=16"),
        (&["--couplings", "17"], "17 is not in 1..=16"),
        (&["--context", "weather"], "invalid value 'weather'"),
        (&["--precision", "bf16"], "trained in 32-bit floats; omit --precision bf16"),
        (&["--teacher", "pdn-xs"], "flow needs a backbone with several levels"),
        (&["--recipe", "published"], "the published recipe of flow can't be followed here; omit --recipe"),
        (&["--schedule", "short"], "--schedule is for --method stpm or efficientad, not flow"),
    ];
    for (extra, sentence) in cases {
        refused(&mut train(&workshop, "run", extra), sentence);
        assert!(!workshop.path("run").exists(), "{extra:?} started a run");
    }
    let mut stpm = workshop.train(&workshop.path("photos"), "run", &["--context", "both"]);
    refused(&mut stpm, "--context is for --method flow, not stpm");
}

#[test]
fn a_flow_that_diverges_stops_and_keeps_the_last_good_checkpoint() {
    let workshop = workshop(6);
    succeed(&mut train(&workshop, "run", &[]));
    let settings = workshop.path("run/run.json");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("\"steps\": 2", "\"steps\": 4")).unwrap();
    let checkpoint = workshop.path("run/checkpoint.safetensors");
    let good = std::fs::read(&checkpoint).unwrap();
    let (mut weights, mut notes) = read_safetensors(&good).unwrap();
    // Shifts so large that a likelihood is finite, but that of no part.
    weights.get_mut("level_1.coupling_2.second.bias").unwrap().data.fill(1e4);
    notes.insert("total".to_owned(), "4".to_owned());
    let diverging = write_safetensors(&weights, notes.clone());
    std::fs::write(&checkpoint, &diverging).unwrap();
    let sentence = "the last good checkpoint is kept";
    let (code, _, stderr) = run(&mut resume(&workshop, "run"));
    assert!(
        code == 1 && stderr.contains("training diverged at step 2") && stderr.contains(sentence),
        "{stderr}"
    );
    assert!(std::fs::read(&checkpoint).unwrap() == diverging);

    weights.get_mut("level_1.coupling_2.second.bias").unwrap().data.fill(f32::NAN);
    std::fs::write(&checkpoint, write_safetensors(&weights, notes.clone())).unwrap();
    refused(&mut resume(&workshop, "run"), "training diverged at step 2 (the loss is NaN)");

    // A file that is damaged, lacks a tensor, or belongs to another number of couplings is named.
    weights.remove("level_3.coupling_1.rotation");
    for (bytes, sentence) in [
        (write_safetensors(&weights, notes), "level_3.coupling_1.rotation"),
        (good[..good.len() / 2].to_vec(), "checkpoint.safetensors is damaged"),
    ] {
        std::fs::write(&checkpoint, bytes).unwrap();
        refused(&mut resume(&workshop, "run"), sentence);
    }
    std::fs::write(&checkpoint, good).unwrap();
    succeed(&mut resume(&workshop, "run"));
}

#[test]
fn a_damaged_flow_is_not_exported() {
    let workshop = workshop(6);
    succeed(&mut train(&workshop, "run", &[]));
    let student = workshop.path("run/student.safetensors");
    let good = std::fs::read(&student).unwrap();
    let (weights, notes) = read_safetensors(&good).unwrap();
    let changed = |name: &str, value: f32| {
        let mut weights = weights.clone();
        weights.get_mut(name).unwrap().data.fill(value);
        write_safetensors(&weights, notes.clone())
    };
    for (bytes, sentence) in [
        (changed("scoring.deviations", 0.0), "scoring.deviations"),
        (changed("scoring.means", f32::NAN), "scoring.means"),
        (good[..good.len() - 9].to_vec(), "student.safetensors is damaged"),
    ] {
        std::fs::write(&student, bytes).unwrap();
        refused(&mut workshop.export("run", &workshop.path("bundle"), &[]), sentence);
        assert!(!workshop.path("bundle").exists());
    }
}
