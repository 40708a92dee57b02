//! Tests EfficientAD from its teachers to a verdict, through the programs that users run.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use judge::encode_png;
use networks::teacher::{Library, read_safetensors, write_safetensors};
use networks::{PdnSize, Weights};
use shared_format::Size;
use tests::images::{part, write_parts};
use tests::teachers::{legacy_pth, random_weights, zip_pth};
use tests::workshop::Workshop;
use tests::{run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };

/// Renames weights.
fn renamed(weights: &Weights, name: impl Fn(&str) -> String) -> Weights {
    weights.iter().map(|(old, array)| (name(old), array.clone())).collect()
}

#[test]
fn teachers_are_read_as_they_are_published() {
    let workshop = Workshop::default();
    // The indices of the convolutions in the official code's sequences.
    let official: [(PdnSize, &[usize]); 3] =
        [(PdnSize::S, &[0, 3, 6, 8]), (PdnSize::M, &[0, 3, 6, 8, 10, 12]), (PdnSize::Xs, &[0, 3, 6, 8])];
    for (size, places) in official {
        let weights = random_weights(&size.teacher(), 7);
        let place: HashMap<String, String> = places
            .iter()
            .enumerate()
            .map(|(k, place)| (format!("conv{}", k + 1), place.to_string()))
            .collect();
        let numbered = renamed(&weights, |name| {
            let (conv, part) = name.split_once('.').unwrap();
            format!("{}.{part}", place[conv])
        });
        // Other networks that anomalib saves beside the teacher must not be mistaken for it.
        let mut anomalib = renamed(&weights, |name| format!("model.teacher.{name}"));
        for (name, array) in &weights {
            let mut student = array.clone();
            student.data.fill(0.5);
            anomalib.insert(format!("model.student.{name}"), student);
        }
        for (file, bytes) in [
            ("official.pth", zip_pth(&numbered)),
            ("older.pth", legacy_pth(&numbered)),
            ("anomalib.pth", zip_pth(&weights)),
            ("whole.pth", zip_pth(&anomalib)),
            ("ours.safetensors", write_safetensors(&weights, HashMap::new())),
        ] {
            let path = workshop.path(file);
            std::fs::write(&path, bytes).unwrap();
            workshop.import(&path, "t");
            let kept = Library::at(&workshop.path("home/teachers")).load("t").unwrap();
            assert_eq!(kept.network.name, size.network_name(), "{file}");
            assert!(kept.weights == weights, "{file} of {} gave other weights", size.network_name());
        }
        let last = format!("{}.bias", places.last().unwrap());
        let mut damaged = numbered.clone();
        damaged.remove(&last);
        let path = workshop.path("damaged.pth");
        std::fs::write(&path, zip_pth(&damaged)).unwrap();
        let mut import = workshop.trainer();
        let (code, _, stderr) = run(import.args(["teacher", "import", "--name", "t"]).arg(&path));
        assert_eq!(code, 1);
        let sentence = format!("no tensor `conv{}.bias`", places.len());
        assert!(stderr.contains(&sentence), "{stderr}");
    }
}

/// Makes a workshop with a teacher `pdn-xs` with random weights, photos of `count` good parts, and five natural photos.
fn workshop(count: u64) -> Workshop {
    let workshop = Workshop::default();
    let file = workshop.path("xs.safetensors");
    let weights = random_weights(&PdnSize::Xs.teacher(), 2);
    std::fs::write(&file, write_safetensors(&weights, HashMap::new())).unwrap();
    workshop.import(&file, "pdn-xs");
    write_parts(&workshop.path("photos/train/good"), SIZE, count, false);
    write_parts(&workshop.path("natural/deeper"), Size { width: 70, height: 90 }, 5, true);
    workshop
}

/// Returns `trainer train --method efficientad` with 128² pixels and the teacher `pdn-xs`, unless `extra` overrides them;
/// `random` is a backbone.
fn train(workshop: &Workshop, out: &str, extra: &[&str]) -> Command {
    let mut command = workshop.trainer();
    command.args(["train", "--threads", "1", "--precision", "f32", "--data"]);
    command.arg(workshop.path("photos")).arg("--out").arg(workshop.path(out)).args(extra);
    let defaults = [("--method", "efficientad"), ("--size", "128"), ("--size-class", "xs"), ("--steps", "2")];
    for (option, value) in defaults {
        let backbone = option == "--size-class" && extra.contains(&"random");
        let timed = option == "--steps" && extra.contains(&"--minutes");
        if !backbone && !timed && !extra.contains(&option) {
            command.args([option, value]);
        }
    }
    command
}

/// Interrupts the command as soon as the path exists.
fn interrupt(command: &mut Command, when: &Path) {
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !when.exists() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    succeed(Command::new("kill").arg("-INT").arg(child.id().to_string()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

fn refused(command: &mut Command, sentence: &str) {
    let (code, _, stderr) = run(command);
    assert!(code == 1 && stderr.contains(sentence), "{code}: `{sentence}` is not in: {stderr}");
}

/// Trains with `extra`, exports, and evaluates on parts that it never saw.
fn told_apart(extra: &[&str]) -> Workshop {
    let workshop = workshop(24);
    for (kind, stain) in [("good", false), ("stain", true)] {
        let folder = workshop.path("photos/test").join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in 0..8 {
            let png = encode_png(&part(SIZE, 500 + seed, stain)).unwrap();
            std::fs::write(folder.join(format!("{seed}.png")), png).unwrap();
        }
    }
    let natural = workshop.path("natural");
    // In so few steps, a student only learns a texture, and not the edges that aligned photos have.
    succeed(train(&workshop, "run", extra).args(["--align", "off", "--natural"]).arg(&natural));
    let metrics = std::fs::read_to_string(workshop.path("run/metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    let loss = |line: usize| lines[line]["loss"].as_f64().unwrap();
    assert!(loss(19) < 0.8 * loss(0), "it did not learn: {} to {}", loss(0), loss(19));
    assert!(lines.iter().all(|line| line["natural"].as_f64().unwrap() > 0.0));
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &["--target-fpr", "0.2"]));
    let json = workshop.path("figures.json");
    let mut eval = workshop.trainer();
    eval.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos"));
    succeed(eval.arg("--json").arg(&json));
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(figures["image_auroc"].as_f64().unwrap() > 0.95, "{figures}");
    workshop
}

/// Returns Adam's rate at each check.
fn rates(workshop: &Workshop, run: &str) -> Vec<f64> {
    let metrics = std::fs::read_to_string(workshop.path(run).join("metrics.jsonl")).unwrap();
    let rate =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["rate"].as_f64().unwrap();
    metrics.lines().map(rate).collect()
}

#[test]
fn stained_parts_are_told_from_good_ones() {
    let workshop = told_apart(&["--steps", "120"]);
    let rates = rates(&workshop, "run");
    assert_eq!((rates[0], rates[19]), (1e-4, 1e-5));
}

#[test]
fn stained_parts_are_told_from_good_ones_with_a_backbone_for_teacher() {
    let workshop = told_apart(&["--teacher", "random", "--steps", "60"]);
    let rates = rates(&workshop, "run");
    assert!(rates[0] < 2e-3 && rates.windows(2).all(|pair| pair[1] < pair[0]), "{rates:?}");
    let settings = std::fs::read_to_string(workshop.path("run/run.json")).unwrap();
    assert!(settings.contains("\"batch\": 4") && settings.contains("\"schedule\": \"short\""), "{settings}");
}

#[test]
fn a_time_limit_ends_training_before_its_last_step() {
    let workshop = workshop(6);
    let extra = ["--schedule", "short", "--minutes", "0.05"];
    let (code, _, stderr) = run(&mut train(&workshop, "run", &extra));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("at most 0.05 minutes and 3000 steps of 1 samples"), "{stderr}");
    let metrics = std::fs::read_to_string(workshop.path("run/metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert!((1..3000).contains(&last["step"].as_u64().unwrap()), "{last}");
    // The rate has decayed completely.
    assert!(last["rate"].as_f64().unwrap() < 1e-9, "{last}");
    succeed(&mut workshop.export("run", &workshop.path("bundle"), &[]));
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    goes_on(&["--steps", "20", "--schedule", "short"]);
}

#[test]
fn an_interrupted_run_with_a_backbone_goes_on_as_if_it_had_not_been() {
    goes_on(&["--steps", "20", "--teacher", "random"]);
}

fn goes_on(extra: &[&str]) {
    let workshop = workshop(6);
    let natural = workshop.path("natural");
    let start = |out: &str| {
        let mut command = train(&workshop, out, extra);
        command.arg("--natural").arg(&natural);
        command
    };
    succeed(&mut start("whole"));
    interrupt(&mut start("cut"), &workshop.path("cut/metrics.jsonl"));
    refused(&mut workshop.export("cut", &workshop.path("bundle"), &[]), "--resume");
    let resume = || {
        let mut command = workshop.trainer();
        command.args(["train", "--resume", "--out"]).arg(workshop.path("cut"));
        command
    };
    // A different number of photos would make a different training.
    let photo = natural.join("deeper/part-000.png");
    let bytes = std::fs::read(&photo).unwrap();
    std::fs::remove_file(&photo).unwrap();
    refused(&mut resume(), "holds 4 natural photos now and held 5 at the start");
    std::fs::write(&photo, bytes).unwrap();
    succeed(&mut resume());
    let student = |run: &str| std::fs::read(workshop.path(run).join("student.safetensors")).unwrap();
    assert!(student("whole") == student("cut"), "the resumed student differs");
    let rates = rates(&workshop, "cut");
    assert_eq!(rates.len(), 20);
    let peak = if extra.contains(&"random") { 2e-3 } else { 1e-3 };
    assert!(rates[0] < peak && rates.windows(2).all(|pair| pair[1] < pair[0]), "{rates:?}");
}

#[test]
fn small_teachers_come_with_the_program() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos/train/good"), SIZE, 5, false);
    assert_eq!(
        succeed(workshop.trainer().args(["teacher", "list"])),
        "pdn-s  pdn-s  comes with trainer\npdn-xs  pdn-xs  comes with trainer\nrandom  efficientnet-lite0\n"
    );
    succeed(&mut train(&workshop, "run", &[]));
    succeed(&mut workshop.export("run", &workshop.path("bundle"), &[]));
}

#[test]
fn a_patch_description_network_can_be_measured_by_patchcore() {
    let workshop = workshop(8);
    let good = workshop.path("photos/train/good");
    for (kind, seed, stain) in [("good", 500, false), ("stain", 600, true)] {
        let folder = workshop.path("photos/test").join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("0.png"), encode_png(&part(SIZE, seed, stain)).unwrap()).unwrap();
    }
    let mut fit = workshop.trainer();
    fit.args(["train", "--method", "patchcore", "--teacher", "pdn-xs", "--size", "160x128", "--data"])
        .arg(&good);
    let summary = run(fit.arg("--out").arg(workshop.path("run"))).2;
    assert!(summary.contains("a bank of "), "{summary}");
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
    let mut eval = workshop.trainer();
    let table = succeed(eval.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos")));
    assert!(table.lines().any(|line| line.starts_with("all") && line.contains(" 1.0000 ")), "{table}");
}

#[test]
fn what_does_not_fit_is_refused_before_a_run_is_started() {
    let workshop = workshop(5);
    let cases: [(&[&str], &str); 9] = [
        (
            &["--method", "padim", "--schedule", "short"],
            "--schedule is for --method stpm or efficientad, not padim",
        ),
        (&["--smoothing", "2"], "give --paper-score too, or leave it out"),
        (&["--minutes", "1"], "give --steps instead of --minutes"),
        (&["--teacher", "random", "--size-class", "xs"], "the network efficientnet-lite0, not pdn-xs"),
        (
            &["--teacher", "pdn-xs", "--size-class", "m"],
            "the teacher pdn-xs is the network pdn-xs, not pdn-m",
        ),
        (&["--size", "64"], "takes sides of 128 to 512 pixels, not 64×64"),
        (&["--size", "64", "--teacher", "random"], "takes sides of 128 to 512 pixels, not 64×64"),
        (&["--size-class", "m"], "no teacher is called `pdn-m`"),
        (&["--natural", "/dev/null"], "check the folder of natural photos"),
    ];
    for (extra, sentence) in cases {
        refused(&mut train(&workshop, "run", extra), sentence);
        assert!(!workshop.path("run").exists(), "{extra:?} started a run");
    }
    let photos = workshop.path("photos");
    let mut stpm = workshop.train(&photos, "run", &["--teacher", "pdn-xs"]);
    refused(&mut stpm, "stpm needs a backbone with several levels");
    let mut stpm = workshop.train(&photos, "run", &["--natural", "x"]);
    refused(&mut stpm, "--natural is for --method efficientad");
    std::fs::create_dir(workshop.path("empty")).unwrap();
    let empty = workshop.path("empty");
    refused(train(&workshop, "run", &[]).arg("--natural").arg(&empty), "holds no readable photos");
    assert!(!workshop.path("run").exists());

    // Five good parts without natural photos are enough for a run, which says what it lacks.
    let (code, _, stderr) = run(&mut train(&workshop, "run", &["--size", "160x128"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("warning: without --natural photos"), "{stderr}");
    succeed(&mut workshop.export("run", &workshop.path("bundle"), &[]));
}

#[test]
fn a_checkpoint_that_is_of_no_use_is_named_and_kept() {
    let workshop = workshop(5);
    succeed(&mut train(&workshop, "run", &[]));
    let resume = || {
        let mut command = workshop.trainer();
        command.args(["train", "--resume", "--out"]).arg(workshop.path("run"));
        command
    };
    let settings = workshop.path("run/run.json");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("\"steps\": 2", "\"steps\": 4")).unwrap();
    let checkpoint = workshop.path("run/checkpoint.safetensors");
    let good = std::fs::read(&checkpoint).unwrap();
    // Weights so large that the next loss is not finite.
    let (mut weights, notes) = read_safetensors(&good).unwrap();
    weights.get_mut("student.conv4.bias").unwrap().data.fill(1e30);
    let diverging = write_safetensors(&weights, notes);
    std::fs::write(&checkpoint, &diverging).unwrap();
    refused(&mut resume(), "training diverged at step 2 (the loss is inf); the last good checkpoint is kept");
    assert!(std::fs::read(&checkpoint).unwrap() == diverging);

    let photos = workshop.path("photos");
    succeed(&mut workshop.train(&photos, "stpm", &[]));
    std::fs::copy(workshop.path("stpm/checkpoint.safetensors"), &checkpoint).unwrap();
    refused(&mut resume(), "was written by the method stpm, and this run's is efficientad");
    std::fs::write(&checkpoint, &good).unwrap();
    succeed(&mut resume());
}

#[test]
fn a_distillation_goes_on_where_it_was_interrupted() {
    let workshop = workshop(5);
    let distill = |out: &str, steps: &str, extra: &[&str]| {
        let mut command = workshop.trainer();
        command.args(["teacher", "distill", "--threads", "1", "--precision", "f32", "--size-class", "xs"]);
        command.args(["--steps", steps, "--images"]).arg(workshop.path("natural"));
        command.arg("--out").arg(workshop.path(out)).args(extra);
        if !extra.contains(&"--from") {
            command.args(["--from", "random"]);
        }
        command
    };
    succeed(&mut distill("whole.safetensors", "2", &[]));
    // Interrupted once while features are computed, and once at a step.
    let features = workshop.path("cut.safetensors.distill/features/0000001-colour.safetensors");
    interrupt(&mut distill("cut.safetensors", "2", &[]), &features);
    std::fs::write(&features, b"cut off").unwrap();
    succeed(&mut distill("cut.safetensors", "1", &[]));
    succeed(&mut distill("cut.safetensors", "2", &[]));
    let weights = |name: &str| read_safetensors(&std::fs::read(workshop.path(name)).unwrap()).unwrap();
    assert!(weights("whole.safetensors") == weights("cut.safetensors"), "the resumed teacher differs");
    let notes = weights("cut.safetensors").1;
    assert_eq!((notes["network"].as_str(), notes["photos"].as_str()), ("pdn-xs", "5"));
    workshop.import(&workshop.path("cut.safetensors"), "ours");
    let listed = succeed(workshop.trainer().args(["teacher", "list"]));
    assert_eq!(
        listed,
        "ours  pdn-xs\npdn-s  pdn-s  comes with trainer\npdn-xs  pdn-xs\nrandom  efficientnet-lite0\n"
    );

    let short = ["--schedule", "short"];
    refused(&mut distill("cut.safetensors", "2", &["--seed", "1"]), "a distillation with other settings");
    refused(&mut distill("cut.safetensors", "2", &short), "a distillation with other settings");
    succeed(&mut distill("short.safetensors", "1", &short));
    let (short, notes) = weights("short.safetensors");
    assert_eq!(notes["schedule"], "short");
    assert!(short != weights("whole.safetensors").0);
    refused(
        &mut distill("new.safetensors", "2", &["--from", "pdn-xs"]),
        "is the network pdn-xs, not a backbone",
    );
    assert!(!workshop.path("new.safetensors.distill").exists());
}
