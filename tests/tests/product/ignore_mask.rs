//! A label that isn't judged: from the painted mask to the verdict, with the programs that users run.

use std::path::Path;

use judge::{Frame, Pixels, encode_png};
use shared_format::Size;
use tests::images::{part, write_parts};
use tests::workshop::Workshop;
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 120 };

/// Returns whether a pixel belongs to the label, which is different on each part.
fn is_label(x: usize, y: usize) -> bool {
    (80..130).contains(&x) && (20..60).contains(&y)
}

/// Returns a good part with a label, and with a bar below the label if `scratched`. Equal seeds give parts that differ in nothing else.
fn labelled(seed: u64, label: u64, scratched: bool) -> Frame {
    let picture = part(SIZE, seed, false);
    let Pixels::Grey8(mut values) = picture.pixels().clone() else { panic!("{picture:?}") };
    for (at, pixel) in values.iter_mut().enumerate() {
        let (x, y) = (at % SIZE.width as usize, at / SIZE.width as usize);
        if is_label(x, y) {
            *pixel = ((x as u64 * 37 + y as u64 * 101 + label * 89) * label % 251) as u8;
        } else if scratched && (85..125).contains(&x) && (80..88).contains(&y) {
            *pixel = 255 - *pixel;
        }
    }
    Frame::new(SIZE, Pixels::Grey8(values)).unwrap()
}

fn write(path: &Path, frame: &Frame) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, encode_png(frame).unwrap()).unwrap();
}

/// Returns a workshop with thirty labelled parts to learn from and three to judge: two that differ only in their labels, and a scratched one.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    (0..30).for_each(|n| write(&workshop.path(&format!("photos/{n}.png")), &labelled(n, n + 1, false)));
    let test = [("a", 50, 7, false), ("b", 50, 200, false), ("scratched", 50, 7, true)];
    test.into_iter().for_each(|(name, seed, label, scratched)| {
        write(&workshop.path(&format!("test/{name}.png")), &labelled(seed, label, scratched));
    });
    let level =
        |at: usize| if is_label(at % SIZE.width as usize, at / SIZE.width as usize) { 0 } else { 255 };
    let mask = (0..SIZE.width as usize * SIZE.height as usize).map(level).collect();
    write(&workshop.path("mask.png"), &Frame::new(SIZE, Pixels::Grey8(mask)).unwrap());
    workshop
}

/// Checks that the two parts that differ in their labels get exactly the same score, and the scratched one a higher score.
fn check(workshop: &Workshop, bundle: &Path) {
    let mut inspect = program("edge-runtime");
    inspect.args(["inspect", "--json", "--bundle"]).arg(bundle);
    inspect.args(["a", "b", "scratched"].map(|name| workshop.path(&format!("test/{name}.png"))));
    let (_, stdout, stderr) = run(&mut inspect);
    let scores: Vec<f64> = stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["score"].as_f64().expect(line))
        .collect();
    let &[a, b, scratched] = &scores[..] else { panic!("{stdout}{stderr}") };
    assert_eq!(a, b);
    assert!(scratched > a, "{scratched} {a}");
    let (_, doctor, _) = run(program("edge-runtime").args(["doctor", "--bundle"]).arg(bundle));
    assert!(doctor.contains("% of it ignored"), "{doctor}");
}

#[test]
fn fitted_and_trained_models_ignore_what_is_painted_black() {
    let workshop = workshop();
    for method in ["local-gaussians", "stpm"] {
        let mask = workshop.path("mask.png");
        let mut train =
            workshop.train(&workshop.path("photos"), method, &["--method", method, "--align", "off"]);
        if method != "stpm" {
            train = workshop.trainer();
            train.args([
                "train",
                "--threads",
                "1",
                "--size",
                "64",
                "--align",
                "off",
                "--teacher",
                "random",
                "--data",
            ]);
            train.arg(workshop.path("photos")).arg("--out").arg(workshop.path(method));
        }
        let (code, _, stderr) = run(train.arg("--mask").arg(&mask));
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("ignored: 1"), "an eighth is black, and some more is lost: {stderr}");
        let bundle = workshop.path("bundle");
        succeed(&mut workshop.export(method, &bundle, &["--target-fpr", "0.2"]));
        check(&workshop, &bundle);
    }
}

#[test]
fn a_board_ignores_it_too() {
    let workshop = workshop();
    let bundle = workshop.path("bundle");
    let mut teach = program("edge-runtime");
    teach.env("NOMINAL_HOME", workshop.path("home"));
    teach.args(["teach", "--size", "64", "--teacher", tests::workshop::TEACHER]);
    teach.arg("--from").arg(workshop.path("photos")).arg("--out").arg(&bundle);
    let (code, stdout, stderr) = run(teach.arg("--mask").arg(workshop.path("mask.png")));
    assert_eq!(code, 0, "{stdout}{stderr}");
    check(&workshop, &bundle);
}

#[test]
fn a_mask_that_does_not_fit_is_refused_before_anything_is_learned() {
    let workshop = workshop();
    write_parts(&workshop.path("others"), Size { width: 90, height: 90 }, 30, false);
    let mut train = workshop.train(&workshop.path("others"), "run", &[]);
    let (code, _, stderr) = run(train.arg("--mask").arg(workshop.path("mask.png")));
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("has 160×120 pixels, but the photos have 90×90 to 90×90; paint it over"),
        "{stderr}"
    );
    assert!(!workshop.path("run").exists());
}
