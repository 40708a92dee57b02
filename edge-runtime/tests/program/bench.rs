//! Tests of `bench`: figures and errors.

use serde_json::Value;

use crate::support::{onnx, write_bundle};
use crate::{Fixture, code, stderr, stdout};

#[test]
fn figures_come_by_stage_and_percentile() {
    let fixture = Fixture::new();
    let output = fixture.run("bench", &["--json", "--frames", "7", "--threads", "2"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((report["frames"].as_u64(), report["threads"].as_u64()), (Some(7), Some(2)));
    assert!(report["load_ms"].as_f64().unwrap() > 0.0);
    for stage in ["decode", "prepare", "infer", "decide", "total"] {
        let of = |p: &str| report["ms"][stage][p].as_f64().unwrap();
        assert!(of("p50") <= of("p95") && of("p95") <= of("p99") && of("p99") <= of("max"), "{stage}");
    }
    assert!(report["ms"]["infer"]["p50"].as_f64().unwrap() > 0.0);
    if cfg!(target_os = "linux") {
        assert!(report["peak_rss_mib"].as_f64().unwrap() > 1.0);
    }
}

#[test]
fn operations_are_explained() {
    let fixture = Fixture::new();
    let output = fixture.run("bench", &["--json", "--frames", "1", "--explain", "--engine", "plain"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let operations = report["operations"].as_array().unwrap();
    assert!(!operations.is_empty());
    assert!(operations.iter().all(|o| o["ms"].as_f64().unwrap() >= 0.0 && o["replaces"] == 0));
    let text = stdout(&fixture.run("bench", &["--frames", "1", "--explain"]));
    assert!(text.contains("of the model's nodes; median times on one thread:"), "{text}");
}

#[test]
fn a_table_names_the_stages() {
    let text = stdout(&Fixture::new().run("bench", &["--frames", "1"]));
    for word in ["p50", "p99", "decode", "infer", "total", "1 frames, 1 thread, loaded in"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn without_a_frame_to_judge_there_is_nothing_to_measure() {
    let fixture = Fixture::new();
    write_bundle(&fixture.path("bundle"), &onnx(64, &[]), &[]);
    let output = fixture.run("bench", &[]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("--image"), "{}", stderr(&output));
    fixture.write_frame("good.png", 0);
    assert_eq!(code(&fixture.run("bench", &["--image", "good.png", "--frames", "2"])), 0);
    fixture.write("text.png", b"text");
    let output = fixture.run("bench", &["--image", "text.png"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("text.png cannot be judged"), "{}", stderr(&output));
}
