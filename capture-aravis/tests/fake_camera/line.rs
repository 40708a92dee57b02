//! A whole line with the fake camera, which is killed and started again at random, as is the capture process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Capture, LONG, Process, camera, number, turn};

#[path = "../../../judge/tests/support/mod.rs"]
mod bundles;

/// The line's program, which a build of the workspace leaves beside this package's.
fn edge_runtime() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_capture-aravis")).with_file_name("edge-runtime");
    if program.is_file() {
        return Some(program);
    }
    eprintln!("skipped: {} is missing; build the whole workspace", program.display());
    None
}

struct Line {
    _process: Process,
    reports: Receiver<Value>,
}

impl Line {
    fn start(program: &Path, folder: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["run", "line.toml"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, reports) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { _process: Process(child), reports }
    }

    fn wait_for(&self, kept: &mut Vec<Value>, is_wanted: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        loop {
            let report = self.reports.recv_timeout(LONG).unwrap();
            let found = is_wanted(&report);
            kept.push(report);
            if found {
                return;
            }
            assert!(started.elapsed() < LONG, "{kept:?}");
        }
    }
}

fn is_judged(report: &Value) -> bool {
    report["verdict"] == "pass" || report["verdict"] == "reject"
}

#[test]
fn a_line_survives_its_camera_and_its_capture_process_and_lets_no_part_pass_unseen() {
    let Some(_turn) = turn() else { return };
    let Some(program) = edge_runtime() else { return };
    let mut capture = Capture::start();
    let folder = tempfile::tempdir().unwrap();
    bundles::write_usual_bundle(&folder.path().join("bundle"));
    let line_file = format!(
        r#"
        name = "test"
        stdout = true
        [[product]]
        name = "spot"
        bundle = "bundle"
        [camera]
        source = "process"
        socket = "{}"
        camera = {{ source = "aravis", id = "Aravis-Fake-NOMINAL", format = "grey", width = 128, height = 64, fps = 50 }}
        [trigger]
        kind = "interval"
        every_ms = 40
        [gate]
        delay_ms = 1000
        pulse_ms = 30
        "#,
        capture.socket().display()
    );
    std::fs::write(folder.path().join("line.toml"), line_file).unwrap();
    let mut running = Some(camera(0));
    let line = Line::start(&program, folder.path());
    let mut reports = vec![];
    line.wait_for(&mut reports, is_judged);
    for kill in 0..number("NOMINAL_ARAVIS_KILLS", 3) {
        std::thread::sleep(Duration::from_millis(kill * 7919 % 97));
        if kill % 3 == 1 {
            drop(running.take());
            std::thread::sleep(Duration::from_millis(kill * 331 % 500));
            running = Some(camera(0));
        } else {
            capture.restart();
        }
        line.wait_for(&mut reports, |report| !is_judged(report));
        line.wait_for(&mut reports, is_judged);
    }
    drop(running);
    let (mut judged, mut safe) = (0, 0);
    for report in &reports {
        assert!(report["disposition"] != "pass" || report["verdict"] == "pass", "{report}");
        if is_judged(report) {
            judged += 1;
            // By a frame of its own: captured after its trigger.
            let [captured, triggered] =
                ["capture_to_release", "trigger_to_release"].map(|stage| report["ms"][stage].as_f64());
            assert!(captured <= triggered && captured.is_some(), "{report}");
        } else {
            safe += 1;
            assert_eq!(report["disposition"], "reject", "{report}");
        }
    }
    let numbers: Vec<u64> = reports.iter().map(|report| report["part"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    println!("{judged} parts judged, {safe} on the safe side, none else");
}
