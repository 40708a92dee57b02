//! Tests of `doctor`: what it reports and when it fails.

use serde_json::Value;

use crate::line::line_file;
use crate::support::{frame, onnx, write_bundle, write_thresholds};
use crate::{Fixture, code, program, stderr, stdout};

#[test]
fn the_machine_alone_is_always_fine() {
    let output = program(&std::env::temp_dir()).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["system"]["cores"].as_u64().unwrap() >= 1);
    assert_eq!(report["bundle"], Value::Null);
}

#[test]
fn a_bundle_is_described_in_words() {
    let output = Fixture::new().run("doctor", &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    for words in [
        "tests 1, method brightest",
        "the whole frame as one piece of 64×64 in colour, not aligned; training frames had 64×64 to 100×100 pixels",
        "the threshold is not below the largest of 99 normal scores: on average at most 1.00 % of normal parts are rejected",
        "normal.png holds",
        "defective.png holds: score 0.78431",
        "all checks passed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn every_golden_frame_is_checked() {
    let fixture = Fixture::new();
    let golden = [("normal.png", frame(0)), ("defective.png", frame(200))];
    let mut file = write_bundle(&fixture.path("bundle"), &onnx(64, &[]), &golden);
    file.golden[1].score -= 0.1;
    write_thresholds(&fixture.path("bundle"), &file);
    let output = fixture.run("doctor", &["--json"]);
    assert_eq!(code(&output), 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["ok"], false);
    let within: Vec<bool> =
        report["bundle"]["golden"].as_array().unwrap().iter().map(|g| g["within"] == true).collect();
    assert_eq!(within, [true, false]);
    assert!(report["problems"][0].as_str().unwrap().contains("defective.png"));
    assert!(stdout(&fixture.run("doctor", &[])).contains("defective.png DIFFERS"));
}

#[test]
fn a_refused_bundle_is_a_problem_with_a_reason() {
    let fixture = Fixture::new();
    fixture.write("bundle/model.threshold", b"NMNL");
    let output = fixture.run("doctor", &[]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("problem") && text.contains("cut short") && text.contains("some checks failed"));
    std::fs::remove_dir_all(fixture.path("bundle")).unwrap();
    let report: Value = serde_json::from_str(&stdout(&fixture.run("doctor", &["--json"]))).unwrap();
    assert!(report["problems"][0].as_str().unwrap().contains("not a folder"), "{report}");
}

#[test]
fn a_bundle_without_golden_frames_proves_nothing() {
    let fixture = Fixture::new();
    write_bundle(&fixture.path("bundle"), &onnx(64, &[]), &[]);
    let output = fixture.run("doctor", &[]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("no golden frames"));
}

#[test]
fn a_lines_end_of_the_gateways_socket_is_checked() {
    let fixture = Fixture::new();
    fixture.write("line.toml", line_file("[socket]\npath = \"line.sock\"").as_bytes());
    std::fs::create_dir_all(fixture.path("frames")).unwrap();
    let run = |arguments: &[&str]| program(fixture.folder.path()).args(arguments).output().unwrap();
    for arguments in [&["doctor", "--line", "line.toml"][..], &["check", "line.toml"]] {
        let output = run(arguments);
        assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).contains("line.sock: can be made"), "{}", stdout(&output));
    }
    fixture.write("line.sock", b"not a socket");
    for arguments in [&["doctor", "--line", "line.toml"][..], &["check", "line.toml"]] {
        let output = run(arguments);
        let said = stdout(&output);
        assert!(code(&output) == 1 && said.contains("remove it, or correct the path"), "{said}");
    }
    let output = run(&["doctor", "--line", "nowhere.toml"]);
    assert!(code(&output) == 1 && stdout(&output).contains("edge-runtime init"), "{}", stdout(&output));
}
