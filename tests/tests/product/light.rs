//! Light that varies, and another product: from the photos to the verdict, with the programs that users run.

use std::path::Path;

use judge::{Frame, Pixels, encode_png};
use serde_json::Value;
use shared_format::Size;
use tests::images::part;
use tests::workshop::{TEACHER, Workshop};
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };
const PATCH: &str = "140,0,20,20";

/// Returns a part with a grey card in its upper right corner, in light that multiplies all values.
fn lit(seed: u64, light: f32) -> Frame {
    let picture = part(SIZE, seed, false);
    let Pixels::Grey8(mut values) = picture.pixels().clone() else { panic!("{picture:?}") };
    for (at, value) in values.iter_mut().enumerate() {
        let is_card = at % 160 >= 140 && at / 160 < 20;
        *value = (if is_card { 120.0 } else { f32::from(*value) } * light).round().min(255.0) as u8;
    }
    Frame::new(SIZE, Pixels::Grey8(values)).unwrap()
}

fn write(path: &Path, frame: &Frame) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, encode_png(frame).unwrap()).unwrap();
}

/// Returns a workshop with photos to learn from, and test photos: a part, the same part in darker light, in light beyond correction, and
/// another product.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    (0..20).for_each(|n| write(&workshop.path(&format!("photos/{n}.png")), &lit(n, 1.0)));
    for (name, light) in [("usual", 1.0), ("darker", 0.8), ("dark", 0.3)] {
        write(&workshop.path(&format!("test/{name}.png")), &lit(50, light));
    }
    let stripes = (0..160 * 120).map(|at| if at % 160 / 4 % 2 == 0 { 10 } else { 240 });
    let mut stripes: Vec<u8> = stripes.collect();
    (0..20).for_each(|y| stripes[y * 160 + 140..(y + 1) * 160].fill(120));
    write(&workshop.path("test/other.png"), &Frame::new(SIZE, Pixels::Grey8(stripes)).unwrap());
    workshop
}

fn judged(workshop: &Workshop, bundle: &Path, name: &str) -> Value {
    let mut inspect = program("edge-runtime");
    inspect.args(["inspect", "--json", "--bundle"]).arg(bundle);
    let (_, stdout, stderr) = run(inspect.arg(workshop.path(&format!("test/{name}.png"))));
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"))
}

fn check(workshop: &Workshop, bundle: &Path) {
    let score = |name| judged(workshop, bundle, name)["score"].as_f64().unwrap();
    let (usual, darker) = (score("usual"), score("darker"));
    let (_, doctor, _) = run(program("edge-runtime").args(["doctor", "--bundle"]).arg(bundle));
    assert!(doctor.contains("light corrected by the patch of 20×20 pixels at 140,0"), "{doctor}");
    assert!(doctor.contains("a fault if the lower quartile of the map is above"), "{doctor}");
    // Values are whole numbers, so a darker frame is a little coarser.
    assert!((usual - darker).abs() < 0.15 * usual.abs().max(1.0), "{usual} {darker}");
    for (name, reason) in [("dark", "the light is not that of the good parts"), ("other", "another product?")]
    {
        let fault = judged(workshop, bundle, name);
        assert_eq!(fault["verdict"], "fault", "{fault}");
        assert!(fault["fault"].as_str().unwrap().contains(reason), "{fault}");
    }
}

#[test]
fn a_workstation_learns_the_light_and_what_is_not_the_product() {
    let workshop = workshop();
    for method in ["local-gaussians", "stpm"] {
        let mut train = workshop.trainer();
        train.args(["train", "--method", method, "--threads", "1", "--size", "64", "--align", "off"]);
        train.args(["--teacher", TEACHER, "--reference-patch", PATCH, "--data"]).arg(workshop.path("photos"));
        if method == "stpm" {
            train.args(["--steps", "2"]);
        }
        let (code, _, stderr) = run(train.arg("--out").arg(workshop.path(method)));
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("reference patch: red 47 %, green 47 %, blue 47 %"), "{stderr}");
        let bundle = workshop.path("bundle");
        succeed(&mut workshop.export(method, &bundle, &["--target-fpr", "0.2", "--check-product"]));
        if method != "stpm" {
            check(&workshop, &bundle);
        }
    }
    let mut outside = workshop.train(&workshop.path("photos"), "run", &["--reference-patch", "150,0,20,20"]);
    let (code, _, stderr) = run(&mut outside);
    assert_eq!(code, 1);
    assert!(stderr.contains("does not fit into the frame of 160×120 pixels"), "{stderr}");
    assert!(!workshop.path("run").exists());
}

#[test]
fn a_board_does_so_too() {
    let workshop = workshop();
    let bundle = workshop.path("bundle");
    let mut teach = program("edge-runtime");
    teach.env("NOMINAL_HOME", workshop.path("home"));
    teach.args(["teach", "--size", "64", "--align", "off", "--teacher", TEACHER, "--check-product"]);
    teach.args(["--reference-patch", PATCH, "--from"]).arg(workshop.path("photos")).arg("--out").arg(&bundle);
    let (code, stdout, stderr) = run(&mut teach);
    assert_eq!(code, 0, "{stdout}{stderr}");
    check(&workshop, &bundle);
}

#[test]
fn a_method_without_a_map_cannot_tell_another_product() {
    let workshop = workshop();
    let mut train = workshop.trainer();
    train.args(["train", "--method", "mahalanobis", "--size", "64", "--teacher", TEACHER, "--data"]);
    succeed(train.arg(workshop.path("photos")).arg("--out").arg(workshop.path("run")));
    let bundle = workshop.path("bundle");
    let (code, _, stderr) = run(&mut workshop.export("run", &bundle, &["--check-product"]));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("no map that differs from place to place"), "{stderr}");
    assert!(!bundle.exists());
}
