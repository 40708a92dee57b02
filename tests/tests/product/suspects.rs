//! Tests that bad parts among the good ones are named, and left out if asked, by `trainer train` and `edge-runtime teach`.

use std::path::Path;

use bundle::left_out;
use bundle::seeded::Seeded;
use judge::{Frame, Pixels, encode_png};
use serde_json::Value;
use shared_format::{Size, ThresholdFile};
use tests::workshop::{TEACHER, Workshop};
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 128 };
const GOOD: u64 = 24;
/// All photos if two bad ones are among the good.
const ALL: usize = 26;

/// Returns a woven part that always lies alike, so that no good one is odd; `stain` adds a bright blot.
fn part(seed: u64, stain: bool) -> Frame {
    let mut random = Seeded::new(seed, 3);
    let centre = [20 + random.below(120) as i64, 20 + random.below(88) as i64];
    let mut pixels = vec![];
    for (y, x) in (0..i64::from(SIZE.height)).flat_map(|y| (0..i64::from(SIZE.width)).map(move |x| (y, x))) {
        let weave = (x as f32 * 0.5).sin() * (y as f32 * 0.4).cos();
        let is_stained = stain && (x - centre[0]).pow(2) + (y - centre[1]).pow(2) < 200;
        let blot = if is_stained { 110.0 } else { 0.0 };
        pixels.push((90.0 + 30.0 * weave + random.below(24) as f32 + blot) as u8);
    }
    Frame::new(SIZE, Pixels::Grey8(pixels)).unwrap()
}

fn write(folder: &Path, name: &str, count: u64, stain: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let seed = number + 1000 * u64::from(stain);
        let png = encode_png(&part(seed, stain)).unwrap();
        std::fs::write(folder.join(format!("{name}-{number}.png")), png).unwrap();
    }
}

/// Writes good parts, and stained ones among them.
fn write_mixed(folder: &Path, stained: u64) {
    write(folder, "part", GOOD, false);
    write(folder, "stained", stained, true);
}

fn thresholds(bundle: &Path) -> ThresholdFile {
    ThresholdFile::decode(&std::fs::read(bundle.join(judge::THRESHOLD_FILE)).unwrap()).unwrap()
}

#[test]
fn suspects_are_named_and_dropped_only_if_asked() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    write_mixed(&photos.join("train/good"), 2);
    write(&photos.join("test/good"), "part", 4, false);
    write(&photos.join("test/stain"), "part", 4, true);
    let train = |out: &str, extra: &[&str]| {
        let mut command = workshop.trainer();
        command.args(["train", "--teacher", TEACHER, "--size", "96", "--out"]).arg(workshop.path(out));
        let (code, _, stderr) = run(command.arg("--data").arg(&photos).args(extra));
        assert_eq!(code, 0, "{stderr}");
        let run_json = std::fs::read(workshop.path(out).join("run.json")).unwrap();
        (stderr, serde_json::from_slice::<Value>(&run_json).unwrap())
    };
    let export = |run_name: &str| {
        let bundle = workshop.path(&format!("{run_name}-bundle"));
        let (code, stdout, stderr) = run(&mut workshop.export(run_name, &bundle, &[]));
        assert_eq!(code, 0, "{stderr}");
        (bundle, stdout, stderr)
    };

    let (stderr, settings) = train("dirty", &[]);
    assert!(stderr.contains("photos score unlike the others and may show bad parts: stained-"), "{stderr}");
    assert_eq!(settings["left_out"], Value::Array(vec![]));
    let (bundle, _, stderr) = export("dirty");
    assert!(stderr.contains("stained-0.png") && stderr.contains("stained-1.png"), "{stderr}");
    assert_eq!(left_out(&bundle).unwrap(), []);

    let (stderr, settings) = train("clean", &["--drop-suspects"]);
    let dropped = settings["left_out"].as_array().unwrap();
    let count = dropped.len();
    assert!(stderr.contains(&format!("{count} of {ALL} photos left out as suspects")), "{stderr}");
    for name in ["train/good/stained-0.png", "train/good/stained-1.png"] {
        assert!(dropped.iter().any(|entry| entry[0] == name), "{settings}");
        assert!(settings["fit"].as_array().unwrap().iter().all(|path| path != name));
        assert!(photos.join(name).is_file());
    }
    assert_eq!(settings["fit"].as_array().unwrap().len() + count, ALL);
    let (bundle, stdout, _) = export("clean");
    assert!(stdout.contains(" % if the photos left out as suspects show good parts"), "{stdout}");
    // The stored claim holds even if those left out are good parts.
    let evidence = thresholds(&bundle).evidence;
    assert_eq!((evidence.normals as usize, evidence.rank as usize), (ALL, 1 + count));
    assert_eq!(left_out(&bundle).unwrap().len(), count);

    let page = workshop.path("page.html");
    succeed(workshop.trainer().arg("eval").arg(&bundle).arg("--data").arg(&photos).arg("--html").arg(&page));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Left out of learning") && page.contains("stained-1.png"));
}

#[test]
fn a_student_learns_without_the_suspects_too() {
    let workshop = Workshop::default();
    write_mixed(&workshop.path("photos"), 2);
    let mut train = workshop.train(&workshop.path("photos"), "run", &["--size", "96", "--drop-suspects"]);
    let (code, _, stderr) = run(&mut train);
    assert_eq!(code, 0, "{stderr}");
    let settings = std::fs::read_to_string(workshop.path("run/run.json")).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let in_sets =
        ["fit", "selection", "calibration"].map(|set| settings[set].as_array().unwrap().clone()).concat();
    assert!(in_sets.iter().all(|path| !path.as_str().unwrap().contains("stained")), "{settings}");
}

#[test]
fn a_taught_bundle_records_what_was_left_out() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    write_mixed(&photos, 2);
    let teach = |extra: &[&str]| {
        let mut command = program("edge-runtime");
        command.env("NOMINAL_HOME", workshop.path("home")).current_dir(workshop.path(""));
        command.args(["teach", "--teacher", TEACHER, "--size", "96", "--out", "taught", "--from", "photos"]);
        run(command.args(extra))
    };
    let (code, _, stderr) = teach(&[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("may show bad parts") && stderr.contains("--drop-suspects"), "{stderr}");
    let (code, stdout, stderr) = teach(&["--drop-suspects"]);
    assert_eq!(code, 0, "{stderr}");
    let recorded = left_out(&workshop.path("taught")).unwrap();
    assert!(stderr.contains(&format!("{} of {ALL} parts left out as suspects", recorded.len())), "{stderr}");
    assert!(stdout.contains("left out as suspects"), "{stdout}");
    for name in ["stained-0.png", "stained-1.png"] {
        assert!(recorded.iter().any(|suspect| suspect.name.ends_with(name)), "{recorded:?}");
        assert!(photos.join(name).is_file());
    }
    // The next lesson leaves nothing out, and its bundle no longer says so.
    assert_eq!(teach(&[]).0, 0);
    assert_eq!(left_out(&workshop.path("taught")).unwrap(), []);
}

#[test]
fn photos_that_are_not_of_good_parts_are_refused() {
    let workshop = Workshop::default();
    write_mixed(&workshop.path("photos"), 6);
    let mut command = program("edge-runtime");
    command.env("NOMINAL_HOME", workshop.path("home")).current_dir(workshop.path(""));
    command.args(["teach", "--teacher", TEACHER, "--size", "96", "--out", "taught", "--from", "photos"]);
    let (code, _, stderr) = run(command.arg("--drop-suspects"));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("of 30 photos score unlike the others, more than the 15 %"), "{stderr}");
    assert!(!workshop.path("taught").exists());
    let mut train = workshop.trainer();
    train
        .args(["train", "--teacher", TEACHER, "--size", "96", "--drop-suspects", "--out"])
        .arg(workshop.path("run"));
    let (code, _, stderr) = run(train.arg("--data").arg(workshop.path("photos")));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("Sort them by hand, first these: ") && stderr.contains("stained-"), "{stderr}");
    assert!(!workshop.path("run").exists());
}
