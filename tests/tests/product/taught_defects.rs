//! Tests known defects as users teach them: on the workstation, to a finished run, and on the board.

use std::path::Path;

use judge::{Bundle, Frame, Pixels, encode_png};
use shared_format::Size;
use tests::images::{part, write_parts};
use tests::workshop::{TEACHER, Workshop};
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 128 };

/// Writes good parts into `photos`, and six stained ones into `defects/stain`.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 20, false);
    write_parts(&workshop.path("defects/stain"), SIZE, 6, true);
    workshop
}

fn train(workshop: &Workshop, run: &str, extra: &[&str]) -> (i32, String, String) {
    let mut command = workshop.trainer();
    command.args(["train", "--teacher", TEACHER, "--size", "64", "--threads", "1", "--data"]);
    command.arg(workshop.path("photos")).arg("--out").arg(workshop.path(run)).current_dir(workshop.path(""));
    tests::run(command.args(extra))
}

fn inspect(workshop: &Workshop, bundle: &str, seed: u64, stain: bool) -> (i32, String) {
    std::fs::write(workshop.path("new.png"), encode_png(&part(SIZE, seed, stain)).unwrap()).unwrap();
    let inspect = ["inspect", "--json", "--bundle", bundle, "new.png"];
    let (code, stdout, _) = run(program("edge-runtime").current_dir(workshop.path("")).args(inspect));
    (code, stdout)
}

fn grey(path: &Path, size: Size, value: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let frame = Frame::new(size, Pixels::Grey8(vec![value; (size.width * size.height) as usize])).unwrap();
    std::fs::write(path, encode_png(&frame).unwrap()).unwrap();
}

#[test]
fn taught_defects_are_named_and_misses_are_bounded() {
    let workshop = workshop();
    assert_eq!(train(&workshop, "run", &[]).0, 0);
    let plain = workshop.path("plain");
    succeed(&mut workshop.export("run", &plain, &[]));
    let without = inspect(&workshop, "plain", 300, false).1;
    // Nothing was taught yet.
    let (code, _, stderr) =
        run(&mut workshop.export("run", &workshop.path("none"), &["--target-fnr", "0.001"]));
    assert!(code == 1 && stderr.contains("teach-defects"), "{stderr}");
    let mut teach = workshop.trainer();
    teach.arg("teach-defects").arg(workshop.path("run")).arg("--defects").arg(workshop.path("defects"));
    succeed(&mut teach);
    let told = succeed(&mut workshop.export("run", &workshop.path("taught"), &["--target-fnr", "0.001"]));
    assert!(
        told.contains("stain: 0 of 6 missed, so at most 39.3 % are missed with 95 % confidence"),
        "{told}"
    );
    assert!(told.contains("0.1 % takes 2995 without a miss"), "{told}");
    assert!(
        told.contains("the targets can't both be shown: for 1 % false alarms export with a lower"),
        "{told}"
    );
    let (code, json) = inspect(&workshop, "taught", 301, true);
    assert_eq!(code, 10, "{json}");
    assert!(json.contains(r#""defect":{"kind":"stain","likeness":"#), "{json}");
    let (code, json) = inspect(&workshop, "taught", 300, false);
    assert!(code == 0 && !json.contains("\"defect\":{"), "{json}");
    let doctor = ["doctor", "--bundle", "taught"];
    let told = succeed(program("edge-runtime").current_dir(workshop.path("")).args(doctor));
    assert!(told.contains("taught        stain: 0 of 6 missed"), "{told}");
    // So few defects don't choose between one limit and two, so there is one: on the larger of both scores.
    let thresholds = |bundle: &str| Bundle::open(&workshop.path(bundle)).unwrap().thresholds;
    assert_eq!((thresholds("plain").evidence.rank, thresholds("taught").evidence.rank), (1, 1));
    assert!(thresholds("taught").image_threshold >= thresholds("plain").image_threshold - 1e-4);
    assert!(thresholds("plain").defects.is_none());
    // Exported again without teaching: the same bytes.
    assert_eq!(train(&workshop, "again", &[]).0, 0);
    succeed(&mut workshop.export("again", &plain, &[]));
    let score = |json: &str| json.split("\"score\":").nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert_eq!(score(&inspect(&workshop, "plain", 300, false).1), score(&without));
}

#[test]
fn the_board_learns_them_too() {
    let workshop = workshop();
    let teach = |extra: &[&str]| {
        let mut command = program("edge-runtime");
        command.env("NOMINAL_HOME", workshop.path("home")).current_dir(workshop.path(""));
        let fixed = ["teach", "--from", "photos", "--teacher", TEACHER, "--size", "64", "--out", "taught"];
        run(command.args(fixed).args(extra))
    };
    for method in ["local-gaussians", "patchcore"] {
        let (code, stdout, stderr) = teach(&["--defects", "defects", "--method", method]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("defects to teach: stain (6)"), "{stderr}");
        assert!(stdout.contains("stain: 0 of 6 missed"), "{stdout}");
        let (code, json) = inspect(&workshop, "taught", 301, true);
        assert!(code == 10 && json.contains(r#""kind":"stain""#), "{method}: {json}");
    }
    let (code, _, stderr) = teach(&["--defects", "defects", "--method", "mahalanobis"]);
    assert!(code == 1 && stderr.contains("gives no map of distances"), "{stderr}");
    let (code, _, stderr) = teach(&["--target-fnr", "0.01"]);
    assert!(code == 2 && stderr.contains("--defects"), "{stderr}");
}

#[test]
fn what_cannot_be_taught_is_named() {
    let workshop = workshop();
    let refused = |run: &str, extra: &[&str]| {
        let (code, stdout, stderr) = train(&workshop, run, extra);
        assert_eq!(code, 1, "{stdout}{stderr}");
        stderr
    };
    let wrong = refused("a", &["--method", "stpm", "--steps", "2", "--defects", "defects"]);
    assert!(wrong.contains("stpm can't be taught defects"), "{wrong}");
    assert!(refused("b", &["--defects", "nowhere"]).contains("nowhere"));
    // A good part among the defects.
    let copy = workshop.path("contradiction/stain");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(workshop.path("photos/part-003.png"), copy.join("odd.png")).unwrap();
    let wrong = refused("c", &["--defects", "contradiction"]);
    assert!(wrong.contains("odd.png is the same picture as the good part"), "{wrong}");
    assert!(wrong.contains("part-003.png"), "{wrong}");
    // A mask of another size, and one that marks only what isn't judged.
    let mask = workshop.path("defects/ground_truth/stain/part-000_mask.png");
    grey(&mask, Size { width: 80, height: 64 }, 255);
    let wrong = refused("d", &["--defects", "defects"]);
    assert!(wrong.contains("use a mask of the image's size"), "{wrong}");
    std::fs::write(&mask, b"\x89PNG\r\n\x1a\n cut").unwrap();
    assert!(refused("e", &["--defects", "defects"]).contains("part-000_mask.png can't be read"));
    std::fs::remove_file(&mask).unwrap();
    // Damaged boxes, and a damaged image, which is skipped.
    let boxes = workshop.path("defects/stain/part-001.txt");
    std::fs::write(&boxes, "0 0.5 0.5 2 1").unwrap();
    assert!(refused("f", &["--defects", "defects"]).contains("part-001.txt, line 1"));
    std::fs::remove_file(&boxes).unwrap();
    std::fs::write(workshop.path("defects/stain/part-002.png"), b"no image").unwrap();
    // One defect of a kind is taught, with a warning.
    std::fs::create_dir_all(workshop.path("defects/dark")).unwrap();
    let dark = workshop.path("defects/dark/1.png");
    std::fs::write(&dark, encode_png(&part(SIZE, 4000, true)).unwrap()).unwrap();
    let (code, stdout, stderr) = train(&workshop, "one", &["--defects", "defects"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("only one image shows `dark`") && stderr.contains("part-002.png"), "{stderr}");
    // A defect that can't be told from good parts.
    let usual = encode_png(&part(SIZE, 4242, false)).unwrap();
    std::fs::write(&dark, usual).unwrap();
    let told = train(&workshop, "usual", &["--defects", "defects"]);
    assert_eq!(told.0, 0, "{}", told.2);
}
