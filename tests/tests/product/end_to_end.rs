//! Tests the whole path from photos to a verdict, through the programs that users run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use judge::{Bundle, encode_png};
use shared_format::{Colour, ImageScore, Roi, Size, Tiles};
use tests::images::{part, write_parts, write_set};
use tests::workshop::Workshop;
use tests::{optional_data, program, run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };

/// A workshop with photos of 30 good parts to train on, and 8 good and 8 stained ones to test on.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    write_set(&workshop.path("photos"), SIZE, 30);
    workshop
}

fn train(workshop: &Workshop, run: &str, extra: &[&str]) -> Command {
    workshop.train(&workshop.path("photos"), run, extra)
}

fn inspect(workshop: &Workshop, paths: &[PathBuf]) -> (i32, Vec<serde_json::Value>) {
    let mut command = program("edge-runtime");
    command.args(["inspect", "--json", "--bundle"]).arg(workshop.path("bundle")).args(paths);
    let (code, stdout, stderr) = run(&mut command);
    assert!(code != 1 && code != 2, "{stderr}");
    (code, stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn stained_parts_are_told_from_good_ones() {
    let workshop = workshop();
    succeed(&mut train(&workshop, "run", &["--steps", "150"]));
    let bundle = workshop.path("bundle");
    let printed = succeed(&mut workshop.export("run", &bundle, &["--target-fpr", "0.2"]));
    assert!(printed.contains("6 normals: at most 14.29 % false alarms on average"), "{printed}");

    let json = workshop.path("figures.json");
    let page = workshop.path("page.html");
    let mut eval = workshop.trainer();
    eval.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos"));
    succeed(eval.arg("--json").arg(&json).arg("--html").arg(&page));
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(figures["image_auroc"].as_f64().unwrap() > 0.95, "{figures}");
    assert!(figures["tpr_at_threshold"].as_f64().unwrap() > 0.7, "{figures}");
    assert!(figures["pixel_auroc"].is_null() && figures["aupro_30"].is_null());
    assert_eq!((figures["n_normal"].as_u64(), figures["n_defective"].as_u64()), (Some(8), Some(8)));
    assert_eq!(figures["kinds"]["stain"]["n_defective"], 8);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<svg") && page.contains("data:image/jpeg;base64,"));

    // An unreadable mask counts in no figure, but is reported.
    let masks = workshop.path("photos/ground_truth/stain");
    std::fs::create_dir_all(&masks).unwrap();
    std::fs::write(masks.join("3_mask.png"), &encode_png(&part(SIZE, 1, false)).unwrap()[..200]).unwrap();
    let mut again = workshop.trainer();
    again.arg("eval").arg(&bundle).arg("--data").arg(workshop.path("photos")).arg("--json").arg(&json);
    assert!(succeed(&mut again).contains("1 mask(s) can't be read"));
    let again: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(
        (again["unreadable_masks"].as_u64(), figures["unreadable_masks"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(
        (&again["image_auroc"], &again["pixel_auroc"]),
        (&figures["image_auroc"], &figures["pixel_auroc"])
    );

    // The runtime gives the same scores as the evaluation, and uses the same threshold.
    let (code, lines) = inspect(&workshop, &[workshop.path("photos/test/stain")]);
    assert_eq!(lines.len(), 8);
    let rejected = lines.iter().filter(|line| line["verdict"] == "reject").count();
    assert_eq!(rejected as f64 / 8.0, figures["tpr_at_threshold"].as_f64().unwrap());
    assert_eq!(code, 10);
    assert_eq!(lines[0]["threshold"], figures["threshold"]);
    // Calibration normals pass: at rank 1 the threshold is the largest of their scores.
    let settings: serde_json::Value =
        serde_json::from_slice(&std::fs::read(workshop.path("run/run.json")).unwrap()).unwrap();
    let names = settings["calibration"].as_array().unwrap();
    let calibration: Vec<PathBuf> =
        names.iter().map(|name| workshop.path("photos").join(name.as_str().unwrap())).collect();
    assert_eq!(inspect(&workshop, &calibration).0, 0);

    // A bundle with another bundle's model is refused, and the file is named.
    let other = workshop.path("other-bundle");
    succeed(&mut train(&workshop, "other", &["--seed", "1"]));
    succeed(&mut workshop.export("other", &other, &[]));
    std::fs::copy(other.join("model.onnx"), bundle.join("model.onnx")).unwrap();
    let mut command = program("edge-runtime");
    let (code, _, stderr) = run(command.args(["inspect", "--bundle"]).arg(&bundle).arg(&calibration[0]));
    assert_eq!(code, 1);
    assert!(stderr.contains("model.onnx"), "{stderr}");
}

#[test]
fn a_sample_too_small_for_the_target_says_so() {
    let workshop = workshop();
    succeed(&mut train(&workshop, "run", &[]));
    let bundle = workshop.path("bundle");
    let (code, _, stderr) = run(&mut workshop.export("run", &bundle, &["--require-claim"]));
    assert_eq!(code, 1);
    assert!(
        stderr.contains(
            "6 normals: at most 14.29 % false alarms on average; for 1 % with 95 % confidence collect 299"
        ),
        "{stderr}"
    );
    assert!(!bundle.exists());
    let printed = succeed(&mut workshop.export("run", &bundle, &[]));
    assert!(printed.contains("the threshold is its largest score"), "{printed}");
    let evidence = Bundle::open(&bundle).unwrap().thresholds.evidence;
    assert_eq!((evidence.normals, evidence.rank), (6, 1));
    let (code, _, stderr) = run(&mut workshop.export("run", &bundle, &["--target-fpr", "1.5"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("is not between 0 and 1"), "{stderr}");
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_happened() {
    let workshop = workshop();
    let options = ["--steps", "40", "--precision", "f32"];
    succeed(&mut train(&workshop, "whole", &options));
    let mut child = train(&workshop, "cut", &options).stderr(Stdio::null()).spawn().unwrap();
    let metrics = workshop.path("cut/metrics.jsonl");
    let started = Instant::now();
    while !metrics.exists() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    succeed(Command::new("kill").arg("-INT").arg(child.id().to_string()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // The training isn't finished, so there is no bundle yet.
    let (code, _, stderr) = run(&mut workshop.export("cut", &workshop.path("bundle"), &[]));
    assert_eq!(code, 1);
    assert!(stderr.contains("--resume"), "{stderr}");
    succeed(workshop.trainer().args(["train", "--resume", "--out"]).arg(workshop.path("cut")));
    let student = |run: &str| std::fs::read(workshop.path(run).join("student.safetensors")).unwrap();
    assert!(student("whole") == student("cut"), "the resumed student differs");
}

#[test]
fn region_tiles_and_size_travel_in_the_bundle() {
    let workshop = workshop();
    let view = ["--size", "96x64", "--roi", "10,10,120,100", "--tiles", "2x1", "--flip", "horizontal"];
    succeed(&mut train(&workshop, "run", &view));
    let bundle = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
    let recipe = Bundle::open(&bundle).unwrap().thresholds.recipe;
    assert_eq!(recipe.roi, Some(Roi { x: 10, y: 10, width: 120, height: 100 }));
    assert_eq!(
        (recipe.tiles, recipe.input),
        (Tiles { columns: 2, rows: 1, overlap: 32 }, Size { width: 96, height: 64 })
    );
    assert_eq!(recipe.colour, Colour::Grey);
    let good = workshop.path("photos/train/good/part-000.png");
    let small = workshop.path("small.png");
    std::fs::write(&small, encode_png(&part(Size { width: 100, height: 100 }, 1, false)).unwrap()).unwrap();
    let (code, lines) = inspect(&workshop, &[good, small]);
    assert_eq!(code, 11, "{lines:?}");
    assert!(lines[0]["score"].is_number());
    assert_eq!(lines[1]["verdict"], "fault");
    assert!(lines[1]["fault"].as_str().unwrap().contains("does not fit into the frame"), "{}", lines[1]);
}

/// Returns the size of all files below a folder, in whole pages.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.metadata().unwrap() {
            of if of.is_dir() => folder_bytes(&entry.path()),
            of => of.len().next_multiple_of(4096),
        })
        .sum()
}

#[test]
fn a_disk_that_fills_up_and_a_folder_that_may_not_be_written_leave_the_old_bundle() {
    let workshop = workshop();
    succeed(&mut train(&workshop, "run", &[]));
    let [small, elsewhere] = ["small", "elsewhere"].map(|name| workshop.path(name));
    std::fs::create_dir(&small).unwrap();
    succeed(&mut workshop.export("run", &elsewhere, &[]));
    let room = format!("size={}", folder_bytes(&elsewhere) * 3 / 2);
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &room, "tmpfs"]).arg(&small).status();
    if !mount.is_ok_and(|status| status.success()) {
        tests::report_skipped("a full disk (mounting a small file system needs root)");
        return;
    }
    let bundle = small.join("bundle");
    let first = run(&mut workshop.export("run", &bundle, &[]));
    let before = std::fs::read(bundle.join("model.threshold"));
    // A second bundle does not fit beside the first.
    let second = run(&mut workshop.export("run", &bundle, &["--target-fpr", "0.3"]));
    let after = std::fs::read(bundle.join("model.threshold"));
    let names: Vec<_> = std::fs::read_dir(&small).unwrap().map(|e| e.unwrap().file_name()).collect();
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&small).status();
    let third = run(&mut workshop.export("run", &bundle, &[]));
    let still = std::fs::read(bundle.join("model.threshold"));
    succeed(Command::new("umount").arg(&small));
    assert_eq!(first.0, 0, "{}", first.2);
    assert_eq!(second.0, 1);
    assert!(second.2.contains("check free space and permissions"), "{}", second.2);
    assert_eq!(before.unwrap(), after.unwrap());
    assert_eq!(names, ["bundle"], "something half-written was left behind");
    assert!(remount.is_ok_and(|status| status.success()));
    assert_eq!(third.0, 1);
    assert!(third.2.contains("check free space and permissions"), "{}", third.2);
    assert!(still.is_ok());
}

#[test]
fn real_cells_with_the_default_teacher() {
    let what = "a few epochs on real solar cells";
    let (Some(samples), Some(weights)) =
        (optional_data("NOMINAL_SAMPLES", what), optional_data("NOMINAL_WEIGHTS", what))
    else {
        return;
    };
    let workshop = workshop();
    workshop.import(&weights.join("efficientnet-lite0.pth"), "efficientnet-lite0");
    let cells = samples.join("elpv");
    let data = workshop.path("cells");
    for (folder, count) in [("train/good", 100), ("test/good", 40), ("test/defective", 40)] {
        std::fs::create_dir_all(data.join(folder)).unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(cells.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let step = names.len() / count;
        for path in names.iter().step_by(step).take(count) {
            std::fs::copy(path, data.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
    for (run, options, least) in [
        ("fitted", &["--size", "128"][..], 0.9),
        ("trained", &["--size", "128", "--method", "stpm", "--epochs", "8"], 0.75),
    ] {
        let mut train = workshop.trainer();
        succeed(
            train.arg("train").args(options).arg("--out").arg(workshop.path(run)).arg("--data").arg(&data),
        );
        let bundle = workshop.path(&format!("{run}-bundle"));
        succeed(&mut workshop.export(run, &bundle, &["--target-fpr", "0.1"]));
        let json = workshop.path(&format!("{run}.json"));
        succeed(
            workshop.trainer().arg("eval").arg(&bundle).arg("--data").arg(&data).arg("--json").arg(&json),
        );
        let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert!(figures["image_auroc"].as_f64().unwrap() > least, "{run}: {figures}");
        let doctor = succeed(program("edge-runtime").args(["doctor", "--bundle"]).arg(&bundle));
        assert!(doctor.contains("normal-1.png"), "{run}: {doctor}");
    }
}

#[test]
fn a_descriptor_of_the_map_can_be_the_score() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 30, false);
    succeed(&mut train(&workshop, "few", &[]));
    let bundle = workshop.path("bundle");
    let descriptor = ["--image-score", "descriptor"];
    let (code, _, stderr) = run(&mut workshop.export("few", &bundle, &descriptor));
    assert_eq!(code, 1);
    assert!(
        stderr.contains("needs 16 normals used neither for training nor for calibration, but there are 3"),
        "{stderr}"
    );

    write_parts(&workshop.path("photos"), SIZE, 160, false);
    succeed(&mut train(&workshop, "many", &[]));
    succeed(&mut workshop.export("many", &bundle, &descriptor));
    let thresholds = Bundle::open(&bundle).unwrap().thresholds;
    assert!(matches!(thresholds.image_score, ImageScore::Descriptor(_)));
    // Deviations of eight features: the distance of normals from their mean is around √8.
    let scores = thresholds.evidence.scores;
    assert!((1.0..6.0).contains(&scores.q50), "{scores:?}");
    let (_, golden) = inspect(&workshop, &[bundle.join("golden/normal-1.png")]);
    let score = golden[0]["score"].as_f64().unwrap();
    assert!((score - f64::from(thresholds.golden[0].score)).abs() < 1e-4, "{score}");
}
