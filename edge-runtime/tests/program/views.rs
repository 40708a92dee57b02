//! Tests of lines with several cameras for one part.

use std::time::Duration;

use serde_json::Value;

use crate::capture::{Line, is_emulated, is_judged, signal};
use crate::support::{write_thresholds, write_usual_bundle};
use crate::{Fixture, code, program, stderr, stdout};

/// Good parts from `[camera]` in `good`, and whatever `side` sees in `side`.
fn fixture(side_spots: &[u8], keys: &str) -> Fixture {
    let fixture = Fixture::new();
    for (index, spot) in [0u8, 3, 6, 9].into_iter().enumerate() {
        fixture.write_frame(&format!("good/{index}.png"), spot);
    }
    for (index, spot) in side_spots.iter().enumerate() {
        fixture.write_frame(&format!("side/{index}.png"), *spot);
    }
    fixture.write("line.toml", line_file(keys).as_bytes());
    fixture
}

fn line_file(keys: &str) -> String {
    format!(
        r#"
        name = "test"
        stdout = true
        {keys}
        [trigger]
        kind = "interval"
        every_ms = 100
        [gate]
        delay_ms = 1000
        pulse_ms = 30
        [records]
        folder = "records"
        passed_share = 0
        [health]
        state = "state"
        every_s = 1
        # A few pictures again and again.
        equal_frames = 0
        "#
    )
}

const PRODUCT: &str = "[[product]]\nname = \"spot\"\nbundle = \"bundle\"\n";
const CAMERA: &str = "[camera]\nsource = \"folder\"\npath = \"good\"\nfps = 50\n";
const SIDE: &str = "[[view]]\nname = \"side\"\ncamera = { source = \"folder\", path = \"side\", fps = 20 }\n";
const SIDE_IN_PROCESS: &str = "[[view]]\nname = \"side\"\ncamera = { source = \"process\", camera = { source = \"folder\", path = \"side\", fps = 50 } }\n";

/// Runs the line until `wanted` parts have a verdict of their own, and returns its reports.
fn reports(fixture: &Fixture, wanted: usize, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let line = Line::start(fixture);
    let mut reports = vec![];
    for _ in 0..wanted {
        line.wait_for(&mut reports, &is_wanted);
    }
    check(&reports);
    reports
}

/// Every part has one disposition, in order, and none passes without a verdict that says so.
fn check(reports: &[Value]) {
    let numbers: Vec<u64> = reports.iter().map(|report| report["part"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    for report in reports {
        assert!(report["disposition"] != "pass" || report["verdict"] == "pass", "{report}");
    }
}

fn judged(reports: &[Value]) -> impl Iterator<Item = &Value> {
    reports.iter().filter(|report| is_judged(report))
}

#[test]
fn any_view_rejects_a_part_and_is_named_in_report_record_and_status() {
    let fixture = fixture(&[250, 240, 230], &format!("{PRODUCT}{CAMERA}{SIDE}"));
    let reports = reports(&fixture, 12, is_judged);
    for report in judged(&reports) {
        assert_eq!((&report["verdict"], &report["view"]), (&"reject".into(), &"side".into()), "{report}");
        assert!(report["score"].as_f64() > report["threshold"].as_f64(), "{report}");
        let [captured, triggered] =
            ["capture_to_release", "trigger_to_release"].map(|stage| report["ms"][stage].as_f64());
        assert!(captured <= triggered && captured.is_some(), "{report}");
    }
    let records = fixture.records();
    let record = std::fs::read(records[0].join("record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!((&record["view"], &record["part_verdict"]), (&"side".into(), &"reject".into()));
    let listed =
        program(fixture.folder.path()).args(["review", "list", "--line", "line.toml"]).output().unwrap();
    assert!(stdout(&listed).contains("spot, view side"), "{}", stdout(&listed));
    let status: Value =
        serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap();
    let [main, side] = [0, 1].map(|index| &status["views"][index]);
    assert_eq!((&main["name"], &side["name"]), (&"main".into(), &"side".into()));
    assert_eq!(main["rejected"], 0, "{status}");
    assert!(
        side["rejected"].as_u64().unwrap() > 0 && side["frames"]["captured"].as_u64().unwrap() > 5,
        "{status}"
    );
}

#[test]
fn two_of_two_views_must_reject_and_one_alone_does_not() {
    let rule = "[votes]\nview_rule = \"at-least\"\nview_rejects = 2\n";
    let fixture = fixture(&[250, 240, 230], &format!("{rule}{PRODUCT}{CAMERA}{SIDE}"));
    let reports = reports(&fixture, 10, is_judged);
    for report in judged(&reports) {
        // The second of the two scores decides.
        assert_eq!((&report["verdict"], &report["view"]), (&"pass".into(), &"main".into()), "{report}");
    }
}

#[test]
fn a_view_is_judged_by_its_own_bundle() {
    let product = format!("{PRODUCT}views = {{ side = \"tolerant\" }}\n");
    let fixture = fixture(&[180, 170, 160], &format!("{product}{CAMERA}{SIDE}"));
    // The same model with a threshold that these spots don't reach.
    let mut thresholds = write_usual_bundle(&fixture.path("tolerant"));
    let usual = thresholds.image_threshold;
    thresholds.image_threshold = 0.9;
    write_thresholds(&fixture.path("tolerant"), &thresholds);
    let reports = reports(&fixture, 8, is_judged);
    for report in judged(&reports) {
        assert_eq!(report["verdict"], "pass", "{report}");
        let threshold = report["threshold"].as_f64().unwrap() as f32;
        assert_eq!(threshold, if report["view"] == "side" { 0.9 } else { usual }, "{report}");
    }
    let checked = program(fixture.folder.path()).args(["check", "line.toml"]).output().unwrap();
    assert_eq!(code(&checked), 0, "{}{}", stdout(&checked), stderr(&checked));
    assert!(stdout(&checked).contains("1 of 1 products with a bundle of its own"), "{}", stdout(&checked));
    std::fs::remove_file(fixture.path("tolerant/model.onnx")).unwrap();
    let checked = program(fixture.folder.path()).args(["check", "line.toml"]).output().unwrap();
    assert!(stdout(&checked).contains("problem   product spot side: "), "{}", stdout(&checked));
}

#[test]
fn a_view_that_hangs_or_dies_makes_faults_and_comes_back() {
    if is_emulated() {
        eprintln!("skipped: an emulated program can't start itself");
        return;
    }
    let fixture = fixture(&[0, 4, 8], &format!("{PRODUCT}{CAMERA}{SIDE_IN_PROCESS}"));
    let line = Line::start(&fixture);
    let mut reports = vec![];
    line.wait_for(&mut reports, is_judged);
    let mut last = 0;
    for (kill, with) in [libc::SIGKILL, libc::SIGSTOP, libc::SIGKILL].into_iter().enumerate() {
        std::thread::sleep(Duration::from_millis(kill as u64 * 37));
        last = line.next_capture_process(last);
        signal(last, with);
        line.wait_for(&mut reports, |report| report["verdict"] == "fault");
        line.wait_for(&mut reports, is_judged);
    }
    check(&reports);
    for report in reports.iter().filter(|report| report["verdict"] == "fault") {
        assert_eq!((&report["disposition"], &report["view"]), (&"reject".into(), &"side".into()), "{report}");
    }
}

#[test]
fn an_optional_view_that_hangs_or_dies_leaves_the_verdict_to_the_others() {
    if is_emulated() {
        eprintln!("skipped: an emulated program can't start itself");
        return;
    }
    // While it is there, it rejects.
    let fixture = fixture(&[250, 240, 230], &format!("{PRODUCT}{CAMERA}{SIDE_IN_PROCESS}optional = true\n"));
    let line = Line::start(&fixture);
    let mut reports = vec![];
    let by = |view: &'static str| move |report: &Value| report["view"] == view && is_judged(report);
    line.wait_for(&mut reports, by("side"));
    let mut last = 0;
    for with in [libc::SIGSTOP, libc::SIGKILL] {
        last = line.next_capture_process(last);
        signal(last, with);
        line.wait_for(&mut reports, by("main"));
        line.wait_for(&mut reports, by("side"));
    }
    check(&reports);
    for report in judged(&reports) {
        assert_eq!(report["verdict"] == "reject", report["view"] == "side", "{report}");
    }
    let status = std::fs::read(fixture.path("state/status.json")).unwrap();
    let status: Value = serde_json::from_slice(&status).unwrap();
    assert!(status["views"][1]["missing"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["views"][1]["faults"], 0, "{status}");
}

#[test]
fn a_frame_that_is_captured_too_late_is_not_the_parts() {
    // A frame every 77 ms, of which one in fifteen is captured in time.
    let side = SIDE.replace("fps = 20", "fps = 13");
    let late = format!("{PRODUCT}{CAMERA}{side}within_ms = 5\n");
    let fixture = fixture(&[0, 4, 8], &late);
    let reports = reports(&fixture, 20, |report| report["verdict"] == "fault");
    let faults = reports.iter().filter(|report| report["verdict"] == "fault");
    for report in faults.clone() {
        assert_eq!((&report["view"], &report["disposition"]), (&"side".into(), &"reject".into()), "{report}");
    }
    assert!(judged(&reports).count() < faults.count());
    let checked =
        program(fixture.folder.path()).args(["check", "--file-only", "line.toml"]).output().unwrap();
    let said = "view      side: a part's frame is captured 0 to 5 ms after the trigger; a part without one is a fault";
    assert!(stdout(&checked).contains(said), "{}", stdout(&checked));
}

#[test]
fn a_lost_main_camera_is_a_fault_whatever_the_others_see() {
    let camera = "[camera]\nsource = \"folder\"\npath = \"good\"\nfps = 50\nrepeat = false\n";
    let fixture = fixture(&[0, 4, 8], &format!("{PRODUCT}{camera}{SIDE}"));
    // Its four frames end after 80 ms; a part of every 100 ms keeps the line running.
    let line = Line::start(&fixture);
    let mut reports = vec![];
    for _ in 0..5 {
        line.wait_for(&mut reports, |report| report["verdict"] == "fault" && report["view"] == "main");
    }
    check(&reports);
}

#[test]
fn photos_are_taken_of_the_view_that_is_named() {
    let fixture = fixture(&[250, 210, 230], &format!("{PRODUCT}{CAMERA}{SIDE}"));
    let collect = |view: &str, out: &str| {
        let arguments = ["collect", "--line", "line.toml", "--parts", "2", "--out", out, "--view", view];
        program(fixture.folder.path()).args(arguments).output().unwrap()
    };
    let output = collect("side", "photos");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let photos: Vec<_> =
        std::fs::read_dir(fixture.path("photos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(photos.len(), 2, "{photos:?}");
    for photo in photos {
        let frame = judge::decode(&std::fs::read(photo).unwrap()).unwrap();
        assert!(frame.pixels().bytes().iter().max().is_some_and(|brightest| *brightest > 200));
    }
    let refused = collect("top", "photos");
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("no view \"top\"; give one of main, side"), "{}", stderr(&refused));
}
