//! Tests of `calibrate`: thresholds from folders of good parts.

use std::process::Output;

use shared_format::{Arithmetic, ThresholdFile};

use crate::support::{bottleneck_onnx, frame, write_bundle, write_thresholds};
use crate::{Fixture, code, program, stderr, stdout};

const LINE: &str = r#"
name = "line 1"
[[product]]
name = "lid"
bundle = "nowhere"
[[product]]
name = "cap"
bundle = "bundle"
[camera]
source = "pattern"
width = 64
height = 64
[trigger]
kind = "interval"
every_ms = 100
[gate]
delay_ms = 50
pulse_ms = 10
"#;

impl Fixture {
    fn calibrate(&self, arguments: &[&str]) -> Output {
        let arguments = [&["calibrate", "--line", "line.toml", "--product", "cap"], arguments].concat();
        program(self.folder.path()).args(arguments).output().unwrap()
    }

    pub fn thresholds(&self) -> ThresholdFile {
        ThresholdFile::decode(&std::fs::read(self.path("bundle/model.threshold")).unwrap()).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A limit for other products is taken anew from the same parts as the threshold, if the bundle has one.
#[test]
fn a_limit_for_other_products_is_calibrated_too() {
    let fixture = fixture("");
    (20..50).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let calibrate = || {
        let output = fixture.calibrate(&["--from", "good", "--target-fpr", "0.1"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        fixture.thresholds().product_limit
    };
    assert_eq!(calibrate(), None);
    let file = ThresholdFile { product_limit: Some(0.9), ..fixture.thresholds() };
    write_thresholds(&fixture.path("bundle"), &file);
    // All frames have 10 of 255 everywhere but in the spot: twice that.
    assert!(calibrate().is_some_and(|limit| near(limit, score(20))));
}

fn fixture(votes: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("line.toml", format!("{LINE}{votes}").as_bytes());
    fixture
}

fn score(spot: u8) -> f32 {
    f32::from(spot) / 255.0
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn a_folder_of_images_gives_the_threshold_that_it_can_claim() {
    let fixture = fixture("");
    (20..50).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let old = std::fs::read(fixture.path("bundle/model.threshold")).unwrap();
    let (before, model) = (fixture.thresholds(), std::fs::read(fixture.path("bundle/model.onnx")).unwrap());
    let output = fixture.calibrate(&["--from", "good", "--target-fpr", "0.1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.starts_with("cap: 30 judged, 0 skipped\n30 normals: at most 9.68 % false alarms on average")
    );
    assert!(
        text.contains("before    0.50000") && text.contains("model.threshold.old-1; a running line"),
        "{text}"
    );
    let after = fixture.thresholds();
    assert!(near(after.image_threshold, score(47)), "{after:?}");
    assert_eq!((after.evidence.normals, after.evidence.rank), (30, 3));
    assert!(near(after.evidence.scores.max, score(49)) && after.pixel_threshold < 0.2);
    // Everything else is unchanged.
    assert_eq!((&after.golden, after.score_tolerance), (&before.golden, before.score_tolerance));
    assert_eq!((after.recipe, after.model_sha256), (before.recipe, before.model_sha256));
    assert_eq!(std::fs::read(fixture.path("bundle/model.onnx")).unwrap(), model);
    assert_eq!(std::fs::read(fixture.path("bundle/model.threshold.old-1")).unwrap(), old);
    for (spot, expected) in [(47, 0), (48, 10)] {
        fixture.write_frame("new.png", spot);
        assert_eq!(code(&fixture.run("inspect", &["new.png"])), expected);
    }
    // Too few parts for the target, and a second old file.
    let output = fixture.calibrate(&["--from", "good", "--parts", "7"]);
    let text = stdout(&output);
    assert!(text.contains("7 normals: ") && text.contains("the threshold is its largest score"), "{text}");
    assert!(near(fixture.thresholds().image_threshold, score(26)));
    let expected =
        ["golden", "model.onnx", "model.threshold", "model.threshold.old-1", "model.threshold.old-2"];
    assert_eq!(fixture.names("bundle"), expected);
}

/// Returns the warnings, except that these drawn parts look alike.
fn warnings(output: &Output) -> String {
    let said = stderr(output);
    let others = said.lines().filter(|line| !line.contains(" looks like ") && !line.contains(" look like "));
    others.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_arithmetic_changes_with_its_own_thresholds() {
    let fixture = fixture("");
    let golden = [("normal.png", frame(0)), ("defective.png", frame(200))];
    write_bundle(&fixture.path("bundle"), &bottleneck_onnx(64), &golden);
    (20..50).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let calibrate = |floats: &[&str]| {
        let arguments = [&["--from", "good", "--target-fpr", "0.1"], floats].concat();
        let output = fixture.calibrate(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        (fixture.thresholds(), warnings(&output))
    };
    let (single, words) = calibrate(&[]);
    assert_eq!((single.arithmetic, words.as_str()), (Arithmetic::Single, ""));
    let (half, words) = calibrate(&["--arithmetic", "f16"]);
    assert!(
        words.contains("ms with 16-bit floats") && words.contains("16-bit floats from now on"),
        "{words}"
    );
    assert_eq!(half.arithmetic, Arithmetic::Half);
    // Every threshold and score comes from the other arithmetic: close to those before, but not equal.
    let differ = |a: f32, b: f32| a != b && (a - b).abs() < 5e-3 * a.abs();
    assert!(differ(single.image_threshold, half.image_threshold), "{single:?} {half:?}");
    for (single, half) in single.golden.iter().zip(&half.golden) {
        assert!(differ(single.score, half.score), "{single:?} {half:?}");
    }
    // The bundle is judged with 16-bit floats from now on.
    let output = fixture.run("doctor", &[]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("16-bit floats"), "{}", stdout(&output));
    let output = fixture.run("inspect", &["good/48.png"]);
    assert_eq!(code(&output), 10, "{}", stderr(&output));
    let is_slow = stdout(&fixture.run("doctor", &[])).contains("judges slowly");
    assert_eq!(stderr(&output).contains("calibrate --arithmetic f32"), is_slow, "{}", stderr(&output));
    let output = fixture.run("inspect", &["good/48.png", "--engine", "plain"]);
    assert_eq!((code(&output), stderr(&output).contains("omit --engine plain")), (1, true));
    // Calibrating without --arithmetic keeps it.
    assert_eq!(calibrate(&[]).0, half);
    let (back, _) = calibrate(&["--arithmetic", "f32"]);
    assert_eq!(back, single);
    // `auto` takes the faster one on this machine; 16-bit floats that would have to be emulated aren't even tried.
    let (faster, words) = calibrate(&["--arithmetic", "auto"]);
    assert!([&half, &back].contains(&&faster), "{faster:?}");
    assert!((faster == back && words.is_empty()) || words.contains("from now on"), "{words}");
}

#[test]
fn a_model_without_bottlenecks_has_one_arithmetic() {
    let fixture = fixture("");
    fixture.write_frame("good/1.png", 20);
    let old = fixture.thresholds();
    let output = fixture.calibrate(&["--from", "good", "--arithmetic", "f16"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("nothing in this model is computed with 16-bit floats"));
    assert_eq!(fixture.thresholds(), old);
    let output = fixture.calibrate(&["--from", "good", "--arithmetic", "auto"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(fixture.thresholds().arithmetic, Arithmetic::Single);
}

#[test]
fn a_bad_part_among_the_good_ones_is_pointed_at() {
    let fixture = fixture("");
    (20..27).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let output = fixture.calibrate(&["--from", "good"]);
    assert!(stdout(&output).contains("highest of the normals: 26.png"), "{}", stdout(&output));
    assert_eq!(warnings(&output), "");
    fixture.write_frame("good/scratched.png", 200);
    let output = fixture.calibrate(&["--from", "good"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("highest of the normals: scratched.png"), "{}", stdout(&output));
    let warning = stderr(&output);
    assert!(
        warning.contains("scratched.png alone sets the threshold") && warning.contains("calibrate again")
    );
}

#[test]
fn an_estimate_is_not_decided_by_one_part() {
    let fixture = fixture("");
    (20..50).chain([200]).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let calibrated = |rule: &str| {
        let output = fixture.calibrate(&["--from", "good", "--target-fpr", "0.05", "--threshold", rule]);
        (code(&output), stdout(&output), stderr(&output), fixture.thresholds())
    };
    let (_, _, warning, claim) = calibrated("claim");
    assert!(near(claim.image_threshold, score(200)), "{}", claim.image_threshold);
    assert!(warning.contains("--threshold estimate"), "{warning}");
    let (code, told, warning, estimate) = calibrated("estimate");
    assert_eq!(code, 0);
    assert!(warning.contains("1 of 31 photos score unlike the others"), "{warning}");
    assert!(!warning.contains("alone sets the threshold"), "{warning}");
    assert!((score(50)..score(60)).contains(&estimate.image_threshold), "{}", estimate.image_threshold);
    // Its claim is that of the next lower score.
    assert_eq!(estimate.evidence.rank, 2);
    assert!(
        told.contains("for 5 % false alarms; without that estimate they support 6.25 % on average"),
        "{told}"
    );
    assert!(!told.contains("its largest score"), "{told}");
    let (code, _, refusal, kept) = calibrated("guess");
    assert_eq!((code, kept), (2, estimate));
    assert!(refusal.contains("write auto, claim or estimate"), "{refusal}");
}

#[test]
fn of_several_frames_the_one_that_decides_counts() {
    let fixture = fixture("[votes]\nframes = 3\nrule = \"at-least\"\nrejects = 2\n");
    for part in 0..9_u8 {
        for (name, spot) in [("a", 40 + part), ("b", 20 + part), ("c", 80 + part)] {
            fixture.write_frame(&format!("good/{part}/{name}.png"), spot);
        }
    }
    // Named as by `collect`.
    for (frame, spot) in [(1, 30), (2, 90), (3, 31)] {
        fixture.write_frame(&format!("good/part-00001-{frame}.png"), spot);
    }
    fixture.write_frame("good/two/a.png", 200);
    fixture.write_frame("good/two/b.png", 201);
    fixture.write_frame("good/single.png", 202);
    let output = fixture.calibrate(&["--from", "good", "--target-fpr", "0.1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("cap: 10 judged, 2 skipped\n"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("single.png: it has 1 frame(s); votes.frames = 3"),
        "{}",
        stderr(&output)
    );
    // The second largest of each part's three scores.
    assert!(near(fixture.thresholds().image_threshold, score(48)));
}

#[test]
fn what_can_not_be_used_is_listed_and_skipped_and_nothing_left_is_an_error() {
    let fixture = fixture("");
    fixture.write("bad/text.png", b"these are notes");
    fixture.write("bad/cut.png", &judge::encode_png(&frame(9)).unwrap()[..60]);
    fixture.write("bad/notes.txt", b"notes");
    std::fs::create_dir(fixture.path("bad/empty")).unwrap();
    let old = fixture.thresholds();
    let output = fixture.calibrate(&["--from", "bad"]);
    assert_eq!(code(&output), 1);
    for words in [
        "text.png: this is not an image",
        "cut short",
        "1 folder without images (empty)",
        "(notes.txt)",
        "no part can be used",
    ] {
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    fixture.write_frame("bad/one.png", 30);
    fixture.write_frame("bad/one copy.png", 30);
    std::fs::create_dir(fixture.path("none")).unwrap();
    for (arguments, words) in [
        (&["--from", "none"][..], "no parts in none"),
        (&["--from", "absent"], "cannot read the folder absent"),
        (&["--from", "bad", "--target-fpr", "1"], "is not between 0 and 1"),
        (&["--from", "bad", "--target-fpr", "nan"], "is not between 0 and 1"),
    ] {
        let output = fixture.calibrate(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let given = |product: &str| {
        let arguments = ["calibrate", "--line", "line.toml", "--from", "bad", "--product", product];
        program(fixture.folder.path()).args(arguments).output().unwrap()
    };
    assert!(stderr(&given("box")).contains("no such product; give one of lid, cap"));
    assert!(stderr(&given("lid")).contains("nowhere"));
    assert_eq!((fixture.thresholds(), fixture.names("bundle").len()), (old, 3));
    let output = fixture.calibrate(&["--from", "bad"]);
    assert!(stdout(&output).starts_with("cap: 1 judged, 3 skipped"), "{}", stdout(&output));
    assert!(stderr(&output).contains("the same picture as"), "{}", stderr(&output));
}

#[test]
fn a_full_disk_leaves_the_bundle_as_it_was() {
    let fixture = fixture("");
    (20..25).for_each(|spot| fixture.write_frame(&format!("good/{spot}.png"), spot));
    let disk = fixture.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
    if !std::process::Command::new("mount").args(mount).arg(&disk).status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    }
    let copied = std::process::Command::new("cp")
        .args(["-r", "bundle/."])
        .arg(disk.join("bundle"))
        .current_dir(fixture.folder.path())
        .status()
        .unwrap();
    std::fs::write(disk.join("theirs"), vec![0; 2 << 20]).unwrap_err();
    fixture.write("line.toml", LINE.replace("\"bundle\"", "\"disk/bundle\"").as_bytes());
    let (before, listed) =
        (std::fs::read(disk.join("bundle/model.threshold")).unwrap(), fixture.names("disk/bundle"));
    let output = fixture.calibrate(&["--from", "good"]);
    let (after, left) =
        (std::fs::read(disk.join("bundle/model.threshold")).unwrap(), fixture.names("disk/bundle"));
    let unmounted = std::process::Command::new("umount").arg(&disk).status().unwrap();
    assert!(copied.success() && unmounted.success());
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    assert!(stderr(&output).contains("check free space"), "{}", stderr(&output));
    assert_eq!((before, listed), (after, left));
}

#[test]
fn the_lines_own_camera_gives_the_parts_where_no_folder_is_named() {
    let fixture = fixture("");
    let camera = "source = \"folder\"\npath = \"belt\"\nfps = 20\nrepeat = false";
    let line = LINE
        .replace("source = \"pattern\"\nwidth = 64\nheight = 64", camera)
        .replace("kind = \"interval\"\nevery_ms = 100", "kind = \"frame\"");
    fixture.write("line.toml", line.as_bytes());
    (20..40).for_each(|spot| fixture.write_frame(&format!("belt/{spot}.png"), spot));
    let output = fixture.calibrate(&["--target-fpr", "0.1", "--parts", "19"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("cap: 19 judged, 0 skipped\n"), "{}", stdout(&output));
    assert_eq!(fixture.thresholds().evidence.normals, 19);
    assert!(near(fixture.thresholds().image_threshold, score(37)));
}
