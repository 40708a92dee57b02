//! Tests of a camera in a process of its own: killed, stopped, refused. `NOMINAL_CAPTURE_KILLS` is the number of kills.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::line::LONG;
use crate::{Fixture, code, program, stderr};

fn line_file(camera: &str) -> String {
    format!(
        r#"
        name = "test"
        stdout = true
        [[product]]
        name = "spot"
        bundle = "bundle"
        [camera]
        source = "process"
        {camera}
        [trigger]
        kind = "interval"
        every_ms = 40
        [gate]
        delay_ms = 1000
        pulse_ms = 30
        [health]
        state = "state"
        every_s = 1
        equal_frames = 0
        "#
    )
}

/// A line whose camera is a process, and what it reports.
pub struct Line {
    pub child: std::process::Child,
    reports: std::sync::mpsc::Receiver<(Instant, Value)>,
}

impl Line {
    pub fn start(fixture: &Fixture) -> Self {
        let mut command = program(fixture.folder.path());
        let mut child =
            command.args(["run", "line.toml"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, reports) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send((Instant::now(), serde_json::from_str(&line).unwrap()));
            }
        });
        Self { child, reports }
    }

    /// Returns the capture process, once the line has started it.
    pub fn capture_process(&self) -> i32 {
        let started = Instant::now();
        loop {
            for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                for pid in children.split_whitespace() {
                    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    if command.ends_with(b"\0capture\0") {
                        return pid.parse().unwrap();
                    }
                }
            }
            assert!(started.elapsed() < LONG, "the line has started no capture process");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the capture process that the line has started instead of `last`.
    pub fn next_capture_process(&self, last: i32) -> i32 {
        let started = Instant::now();
        loop {
            let process = self.capture_process();
            if process != last {
                return process;
            }
            assert!(started.elapsed() < LONG, "no new process is started");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a report that `wanted` accepts, keeping all.
    pub fn wait_for(&self, kept: &mut Vec<Value>, wanted: impl Fn(&Value) -> bool) -> Instant {
        let started = Instant::now();
        loop {
            let (at, report) = self.reports.recv_timeout(LONG).unwrap();
            let found = wanted(&report);
            kept.push(report);
            if found {
                return at;
            }
            assert!(started.elapsed() < LONG, "{kept:?}");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill has no memory to be wrong about; the process is a child of the line's.
    unsafe { libc::kill(pid, signal) };
}

pub fn is_emulated() -> bool {
    std::env::var_os("NOMINAL_EMULATOR").is_some()
}

pub fn is_judged(report: &Value) -> bool {
    report["verdict"] == "pass" || report["verdict"] == "reject"
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for (index, spot) in [0u8, 250, 3, 240, 6, 230].into_iter().enumerate() {
        fixture.write_frame(&format!("frames/{index}.png"), spot);
    }
    let camera = "camera = { source = \"folder\", path = \"frames\", fps = 50 }";
    fixture.write("line.toml", line_file(camera).as_bytes());
    fixture
}

#[test]
fn a_capture_process_that_is_killed_costs_parts_and_lets_none_pass_unseen() {
    if is_emulated() {
        eprintln!("skipped: an emulated program can't start itself");
        return;
    }
    let fixture = fixture();
    // What each picture scores.
    let output = fixture.run("inspect", &["frames", "--json"]);
    let scores: BTreeMap<String, bool> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|frame: Value| (frame["score"].to_string(), frame["verdict"] == "pass"))
        .collect();
    assert!(scores.values().any(|good| *good) && scores.values().any(|good| !good), "{scores:?}");
    let line = Line::start(&fixture);
    let mut reports = vec![];
    line.wait_for(&mut reports, is_judged);
    let kills: u64 = std::env::var("NOMINAL_CAPTURE_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let (mut last, mut back) = (0, [vec![], vec![]]);
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(kill * 7919 % 97));
        last = line.next_capture_process(last);
        // Every third one hangs and is killed by the line.
        let hangs = kill % 3 == 2;
        signal(last, if hangs { libc::SIGSTOP } else { libc::SIGKILL });
        let ended = Instant::now();
        line.wait_for(&mut reports, |report| !is_judged(report));
        let released = line.wait_for(&mut reports, is_judged);
        // From its end to the trigger of the first part that is judged again.
        let travel = reports.last().and_then(|report| report["ms"]["trigger_to_release"].as_f64()).unwrap();
        back[usize::from(hangs)].push((released - ended).as_secs_f64() - travel / 1e3);
    }
    for (times, what) in back.iter_mut().zip(["killed", "stopped"]).filter(|(times, _)| !times.is_empty()) {
        times.sort_unstable_by(f64::total_cmp);
        let (half, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{what}: parts are judged again after {half:.2} s, at the most {most:.2} s");
    }
    let (mut judged, mut faults) = (0, 0);
    // On a busy machine the gate itself may be late, and says so: that has nothing to do with the camera.
    for report in reports.iter().filter(|report| report["reason"] != "missed") {
        match scores.get(&report["score"].to_string()) {
            Some(good) if is_judged(report) => {
                judged += 1;
                // By a frame of its own, and not by one from before.
                let [captured, triggered] =
                    ["capture_to_release", "trigger_to_release"].map(|stage| report["ms"][stage].as_f64());
                assert!(captured <= triggered && captured.is_some(), "{report}");
                assert_eq!(report["verdict"] == "pass", *good, "{report}");
            }
            _ => {
                faults += 1;
                assert_eq!(report["disposition"], "reject", "{report}");
            }
        }
        assert!(report["disposition"] != "pass" || report["verdict"] == "pass", "{report}");
    }
    let numbers: Vec<u64> = reports.iter().map(|report| report["part"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    println!("{kills} kills: {judged} parts judged right, {faults} on the safe side, none else");
    assert!(faults >= kills);
}

#[test]
fn a_process_that_cannot_open_its_camera_says_so_and_is_gone_with_its_line() {
    if is_emulated() {
        eprintln!("skipped: an emulated program can't start itself");
        return;
    }
    let fixture = fixture();
    let camera = "camera = { source = \"folder\", path = \"nowhere\" }";
    fixture.write("line.toml", line_file(camera).as_bytes());
    let arguments = ["collect", "--line", "line.toml", "--parts", "1", "--out", "photos"];
    let output = program(fixture.folder.path()).args(arguments).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("nothing matches"), "{}", stderr(&output));

    let camera = "camera = { source = \"folder\", path = \"frames\" }\nsocket = \"none.sock\"";
    fixture.write("line.toml", line_file(camera).as_bytes());
    let output = program(fixture.folder.path()).args(arguments).output().unwrap();
    assert!(stderr(&output).contains("no capture process listens at"), "{}", stderr(&output));

    fixture.write("line.toml", line_file("camera = { source = \"folder\", path = \"frames\" }").as_bytes());
    let mut line = Line::start(&fixture);
    let process = line.capture_process();
    line.child.kill().unwrap();
    line.child.wait().unwrap();
    let started = Instant::now();
    while std::path::Path::new(&format!("/proc/{process}")).exists() {
        assert!(started.elapsed() < LONG, "the capture process outlives its line");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_process_that_listens_serves_one_line_after_the_other() {
    let fixture = fixture();
    let camera = "camera = { source = \"folder\", path = \"frames\", fps = 50 }\nsocket = \"camera.sock\"";
    fixture.write("line.toml", line_file(camera).as_bytes());
    let mut capture = program(fixture.folder.path())
        .args(["capture", "--socket", "camera.sock"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !fixture.path("camera.sock").exists() {
        assert!(started.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(5));
    }
    for round in 1..=2 {
        let arguments = ["collect", "--line", "line.toml", "--parts", &round.to_string(), "--out", "photos"];
        let output = program(fixture.folder.path()).args(arguments).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    capture.kill().unwrap();
    capture.wait().unwrap();
}

#[test]
fn what_is_no_line_is_told_so() {
    let fixture = Fixture::new();
    let output = program(fixture.folder.path()).arg("capture").stdin(Stdio::null()).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("give --socket"), "{}", stderr(&output));
}
