//! Tests of `inspect`: exit codes, output lines, inputs, overlays, errors.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use judge::{Frame, Pixels};
use serde_json::Value;

use crate::support::{PLAIN, frame, jpeg, onnx, size, write_bundle, write_thresholds};
use crate::{Fixture, code, program, stderr, stdout};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_exit_code_tells_the_worst_verdict() {
    let fixture = Fixture::new();
    fixture.write_frame("good.png", 0);
    fixture.write_frame("bad.png", 200);
    fixture.write("broken.png", b"no pixels");
    for (paths, expected, summary) in [
        (&["good.png"][..], 0, "1 frame: 1 pass, 0 reject, 0 fault"),
        (&["good.png", "bad.png"], 10, "2 frames: 1 pass, 1 reject, 0 fault"),
        (&["broken.png", "bad.png", "good.png"], 11, "3 frames: 1 pass, 1 reject, 1 fault"),
    ] {
        let output = fixture.run("inspect", paths);
        assert_eq!(code(&output), expected, "{paths:?} {}", stderr(&output));
        assert_eq!(stderr(&output).trim(), summary);
        assert_eq!(stdout(&output).lines().count(), paths.len());
    }
}

#[test]
fn the_kernels_vectors_can_be_named() {
    let fixture = Fixture::new();
    fixture.write_frame("bad.png", 200);
    let inspect = |vectors: &str| {
        let mut command = program(fixture.folder.path());
        command.args(["inspect", "--bundle", "bundle", "bad.png"]).env(judge::VECTORS, vectors);
        command.output().unwrap()
    };
    assert_eq!(code(&inspect("portable")), 10);
    let refused = inspect("mmx");
    assert_eq!(code(&refused), 1);
    let told = stderr(&refused);
    assert!(told.contains("NOMINAL_VECTORS is `mmx`, but this processor has portable"), "{told}");
}

#[test]
fn a_json_line_has_every_field() {
    let fixture = Fixture::new();
    fixture.write_frame("bad.png", 200);
    fixture.write_frame("good.png", 0);
    let output = fixture.run("inspect", &["--json", "bad.png", "good.png", "--threads", "2"]);
    let lines = lines(&stdout(&output));
    let bad = &lines[0];
    assert_eq!(bad["path"], "bad.png");
    assert_eq!(bad["verdict"], "reject");
    assert_eq!(bad["threshold"], 0.5);
    assert!((bad["score"].as_f64().unwrap() - 200.0 / 255.0).abs() < 1e-6);
    let region = &bad["region"];
    let numbers = ["x", "y", "width", "height", "area"].map(|k| region[k].as_u64().unwrap());
    assert_eq!(numbers, [16, 24, 8, 8, 64]);
    assert!(region["peak"].as_f64().unwrap() > 0.7);
    assert_eq!(bad["fault"], Value::Null);
    let stages = ["decode", "prepare", "infer", "decide"].map(|k| bad["ms"][k].as_f64().unwrap());
    let total = bad["ms"]["total"].as_f64().unwrap();
    assert!((stages.iter().sum::<f64>() - total).abs() < 0.01 && total > 0.0);
    assert_eq!(lines[1]["region"], Value::Null);
    assert_eq!(bad.as_object().unwrap().len(), 7);
}

#[test]
fn text_lines_align_and_say_where() {
    let fixture = Fixture::new();
    fixture.write_frame("bad.png", 200);
    fixture.write_frame("good.png", 0);
    let text = stdout(&fixture.run("inspect", &["good.png", "bad.png"]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("pass  ") && lines[1].starts_with("reject"), "{text}");
    assert_eq!(lines[0].find("threshold"), lines[1].find("threshold"), "{text}");
    assert!(lines[1].contains("0.78431") && lines[1].ends_with("bad.png  region 8×8 at 16,24"), "{text}");
}

#[test]
fn what_cannot_be_judged_is_a_fault_line_and_the_rest_is_judged() {
    let fixture = Fixture::new();
    let whole = jpeg(64, 64, PLAIN);
    fixture.write("cut.jpg", &whole[..whole.len() / 2]);
    fixture.write("text.png", b"these are notes");
    for (name, width, height) in [("dot.png", 1, 1), ("strip.png", 20000, 50)] {
        let values = Pixels::Grey8(vec![0; (width * height) as usize]);
        fixture.write(name, &judge::encode_png(&Frame::new(size(width, height), values).unwrap()).unwrap());
    }
    fixture.write_frame("good.png", 0);
    let output =
        fixture.run("inspect", &["--json", "cut.jpg", "text.png", "dot.png", "strip.png", "good.png"]);
    assert_eq!(code(&output), 11);
    let lines = lines(&stdout(&output));
    for (line, words) in lines.iter().zip(["cut short", "not an image", "1×1", "20000 × 50"]) {
        assert_eq!(line["verdict"], "fault");
        assert_eq!(line["score"], Value::Null);
        assert!(line["fault"].as_str().unwrap().contains(words), "{line}");
    }
    assert_eq!(lines[4]["verdict"], "pass");
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn folders_and_patterns_are_searched_in_name_order_and_once() {
    let fixture = Fixture::new();
    for name in ["in/b.png", "in/a.PNG", "in/deep/c.png", "other/d1.png", "other/d2.png"] {
        fixture.write_frame(name, 0);
    }
    fixture.write("in/readme.txt", b"text");
    fixture.write("odd[1].png", &judge::encode_png(&frame(0)).unwrap());
    let paths = |arguments: &[&str]| -> Vec<String> {
        let output = fixture.run("inspect", &[&["--json"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        lines(&stdout(&output)).iter().map(|l| l["path"].as_str().unwrap().replace('\\', "/")).collect()
    };
    assert_eq!(paths(&["in"]), ["in/a.PNG", "in/b.png", "in/deep/c.png"]);
    assert_eq!(paths(&["other/d*.png"]), ["other/d1.png", "other/d2.png"]);
    assert_eq!(paths(&["other/d2.png", "other"]), ["other/d2.png", "other/d1.png"]);
    assert_eq!(paths(&["odd[1].png"]), ["odd[1].png"]);
}

#[test]
fn nothing_to_judge_is_an_error() {
    let fixture = Fixture::new();
    fixture.write("empty/readme.txt", b"text");
    for (path, words) in [("absent.png", "absent.png"), ("*.xyz", "*.xyz"), ("empty", "no images in empty")] {
        let output = fixture.run("inspect", &[path]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn overlays_are_pictures_with_a_name_each() {
    let fixture = Fixture::new();
    fixture.write_frame("a/x.png", 0);
    fixture.write_frame("b/x.png", 200);
    fixture.write("c/x.png", b"no pixels");
    let output = fixture.run("inspect", &["a", "b", "c", "--overlay", "out/pictures"]);
    assert_eq!(code(&output), 11, "{}", stderr(&output));
    let mut names: Vec<String> = std::fs::read_dir(fixture.path("out/pictures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["x-2.png", "x.png"]);
    for name in names {
        let picture = judge::decode_file(&fixture.path("out/pictures").join(name)).unwrap();
        assert_eq!(picture.size(), size(64, 64));
    }
}

#[test]
fn an_unusable_overlay_folder_is_an_error_before_the_first_frame() {
    let fixture = Fixture::new();
    fixture.write_frame("good.png", 0);
    fixture.write("taken", b"a file");
    for folder in ["taken", "taken/below"] {
        let output = fixture.run("inspect", &["good.png", "--overlay", folder]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains("cannot write overlays"), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn damaged_bundles_are_refused_with_a_reason() {
    let refused = |damage: fn(&Fixture), words: &[&str]| {
        let fixture = Fixture::new();
        fixture.write_frame("good.png", 0);
        damage(&fixture);
        let output = fixture.run("inspect", &["good.png"]);
        assert_eq!(code(&output), 1, "{words:?}");
        for word in words {
            assert!(stderr(&output).contains(word), "{words:?}: {}", stderr(&output));
        }
        assert!(output.stdout.is_empty());
    };
    refused(|b| std::fs::remove_dir_all(b.path("bundle")).unwrap(), &["bundle", "not a folder"]);
    refused(|b| std::fs::remove_file(b.path("bundle/model.onnx")).unwrap(), &["lacks", "model.onnx"]);
    refused(
        |b| b.write("bundle/model.onnx", &onnx(64, &["Abs"])),
        &["model.onnx", "not the model that model.threshold was made for"],
    );
    refused(
        |b| {
            let whole = std::fs::read(b.path("bundle/model.threshold")).unwrap();
            b.write("bundle/model.threshold", &whole[..whole.len() / 2]);
        },
        &["model.threshold", "cut short"],
    );
    refused(
        |b| {
            let mut file = write_bundle(&b.path("bundle"), &onnx(64, &[]), &[("normal.png", frame(0))]);
            file.golden[0].score += 0.5;
            write_thresholds(&b.path("bundle"), &file);
        },
        &["golden frame normal.png", "doctor"],
    );
    refused(|b| b.write("bundle/golden/normal.png", b"text"), &["golden frame", "normal.png"]);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let fixture = Fixture::new();
    for i in 0..300 {
        fixture.write_frame(&format!("in/{i}.png"), 0);
    }
    let mut child = program(fixture.folder.path())
        .args(["inspect", "--bundle", "bundle", "--json", "in"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'));
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output), "");
}
