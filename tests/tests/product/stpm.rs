//! Tests STPM's training length and recipes, through the programs that users run.

use judge::Bundle;
use networks::teacher::{read_safetensors, write_safetensors};
use serde_json::Value;
use shared_format::Size;
use tests::images::write_parts;
use tests::workshop::Workshop;
use tests::{run, succeed};

/// A workshop with photos of 15 good parts.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), Size { width: 96, height: 96 }, 15, false);
    workshop
}

fn metrics(workshop: &Workshop, run: &str) -> Vec<Value> {
    let lines = std::fs::read_to_string(workshop.path(run).join("metrics.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn settings(workshop: &Workshop, run: &str) -> Value {
    serde_json::from_slice(&std::fs::read(workshop.path(run).join("run.json")).unwrap()).unwrap()
}

#[test]
fn a_time_limit_ends_training_before_its_last_step() {
    let workshop = workshop();
    let mut train = workshop.train(&workshop.path("photos"), "run", &["--minutes", "0.05"]);
    let (code, _, stderr) = run(&mut train);
    assert_eq!(code, 0, "{stderr}");
    let most = settings(&workshop, "run")["steps"].as_u64().unwrap();
    assert!(most >= 300, "{most}");
    assert!(stderr.contains(&format!("at most 0.05 minutes and {most} steps of 2 samples")), "{stderr}");
    let metrics = metrics(&workshop, "run");
    let last = metrics.last().unwrap();
    let steps = last["step"].as_u64().unwrap();
    assert!((1..most).contains(&steps), "{last}");
    // The rate has decayed completely.
    assert!(last["rate"].as_f64().unwrap() < 1e-9, "{last}");
    assert!(metrics.windows(2).all(|pair| pair[0]["step"].as_u64() < pair[1]["step"].as_u64()));
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
    assert!(Bundle::open(&bundle).is_ok());
}

#[test]
fn a_time_that_is_none_or_has_no_use_is_refused() {
    let workshop = workshop();
    let photos = workshop.path("photos");
    for (extra, sentence) in [
        (&["--minutes", "0"][..], "expected minutes, such as 5 or 0.5"),
        (&["--minutes", "soon"][..], "expected minutes, such as 5 or 0.5"),
        (&["--minutes", "1", "--steps", "5"][..], "cannot be used with"),
        (&["--minutes", "1", "--method", "padim"][..], "is fitted in one pass"),
        (&["--minutes", "1", "--schedule", "published"][..], "give --steps instead of --minutes"),
        (&["--whiten-residuals", "--paper-score"][..], "omit it, or omit --paper-score"),
    ] {
        let (code, _, stderr) = run(&mut workshop.train(&photos, "run", extra));
        assert!(code != 0 && stderr.contains(sentence), "{extra:?}: {stderr}");
        assert!(!workshop.path("run").exists(), "{extra:?}");
    }
}

#[test]
fn the_published_recipe_is_recorded_and_its_bundle_judges() {
    let workshop = workshop();
    let extra = ["--recipe", "published", "--epochs", "2"];
    succeed(&mut workshop.train(&workshop.path("photos"), "run", &extra));
    let settings = settings(&workshop, "run");
    assert_eq!((settings["batch"].as_u64(), settings["minutes"].as_f64()), (Some(32), None));
    assert_eq!(settings["options"], serde_json::json!({"schedule": "published", "paper_score": true}));
    // The rate stays the paper's throughout.
    assert!(metrics(&workshop, "run").iter().all(|line| line["rate"].as_f64() == Some(0.4)));
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
    let photo = workshop.path("photos/part-000.png");
    let mut inspect = tests::program("edge-runtime");
    inspect.args(["inspect", "--json", "--bundle"]).arg(&bundle).arg(photo);
    let (code, stdout, stderr) = run(&mut inspect);
    assert!(code == 0 || code == 10, "{stderr}");
    // The product of squared distances, 0 to 4 each.
    let line: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert!((0.0..=64.0).contains(&line["score"].as_f64().unwrap()), "{line}");
}

#[test]
fn a_run_of_an_earlier_trainer_is_exported_or_says_that_it_must_be_trained_again() {
    let workshop = workshop();
    succeed(&mut workshop.train(&workshop.path("photos"), "run", &["--whiten-residuals"]));
    let student = workshop.path("run/student.safetensors");
    let (mut weights, notes) = read_safetensors(&std::fs::read(&student).unwrap()).unwrap();
    let incomplete = |missing: &str| {
        let mut weights = weights.clone();
        assert!(weights.remove(missing).is_some(), "{missing}");
        write_safetensors(&weights, notes.clone())
    };
    let no_mean = incomplete("level_2.residual_mean");
    let no_whitening = incomplete("level_2.residual_whitening");
    // A run without Gaussians, as those of earlier versions, judges residuals by their length.
    let earlier = weights.iter().filter(|(name, _)| !name.contains(".residual_"));
    let earlier = earlier.map(|(name, array)| (name.clone(), array.clone())).collect();
    std::fs::write(&student, write_safetensors(&earlier, notes.clone())).unwrap();
    succeed(&mut workshop.export("run", &workshop.path("earlier"), &[]));
    let scales = weights.remove("scoring.scales").unwrap();
    let without = write_safetensors(&weights, notes.clone());
    weights.insert("scoring.0.mean".to_owned(), scales);
    for (bytes, sentence) in [
        (write_safetensors(&weights, notes), "trained by an earlier version of trainer"),
        (without, "scoring.scales"),
        (no_mean, "residual_mean"),
        (no_whitening, "level_2.residual_whitening"),
    ] {
        std::fs::write(&student, bytes).unwrap();
        let bundle = workshop.path("bundle");
        let (code, _, stderr) = run(&mut workshop.export("run", &bundle, &[]));
        assert!(code == 1 && stderr.contains(sentence), "{stderr}");
        assert!(!bundle.exists());
    }
}
