//! Tests of a line in trouble: damaged and repeated frames, failing decoders, an unread log, a stopped process.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::line::{RunningProgram, fixture, line_file, parts, repeating, run};
use crate::{Fixture, code, program, stderr, stdout};

fn chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let mut chunk = [&name[..], &length.to_le_bytes(), bytes].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// An animation whose only frame is declared as 16×2 pixels and holds 32×32: its decoder indexes out of bounds.
fn panicking_webp() -> Vec<u8> {
    let three = |number: u32| number.to_le_bytes()[..3].to_vec();
    let first_partition = 256u32;
    let vp8 =
        [&three(1 << 4 | first_partition << 5)[..], &[0x9d, 0x01, 0x2a, 32, 0, 32, 0], &[0; 256 + 1024]]
            .concat();
    let alpha = [&[0][..], &[255; 32]].concat();
    let header = [three(0), three(0), three(15), three(1), three(0), vec![0]].concat();
    let frame = [header, chunk(b"ALPH", &alpha), chunk(b"VP8 ", &vp8)].concat();
    let canvas = [vec![0x12, 0, 0, 0], three(31), three(31)].concat();
    let body = [b"WEBP".to_vec(), chunk(b"VP8X", &canvas), chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)];
    chunk(b"RIFF", &body.concat())
}

/// A full pipe whose other end isn't read.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 512]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    (reader, writer)
}

fn status(fixture: &Fixture) -> Value {
    serde_json::from_slice(&std::fs::read(fixture.path("state/status.json")).unwrap()).unwrap()
}

#[test]
fn a_decoder_that_panics_is_a_fault_in_one_sentence() {
    let fixture = Fixture::new();
    fixture.write("part.webp", &panicking_webp());
    let output = fixture.run("inspect", &["part.webp"]);
    assert_eq!(code(&output), 11);
    assert!(stdout(&output).contains("the WebP image is damaged"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "1 frame: 0 pass, 0 reject, 1 fault\n");
}

#[test]
fn panics_and_a_log_that_nobody_reads_stop_no_part() {
    let fixture = fixture("");
    fixture.write("line.toml", repeating("").as_bytes());
    for index in 0..4 {
        fixture.write(&format!("frames/{index}-damaged.webp"), &panicking_webp());
        fixture.write_frame(&format!("frames/{index}-good.png"), 0);
    }
    let (_reader, writer) = full_pipe();
    let mut line = RunningProgram::start_with_stderr(fixture.folder.path(), Stdio::from(writer));
    let reports = line.reports(120);
    let judged = |verdict: &str| reports[40..].iter().filter(|part| part["verdict"] == verdict).count();
    assert!(judged("pass") > 30 && judged("fault") > 30, "{:?}", reports.last());
    line.signal(libc::SIGTERM);
    assert_eq!(line.end().code(), Some(0));
}

#[test]
fn what_could_not_be_judged_is_recorded_with_the_reason() {
    let settings = "equal_frames = 5\n[records]\nfolder = \"records\"";
    let fixture = fixture(settings);
    // Time enough for the first verdict on an emulated processor.
    let patient = line_file(settings).replace("delay_ms = 500", "delay_ms = 3000");
    fixture.write("line.toml", patient.as_bytes());
    fixture.write_frame("frames/0.png", 0);
    fixture.write_frame("frames/1.png", 0);
    let whole = std::fs::read(fixture.path("frames/0.png")).unwrap();
    let cut = &whole[..whole.len() - 30];
    fixture.write("frames/2.png", cut);
    fixture.write_frame("frames/3.png", 1);
    let output = run(&fixture);
    let verdicts: Vec<_> = parts(&output).iter().map(|part| part["verdict"].clone()).collect();
    assert_eq!(verdicts, ["pass", "fault", "fault", "pass"], "{}", stderr(&output));
    let records = fixture.records();
    let [repeated, damaged] = &records[..] else { panic!("{records:?}") };
    let description = |record: &PathBuf| -> Value {
        serde_json::from_slice(&std::fs::read(record.join("record.json")).unwrap()).unwrap()
    };
    let (first, second) = (description(repeated), description(damaged));
    assert_eq!((&first["part"], &second["part"]), (&2.into(), &3.into()));
    assert!(first["fault"].as_str().unwrap().contains("health.equal_frames"), "{first}");
    assert!(second["fault"].as_str().unwrap().contains("PNG"), "{second}");
    assert_eq!((&second["verdict"], &second["frame_of_part"]), (&"fault".into(), &1.into()));
    assert_eq!(std::fs::read(damaged.join("frame.png")).unwrap(), cut, "as the camera gave it");
    assert!(!damaged.join("overlay.png").exists());
}

#[test]
fn two_pictures_that_alternate_are_faults() {
    let fixture = fixture("");
    let text = line_file("").replace("repeat = false", "repeat = true");
    fixture.write("line.toml", text.replace("delay_ms = 500", "delay_ms = 3000").as_bytes());
    fixture.write_frame("frames/0.png", 0);
    fixture.write_frame("frames/1.png", 1);
    let output = program(fixture.folder.path()).args(["check", "line.toml"]).output().unwrap();
    assert!(stdout(&output).contains("each is a fault from the second round on"), "{}", stdout(&output));
    let mut line = RunningProgram::start(fixture.folder.path());
    let reports = line.reports(6);
    let verdicts: Vec<_> = reports.iter().map(|part| part["verdict"].as_str().unwrap_or("none")).collect();
    assert_eq!(verdicts, ["pass", "pass", "fault", "fault", "fault", "fault"]);
    // With pictures enough, or without the comparison, there is nothing to say.
    for index in 2..6 {
        fixture.write_frame(&format!("frames/{index}.png"), index);
    }
    let output = program(fixture.folder.path()).args(["check", "line.toml"]).output().unwrap();
    assert!(!stdout(&output).contains("second round"), "{}", stdout(&output));
}

#[test]
fn every_signal_that_asks_for_an_end_gets_one_in_order() {
    let fixture = fixture("");
    fixture.write("line.toml", repeating("").as_bytes());
    fixture.write_frame("frames/0.png", 0);
    for signal in [libc::SIGHUP, libc::SIGQUIT, libc::SIGINT] {
        let mut line = RunningProgram::start(fixture.folder.path());
        line.reports(2);
        // A broken pipe must not end the program.
        line.signal(libc::SIGPIPE);
        line.reports(2);
        line.signal(signal);
        assert_eq!(line.end().code(), Some(0), "{signal}");
        assert_eq!(status(&fixture)["alarms"]["not_ready"], true);
    }
}

#[test]
fn a_process_that_was_stopped_says_what_it_missed() {
    let fixture = fixture("");
    let text = repeating("").replace("kind = \"frame\"", "kind = \"interval\"\nevery_ms = 50");
    fixture.write("line.toml", text.as_bytes());
    fixture.write_frame("frames/0.png", 0);
    // No rejects: a process stopped during a pulse would leave the output on and reject whatever comes.
    fixture.write_frame("frames/1.png", 1);
    let mut line = RunningProgram::start(fixture.folder.path());
    line.wait_until_ready(&fixture);
    // From the first report on, parts are under way all the way to the gate.
    line.reports(1);
    line.signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_secs(2));
    line.signal(libc::SIGCONT);
    let before = line.reports(60);
    line.signal(libc::SIGTERM);
    assert_eq!(line.end().code(), Some(0));
    let status = status(&fixture);
    let gate = &status["counters"]["gate"];
    let count = |name: &str| gate[name].as_u64().unwrap();
    // Which it is depends on the thread that runs first: the one that notices the silent camera holds the line.
    assert!(count("missed") + count("triggers_lost") + count("held") > 25, "{gate}");
    assert_eq!(status["alarms"]["missed"], count("missed") > 0);
    assert_eq!(count("triggered"), count("passed") + count("rejected"));
    for part in before.iter().filter(|part| part["ms"]["lateness"].as_f64().unwrap() > 100.0) {
        // While the line is held, the outputs are already in their safe state: a late part is safe, too.
        let reasons = ["missed", "trigger_lost", "held"];
        assert!(reasons.iter().any(|reason| part["reason"] == *reason), "{part}");
    }
}
