//! Tests of `edge-runtime run` as a line's supervisor and peers see it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use edge_runtime::health::CounterFile;
use judge::{Frame, Pixels, encode_png};
use serde_json::Value;
use shared_format::ThresholdFile;

use crate::support::{size, write_thresholds};
use crate::{Fixture, code, program, stderr, stdout};

pub const LONG: Duration = Duration::from_secs(30);

/// A line file that makes every image in `frames/` a part, followed by `extra`.
pub fn line_file(extra: &str) -> String {
    format!(
        r#"
        name = "test"
        stdout = true
        [[product]]
        name = "spot"
        bundle = "bundle"
        [camera]
        source = "folder"
        path = "frames"
        fps = 25
        repeat = false
        [trigger]
        kind = "frame"
        [gate]
        delay_ms = 500
        pulse_ms = 25
        [health]
        state = "state"
        every_s = 1
        {extra}
        "#
    )
}

/// A line file whose frames, however few, come again and again.
pub fn repeating(extra: &str) -> String {
    line_file(extra)
        .replace("repeat = false", "repeat = true")
        .replace("every_s = 1", "every_s = 1\nequal_frames = 0")
}

pub fn fixture(extra: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("line.toml", line_file(extra).as_bytes());
    fixture
}

pub fn parts(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn run(fixture: &Fixture) -> Output {
    program(fixture.folder.path()).args(["run", "line.toml"]).output().unwrap()
}

#[test]
fn every_part_is_disposed_of_by_its_own_frame_in_order() {
    let fixture = fixture("");
    for (index, spot) in [0u8, 250, 1, 2, 251, 252, 3, 253].into_iter().enumerate() {
        fixture.write_frame(&format!("frames/{index}.png"), spot);
    }
    fixture.write("frames/8.png", b"\x89PNG\r\n\x1a\n cut");
    let output = run(&fixture);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let parts = parts(&output);
    let seen: Vec<_> = parts
        .iter()
        .map(|p| {
            (p["part"].as_u64().unwrap(), p["verdict"].as_str().unwrap(), p["disposition"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, "pass", "pass"),
            (2, "reject", "reject"),
            (3, "pass", "pass"),
            (4, "pass", "pass"),
            (5, "reject", "reject"),
            (6, "reject", "reject"),
            (7, "pass", "pass"),
            (8, "reject", "reject"),
            (9, "fault", "reject"),
        ]
    );
    assert!(parts.iter().all(|p| p["product"] == "spot" && p["run"] == 1));
    let status: Value =
        serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap();
    assert_eq!(status["counters"]["gate"]["triggered"], 9, "{status}");
    assert_eq!(status["counters"]["gate"]["passed"], 4);
    assert_eq!(status["counters"]["gate"]["faults"], 1);
    assert_eq!(status["alarms"]["not_ready"], true);

    // The next run continues the counters and has a new run number.
    let parts = self::parts(&run(&fixture));
    assert_eq!((parts.len(), &parts[0]["part"], &parts[0]["run"]), (9, &1.into(), &2.into()));
    let status: Value =
        serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap();
    assert_eq!(status["counters"]["gate"]["triggered"], 18);
}

#[test]
fn another_product_is_a_fault_that_is_named_and_counted() {
    let fixture = fixture("");
    let file = ThresholdFile { product_limit: Some(0.5), ..fixture.thresholds() };
    write_thresholds(&fixture.path("bundle"), &file);
    let other = Frame::new(size(64, 64), Pixels::Grey8(vec![200; 64 * 64])).unwrap();
    fixture.write_frame("frames/0.png", 0);
    fixture.write("frames/1.png", &encode_png(&other).unwrap());
    fixture.write_frame("frames/2.png", 250);
    fixture.write("frames/3.png", b"no picture");
    let output = run(&fixture);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let parts = parts(&output);
    let reasons: Vec<_> = parts.iter().map(|part| part["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["verdict", "other_product", "verdict", "fault"]);
    assert_eq!((&parts[1]["verdict"], &parts[1]["disposition"]), (&"fault".into(), &"reject".into()));
    assert!(stderr(&output).contains("part 2: another product?"), "{}", stderr(&output));
    let status: Value =
        serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap();
    let gate = &status["counters"]["gate"];
    assert_eq!((&gate["faults"], &gate["other_products"]), (&2.into(), &1.into()));
}

#[test]
fn rejected_frames_are_kept_whole_with_their_evidence() {
    let fixture = fixture("[records]\nfolder = \"records\"");
    for (index, spot) in [0u8, 250, 1].into_iter().enumerate() {
        fixture.write_frame(&format!("frames/{index}.png"), spot);
    }
    assert_eq!(code(&run(&fixture)), 0);
    let records = fixture.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    let json: Value = serde_json::from_slice(&std::fs::read(record.join("record.json")).unwrap()).unwrap();
    assert_eq!((&json["part"], &json["verdict"]), (&2.into(), &"reject".into()), "{json}");
    let overlay = judge::decode_file(&record.join("overlay.png")).unwrap();
    assert_eq!(overlay.size().width, 64);
    assert_eq!(judge::decode_file(&record.join("frame.png")).unwrap(), crate::support::frame(250));
}

#[test]
fn what_cannot_be_run_says_why_before_anything_moves() {
    let fixture = fixture("");
    fixture.write_frame("frames/0.png", 0);
    for (wrong, said) in [
        ("pulse_ms = 25", "gate.pulse_ms"),
        ("kind = \"frame\"", "gpio.trigger"),
        ("bundle = \"bundle\"", "nowhere"),
        ("path = \"frames\"", "no-frames"),
    ] {
        let right = match wrong {
            "pulse_ms = 25" => "pulse_ms = 0",
            "kind = \"frame\"" => "kind = \"gpio\"",
            "bundle = \"bundle\"" => "bundle = \"nowhere\"",
            _ => "path = \"no-frames\"",
        };
        fixture.write("wrong.toml", line_file("").replace(wrong, right).as_bytes());
        let output = program(fixture.folder.path()).args(["check", "wrong.toml"]).output().unwrap();
        let all = stdout(&output) + &stderr(&output);
        assert!(code(&output) == 1 && all.contains(said), "{right}: {all}");
        if said != "no-frames" {
            let output = program(fixture.folder.path()).args(["run", "wrong.toml"]).output().unwrap();
            assert!(code(&output) == 1 && stderr(&output).contains(said), "{right}: {}", stderr(&output));
            assert!(output.stdout.is_empty());
        }
        // The file alone is valid if only the things it names are missing.
        let output =
            program(fixture.folder.path()).args(["check", "--file-only", "wrong.toml"]).output().unwrap();
        assert_eq!(code(&output) == 0, said.starts_with("no"), "{right}: {}", stdout(&output));
    }
    let output = program(fixture.folder.path()).args(["check", "line.toml"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn init_writes_a_line_file_once() {
    let fixture = Fixture::new();
    let init = || program(fixture.folder.path()).args(["init", "new.toml"]).output().unwrap();
    assert_eq!(code(&init()), 0);
    let written = std::fs::read(fixture.path("new.toml")).unwrap();
    let again = init();
    assert!(code(&again) == 1 && stderr(&again).contains("already exists"));
    assert_eq!(std::fs::read(fixture.path("new.toml")).unwrap(), written);
}

/// A running line that is killed when dropped.
pub struct RunningProgram(Child);

impl RunningProgram {
    pub fn start(folder: &Path) -> Self {
        Self::start_with_stderr(folder, Stdio::null())
    }

    /// Starts the line with this standard error.
    pub fn start_with_stderr(folder: &Path, stderr: Stdio) -> Self {
        let mut command: Command = program(folder);
        command.args(["run", "line.toml"]).stdout(Stdio::piped()).stderr(stderr);
        Self(command.spawn().unwrap())
    }

    /// Reads and returns `count` reports.
    pub fn reports(&mut self, count: usize) -> Vec<Value> {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        lines.take(count).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    /// Waits until the line is no longer held.
    pub fn wait_until_ready(&self, fixture: &Fixture) {
        let started = Instant::now();
        loop {
            let status = std::fs::read(fixture.path("state/status.json")).unwrap_or_default();
            let status: Value = serde_json::from_slice(&status).unwrap_or_default();
            if status["alarms"]["not_ready"] == false {
                return;
            }
            assert!(started.elapsed() < LONG, "not ready: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.0.id()).unwrap();
        // SAFETY: the child has not been waited for, so its PID can't have been reused.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    pub fn end(&mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < LONG, "the line does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_the_line_in_order_and_no_count_is_lost() {
    let fixture = fixture("");
    fixture.write("line.toml", repeating("").as_bytes());
    for index in 0..5 {
        fixture.write_frame(&format!("frames/{index}.png"), 250 * (index % 2));
    }
    let mut line = RunningProgram::start(fixture.folder.path());
    line.reports(10);
    line.signal(libc::SIGTERM);
    assert_eq!(line.end().code(), Some(0));
    let status: Value =
        serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap();
    let gate = &status["counters"]["gate"];
    let count = |name: &str| gate[name].as_u64().unwrap();
    assert!(count("triggered") >= 10);
    assert_eq!(count("triggered"), count("passed") + count("rejected"), "{gate}");
}

#[test]
fn a_killed_line_counts_on_from_the_last_second() {
    let fixture = fixture("");
    fixture.write("line.toml", repeating("").as_bytes());
    fixture.write_frame("frames/0.png", 0);
    let mut before = 0;
    for turn in 0..4u64 {
        let mut line = RunningProgram::start(fixture.folder.path());
        let reports = line.reports(usize::try_from(10 + 17 * turn).unwrap());
        line.signal(libc::SIGKILL);
        line.end();
        // Opening the counters below counts as a run, too.
        assert_eq!(reports[0]["run"], 2 * turn + 1);
        let (_, counters) = CounterFile::open(&fixture.path("state")).unwrap();
        // All reported parts are counted, except those of the last second (25 per second), and none twice.
        let (counted, reported) = (counters.gate.triggered, before + reports.len() as u64);
        assert!(counted + 40 >= reported, "{counted} of {reported}");
        before = counted;
    }
}

/// Reads the next line from the serial port.
#[cfg(feature = "serial")]
pub fn read_line(port: &mut impl BufRead) -> String {
    let mut line = String::new();
    port.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[cfg(feature = "serial")]
#[test]
fn a_serial_peer_triggers_parts_and_is_told_what_became_of_them() {
    use std::io::Write as _;

    let (mut master, slave) = serialport::TTYPort::pair().unwrap();
    serialport::SerialPort::set_timeout(&mut master, LONG).unwrap();
    let device = serialport::SerialPort::name(&slave).unwrap();
    // Keeps the pseudo terminal open: without any holder it disappears, and a `TTYPort` would lock it.
    let _held = std::fs::File::open(&device).unwrap();
    drop(slave);
    let fixture = fixture("");
    let text = repeating(&format!("[serial]\ndevice = {device:?}\n[challenge]\nparts = 1"))
        .replace("kind = \"frame\"", "kind = \"serial\"")
        .replace("[camera]", "[[product]]\nname = \"other\"\nbundle = \"bundle\"\n[camera]");
    fixture.write("line.toml", text.as_bytes());
    fixture.write_frame("frames/0.png", 0);
    fixture.write_frame("frames/1.png", 1);
    let mut line = RunningProgram::start(fixture.folder.path());
    let mut peer = BufReader::new(master);
    line.wait_until_ready(&fixture);
    peer.get_mut().write_all(b"\xFF\x00garbage\n?\n").unwrap();
    while !read_line(&mut peer).starts_with("S 0 0 0 0") {}
    peer.get_mut().write_all(b"T\n").unwrap();
    let told = read_line(&mut peer);
    assert!(told.starts_with("P 1 PASS 0.0"), "{told}");
    // The next part is of another product and, being a challenge, rejected although it looks good.
    peer.get_mut().write_all(b"P other\nC\nT\n").unwrap();
    let told = read_line(&mut peer);
    assert!(told.starts_with("P 2 REJECT 0.0") && told.ends_with(" challenge"), "{told}");
    let reports = line.reports(2);
    assert_eq!((&reports[0]["product"], &reports[0]["disposition"]), (&"spot".into(), &"pass".into()));
    assert_eq!((&reports[1]["product"], &reports[1]["disposition"]), (&"other".into(), &"reject".into()));
    peer.get_mut().write_all(b"?\n").unwrap();
    assert_eq!(read_line(&mut peer), "S 2 1 1 0 0 0 0 challenge-missed");
    line.signal(libc::SIGINT);
    assert_eq!(line.end().code(), Some(0));
}
