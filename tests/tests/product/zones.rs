//! Areas with limits of their own: from the painted mask to the verdict, with the programs that users run.

use std::path::Path;

use judge::{Frame, Pixels, encode_png};
use serde_json::Value;
use shared_format::Size;
use tests::images::part;
use tests::workshop::Workshop;
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };
/// The level of the right half; the left one is white.
const RIGHT: u8 = 128;

/// Returns a good part, with an inverted patch in one half if that is given.
fn part_with(seed: u64, patch_at: Option<usize>) -> Frame {
    let picture = part(SIZE, seed, false);
    let Pixels::Grey8(mut values) = picture.pixels().clone() else { panic!("{picture:?}") };
    for (at, pixel) in values.iter_mut().enumerate() {
        let (x, y) = (at % SIZE.width as usize, at / SIZE.width as usize);
        if patch_at.is_some_and(|left| (left..left + 24).contains(&x) && (60..84).contains(&y)) {
            *pixel = 255 - *pixel;
        }
    }
    Frame::new(SIZE, Pixels::Grey8(values)).unwrap()
}

fn write(path: &Path, frame: &Frame) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, encode_png(frame).unwrap()).unwrap();
}

/// Returns a workshop with thirty parts to learn from, three to judge (good, and damaged on either side), and the mask.
fn workshop() -> Workshop {
    let workshop = Workshop::with_network("resnet18");
    (0..30).for_each(|n| write(&workshop.path(&format!("photos/{n}.png")), &part_with(n, None)));
    for (kind, patch_at) in [("good", None), ("left", Some(30)), ("right", Some(110))] {
        write(&workshop.path(&format!("test/{kind}/50.png")), &part_with(50, patch_at));
    }
    let level = |at: usize| if at % (SIZE.width as usize) < 80 { 255 } else { RIGHT };
    let mask = (0..SIZE.width as usize * SIZE.height as usize).map(level).collect();
    write(&workshop.path("mask.png"), &Frame::new(SIZE, Pixels::Grey8(mask)).unwrap());
    workshop
}

/// Returns what `inspect` says of the good part, and of those damaged on the left and on the right.
fn inspected(workshop: &Workshop, bundle: &Path) -> [Value; 3] {
    let mut inspect = program("edge-runtime");
    inspect.args(["inspect", "--json", "--bundle"]).arg(bundle);
    inspect.args(["good", "left", "right"].map(|kind| workshop.path(&format!("test/{kind}/50.png"))));
    let (_, stdout, stderr) = run(&mut inspect);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.try_into().unwrap_or_else(|_| panic!("{stdout}{stderr}"))
}

fn zone_score(frame: &Value, zone: usize) -> f64 {
    frame["zones"][zone]["score"].as_f64().unwrap()
}

/// Checks that a patch raises the score of its own zone above the other's, and that the frame's score is the larger one.
fn check(workshop: &Workshop, bundle: &Path) {
    let [good, left, right] = inspected(workshop, bundle);
    for frame in [&good, &left, &right] {
        let scores = [0, 1].map(|zone| zone_score(frame, zone));
        assert_eq!(frame["score"].as_f64().unwrap(), scores[0].max(scores[1]), "{frame}");
        assert_eq!([&frame["zones"][0]["level"], &frame["zones"][1]["level"]], [255, RIGHT], "{frame}");
    }
    assert_eq!((&left["zone"], &right["zone"]), (&255.into(), &RIGHT.into()), "{left} {right}");
    assert!(zone_score(&left, 0) > zone_score(&good, 0), "{left} {good}");
    assert!(zone_score(&right, 1) > zone_score(&good, 1), "{right} {good}");
    let (code, doctor, _) = run(program("edge-runtime").args(["doctor", "--bundle"]).arg(bundle));
    assert_eq!(code, 0, "golden frames score the same: {doctor}");
    assert!(doctor.contains("zones         level 255 × 1, level 128 × "), "{doctor}");
}

#[test]
fn fitted_and_trained_models_have_zones() {
    let workshop = workshop();
    let mask = workshop.path("mask.png");
    for method in ["local-gaussians", "mahalanobis", "stpm"] {
        let mut train =
            workshop.train(&workshop.path("photos"), method, &["--method", method, "--align", "off"]);
        if method != "stpm" {
            train = workshop.trainer();
            train.args(["train", "--threads", "1", "--size", "64", "--align", "off", "--teacher", "random"]);
            train.args(["--method", method, "--data"]).arg(workshop.path("photos"));
            train.arg("--out").arg(workshop.path(method));
        }
        let (code, _, stderr) = run(train.arg("--mask").arg(&mask).args(["--zone", "128:1.5"]));
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stderr.contains("zones: level 255 with 50 %, level 128 with 50 % and factor 1.5"),
            "{stderr}"
        );
        let bundle = workshop.path("bundle");
        succeed(&mut workshop.export(method, &bundle, &["--target-fpr", "0.2"]));
        // Mahalanobis looks at the part as a whole: its map is the same everywhere.
        if method != "mahalanobis" {
            check(&workshop, &bundle);
            let onnx = std::fs::read(bundle.join("model.onnx")).unwrap();
            assert!(onnx.windows(9).any(|name| name == b"score_map"), "{method}: what zones are scored by");
        }
        let (_, golden, _) = run(program("edge-runtime").args(["doctor", "--json", "--bundle"]).arg(&bundle));
        assert!(
            golden.contains(r#""zones":[{"level":255,"factor":1.0},{"level":128,"factor":1.5}]"#),
            "{golden}"
        );
    }
    let mut export = workshop.export("stpm", &workshop.path("other"), &["--image-score", "descriptor"]);
    let (code, _, stderr) = run(&mut export);
    assert!(code == 1 && stderr.contains("the run has zones"), "{stderr}");
    // The report names the zones.
    let mut eval = workshop.trainer();
    eval.arg("eval").arg(workshop.path("bundle")).arg("--data").arg(workshop.path("test"));
    let stdout = succeed(eval.arg("--html").arg(workshop.path("page.html")));
    assert!(stdout.contains("zone 255, factor 1:") && stdout.contains("zone 128, factor 1.5:"), "{stdout}");
    let page = std::fs::read_to_string(workshop.path("page.html")).unwrap();
    assert!(page.contains("zone 128, factor 1.5:") && page.contains(", zone 255"), "the page names them too");
}

#[test]
fn a_board_has_zones_too_and_its_line_can_count_them_apart() {
    let workshop = workshop();
    let bundle = workshop.path("bundle");
    let mut teach = program("edge-runtime");
    teach.env("NOMINAL_HOME", workshop.path("home"));
    teach.args(["teach", "--size", "64", "--align", "off", "--teacher", tests::workshop::TEACHER]);
    teach.arg("--from").arg(workshop.path("photos")).arg("--out").arg(&bundle);
    let (code, stdout, stderr) = run(teach.arg("--mask").arg(workshop.path("mask.png")));
    assert_eq!(code, 0, "{stdout}{stderr}");
    check(&workshop, &bundle);
    let check_line = |level: u8| {
        let line = format!(
            "name = \"a\"\n[[product]]\nname = \"cap\"\nbundle = \"bundle\"\n[camera]\nsource = \"pattern\"\nwidth = 160\n\
             height = 120\n[trigger]\nkind = \"interval\"\nevery_ms = 100\n[votes]\nframes = 3\nzones = [{{ level = {level}, rejects = 2 \
             }}]\n[gate]\ndelay_ms = 50\npulse_ms = 10\n"
        );
        std::fs::write(workshop.path("line.toml"), line).unwrap();
        run(program("edge-runtime").arg("check").arg(workshop.path("line.toml")))
    };
    let (code, stdout, _) = check_line(RIGHT);
    assert!(code == 0 && stdout.contains("zone 128  rejects a part by 2 frame(s)"), "{stdout}");
    let (code, stdout, _) = check_line(77);
    assert!(code != 0, "{stdout}");
    assert!(
        stdout.contains("votes.zones has the level 77, but the bundle's zones have the levels 255, 128"),
        "{stdout}"
    );
    // A new threshold keeps the zones.
    let line = std::fs::read_to_string(workshop.path("line.toml")).unwrap();
    std::fs::write(
        workshop.path("line.toml"),
        line.split("[votes]").next().unwrap().to_owned() + "[gate]\ndelay_ms = 50\npulse_ms = 10\n",
    )
    .unwrap();
    let mut calibrate = program("edge-runtime");
    calibrate.arg("calibrate").arg("--line").arg(workshop.path("line.toml"));
    succeed(calibrate.arg("--from").arg(workshop.path("photos")));
    check(&workshop, &bundle);
}

#[test]
fn an_adopted_model_has_zones_fitted_to_its_calibration_images() {
    let workshop = workshop();
    succeed(&mut workshop.train(&workshop.path("photos"), "run", &["--align", "off"]));
    let first = workshop.path("first");
    succeed(&mut workshop.export("run", &first, &["--target-fpr", "0.2"]));
    let mut adopt = workshop.trainer();
    adopt.arg("adopt").arg(first.join("model.onnx")).arg("--data").arg(workshop.path("photos"));
    adopt.args(["--size", "64", "--target-fpr", "0.2", "--mask"]).arg(workshop.path("mask.png"));
    let bundle = workshop.path("bundle");
    let (code, stdout, stderr) = run(adopt.arg("--out").arg(&bundle));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("zones: level 255 with 50 %, level 128 with 50 %"), "{stderr}");
    assert!(stdout.contains("an estimate of"), "the zones are fitted to the same images: {stdout}");
    check(&workshop, &bundle);
}

#[test]
fn factors_without_zones_are_refused_before_anything_is_learned() {
    let workshop = workshop();
    let mut train = workshop.train(&workshop.path("photos"), "run", &[]);
    let (code, _, stderr) = run(train.args(["--zone", "128:1.5"]));
    assert!(code == 1 && stderr.contains("--zone needs a mask; give it with --mask"), "{stderr}");
    let mut train = workshop.train(&workshop.path("photos"), "run", &[]);
    let (code, _, stderr) = run(train.args(["--zone", "40:1.5", "--mask"]).arg(workshop.path("mask.png")));
    assert!(code == 1 && stderr.contains("its zones have the levels 255, 128"), "{stderr}");
    let mut train = workshop.train(&workshop.path("photos"), "run", &[]);
    let (code, _, stderr) = run(train.args(["--zone", "128:100"]));
    assert!(code == 2 && stderr.contains("a factor from 0.1 to 10"), "{stderr}");
    assert!(!workshop.path("run").exists());
}
