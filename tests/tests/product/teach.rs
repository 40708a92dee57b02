//! Tests `edge-runtime teach` as users run it: from a folder and from a line's camera.

use judge::encode_png;
use shared_format::{Arithmetic, Size, ThresholdFile, threshold_file::MAX_LEN};
use tests::images::{part, write_parts};
use tests::workshop::Workshop;
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 128 };

fn teach(workshop: &Workshop, extra: &[&str]) -> (i32, String, String) {
    let mut command = program("edge-runtime");
    command.env("NOMINAL_HOME", workshop.path("home")).current_dir(workshop.path(""));
    run(command
        .args(["teach", "--teacher", tests::workshop::TEACHER, "--size", "128", "--out", "taught"])
        .args(extra))
}

#[test]
fn good_parts_alone_make_a_bundle_that_judges() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    write_parts(&photos, SIZE, 20, false);
    for method in methods::METHODS.iter().map(|entry| entry.name) {
        let (code, stdout, stderr) = teach(&workshop, &["--from", "photos", "--method", method]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("20 normals, each scored by a model of the others: "), "{stdout}");
        assert!(!stderr.contains("looks unlike"), "{stderr}");
        for (seed, stain, expected) in [(300, false, 0), (301, true, 10)] {
            std::fs::write(workshop.path("new.png"), encode_png(&part(SIZE, seed, stain)).unwrap()).unwrap();
            let inspect = ["inspect", "--bundle", "taught", "new.png"];
            let (code, stdout, _) = run(program("edge-runtime").current_dir(workshop.path("")).args(inspect));
            assert_eq!(code, expected, "{method} {seed}: {stdout}");
        }
        let doctor = ["doctor", "--bundle", "taught"];
        let told = succeed(program("edge-runtime").current_dir(workshop.path("")).args(doctor));
        assert!(told.contains("an estimate by cross-fitting"), "{told}");
    }
}

#[test]
fn parts_of_the_line_are_added_to_those_of_an_earlier_lesson() {
    let workshop = Workshop::default();
    let line = "name = \"a\"\n[[product]]\nname = \"cap\"\nbundle = \"taught\"\n\
                [camera]\nsource = \"folder\"\npath = \"shots\"\nfps = 5\nrepeat = false\n\
                [trigger]\nkind = \"interval\"\nevery_ms = 20\n[gate]\ndelay_ms = 50\npulse_ms = 10\n";
    std::fs::write(workshop.path("line.toml"), line).unwrap();
    // Eight parts pass the camera, and eight others on another day.
    let shots = workshop.path("shots");
    let pass = |day: u64| {
        std::fs::create_dir_all(&shots).unwrap();
        for seed in 8 * day..8 * (day + 1) {
            let png = encode_png(&part(SIZE, seed, false)).unwrap();
            std::fs::write(shots.join(format!("{}.png", seed % 8)), png).unwrap();
        }
    };
    pass(0);
    let (code, stdout, stderr) = teach(&workshop, &["--line", "line.toml", "--parts", "6"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("6 normals, each scored by a model of the others"), "{stdout}");
    let before = std::fs::read(workshop.path("taught/model.onnx")).unwrap();
    // More parts than arrive: the bundle stays unchanged, and the parts that came are kept.
    pass(1);
    let (code, _, stderr) = teach(&workshop, &["--line", "line.toml", "--add", "20"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("fewer than 26 parts in"), "{stderr}");
    assert_eq!(std::fs::read(workshop.path("taught/model.onnx")).unwrap(), before);
    pass(2);
    let (code, stdout, stderr) = teach(&workshop, &["--line", "line.toml", "--add", "4"]);
    assert_eq!(code, 0, "{stderr}");
    // On a busy machine a picture may pass unseen.
    let known = (10..=14).find(|known| stderr.contains(&format!("{known} parts already in the folder")));
    let all = known.unwrap_or_else(|| panic!("{stderr}")) + 4;
    assert!(stdout.contains(&format!("{all} normals, each scored by a model of the others")), "{stdout}");
    assert_ne!(std::fs::read(workshop.path("taught/model.onnx")).unwrap(), before);
}

#[test]
fn a_lesson_that_replaces_a_bundle_of_16_bit_floats_says_so() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 12, false);
    let lesson = ["--from", "photos", "--method", "padim"];
    let says_so = |stderr: &str| stderr.contains("the previous bundle computed with 16-bit floats");
    let (code, _, stderr) = teach(&workshop, &lesson);
    assert!(code == 0 && !says_so(&stderr), "{stderr}");
    let file = workshop.path("taught").join(judge::THRESHOLD_FILE);
    let mut thresholds = ThresholdFile::decode(&std::fs::read(&file).unwrap()).unwrap();
    thresholds.arithmetic = Arithmetic::Half;
    let mut buffer = [0; MAX_LEN];
    std::fs::write(&file, thresholds.encode(&mut buffer).unwrap()).unwrap();
    for is_half in [true, false] {
        let (code, _, stderr) = teach(&workshop, &lesson);
        assert!(code == 0 && says_so(&stderr) == is_half, "{is_half}: {stderr}");
    }
}

#[test]
fn parts_that_teach_nothing_are_told() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("one"), SIZE, 1, false);
    let (code, _, stderr) = teach(&workshop, &["--from", "one"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("1 good part(s); at least 5"), "{stderr}");
    // Different images, but not in the judged region.
    let same = workshop.path("same");
    std::fs::create_dir_all(&same).unwrap();
    let judge::Pixels::Grey8(grey) = part(SIZE, 1, false).pixels().clone() else { unreachable!() };
    for copy in 0..6u8 {
        let mut grey = grey.clone();
        grey[0] = copy;
        let frame = judge::Frame::new(SIZE, judge::Pixels::Grey8(grey)).unwrap();
        std::fs::write(same.join(format!("{copy}.png")), encode_png(&frame).unwrap()).unwrap();
    }
    let (code, _, stderr) = teach(&workshop, &["--from", "same", "--roi", "8,8,144,112"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("parts show the same image"), "{stderr}");
    assert!(!workshop.path("taught").exists());
    // Parts of another product among the good ones.
    let mixed = workshop.path("mixed");
    write_parts(&mixed, SIZE, 16, false);
    for (name, level) in [("x1", 250u8), ("x2", 245)] {
        let pixels = (0..SIZE.width * SIZE.height).map(|i| level.wrapping_sub((i % 3) as u8)).collect();
        let frame = judge::Frame::new(SIZE, judge::Pixels::Grey8(pixels)).unwrap();
        std::fs::write(mixed.join(format!("{name}.png")), encode_png(&frame).unwrap()).unwrap();
    }
    let (code, _, stderr) = teach(&workshop, &["--from", "mixed"]);
    assert_eq!(code, 0, "{stderr}");
    for name in ["x1.png looks unlike", "x2.png looks unlike"] {
        assert!(stderr.contains(name), "{stderr}");
    }
    assert_eq!(stderr.matches("looks unlike").count(), 2, "{stderr}");
}

#[test]
fn the_examples_fit_a_bundle_and_judge_with_it() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 12, false);
    write_parts(&workshop.path("new"), SIZE, 2, true);
    let bundle = workshop.path("bundle");
    let mut fit = program("fit-bundle");
    fit.env("NOMINAL_HOME", workshop.path("home")).arg(tests::workshop::TEACHER);
    let printed = succeed(fit.arg(workshop.path("photos")).arg(&bundle));
    assert!(printed.starts_with("12 normals, each scored by a model of the others"), "{printed}");
    let printed = succeed(program("judge-folder").arg(&bundle).arg(workshop.path("new")));
    assert!(printed.ends_with("2 of 2 do not pass\n"), "{printed}");
}
