//! Tests of `edge-runtime run` when the serial port for triggers and counts is missing, or delivers impossible counts.

use std::fs::File;
use std::io::{BufReader, Write};
use std::os::unix::fs::symlink;
use std::time::Instant;

use serde_json::Value;
use serialport::{SerialPort, TTYPort};

use crate::Fixture;
use crate::line::{LONG, RunningProgram, fixture, read_line, repeating};

/// A serial device in the fixture's folder that can be unplugged.
struct Cable {
    peer: BufReader<TTYPort>,
    /// Keeps the pseudo terminal open: without any holder it disappears, and a `TTYPort` would lock it.
    _held: File,
}

impl Cable {
    fn plug_in(fixture: &Fixture) -> Self {
        let (mut peer, device) = TTYPort::pair().unwrap();
        peer.set_timeout(LONG).unwrap();
        let name = device.name().unwrap();
        let held = File::open(&name).unwrap();
        drop(device);
        symlink(name, fixture.path("tty")).unwrap();
        Self { peer: BufReader::new(peer), _held: held }
    }

    fn unplug(self, fixture: &Fixture) {
        std::fs::remove_file(fixture.path("tty")).unwrap();
    }

    fn send(&mut self, text: &str) {
        self.peer.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Returns the next line that starts with `begin`.
    fn receive(&mut self, begin: &str) -> String {
        loop {
            let line = read_line(&mut self.peer);
            if line.starts_with(begin) {
                return line;
            }
        }
    }
}

fn serial_fixture(trigger: &str, gate: &str) -> Fixture {
    let fixture = fixture("");
    let device = fixture.path("tty");
    let text = repeating(&format!("[serial]\ndevice = {device:?}"))
        .replace("kind = \"frame\"", trigger)
        .replace("delay_ms = 500", gate);
    fixture.write("line.toml", text.as_bytes());
    fixture.write_frame("frames/0.png", 0);
    fixture.write_frame("frames/1.png", 1);
    fixture
}

/// Waits for a status that fulfils `reached`.
fn wait_for_status(fixture: &Fixture, what: &str, reached: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let status = std::fs::read(fixture.path("state/status.json")).unwrap_or_default();
        let status: Value = serde_json::from_slice(&status).unwrap_or_default();
        if reached(&status) {
            return status;
        }
        assert!(started.elapsed() < LONG, "{what}: {status}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn alarm(status: &Value, name: &str) -> Option<bool> {
    status["alarms"][name].as_bool()
}

#[test]
fn a_line_whose_triggers_or_counts_come_by_a_port_that_is_not_there_is_held() {
    for (trigger, gate, way) in [
        ("kind = \"serial\"", "delay_ms = 100", &[][..]),
        ("kind = \"frame\"", "distance_ticks = 100", &[0, 100]),
    ] {
        let fixture = serial_fixture(trigger, gate);
        let mut line = RunningProgram::start(fixture.folder.path());
        let held = |status: &Value| alarm(status, "blind") == Some(true);
        let status = wait_for_status(&fixture, "never there", |status| {
            held(status) && alarm(status, "not_ready") == Some(false)
        });
        assert!(status["problems"].to_string().contains("and the line is held; connect it"), "{status}");
        let mut cable = Cable::plug_in(&fixture);
        cable.send("?\n");
        cable.receive("S");
        // The belt must move unseen parts past the gate.
        for count in way {
            cable.send(&format!("E {count}\n"));
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
        wait_for_status(&fixture, "plugged in", |status| alarm(status, "blind") == Some(false));
        cable.unplug(&fixture);
        wait_for_status(&fixture, "unplugged", held);
        line.signal(libc::SIGTERM);
        assert_eq!(line.end().code(), Some(0));
    }
}

#[test]
fn triggers_and_counts_that_the_line_does_not_take_make_no_parts() {
    let fixture = serial_fixture("kind = \"interval\"\nevery_ms = 3600000", "delay_ms = 100");
    let mut cable = Cable::plug_in(&fixture);
    let line = RunningProgram::start(fixture.folder.path());
    line.wait_until_ready(&fixture);
    cable.send("T\nE 5\n?\n");
    assert!(cable.receive("ERR").contains("trigger.kind"));
    assert!(cable.receive("ERR").contains("gate.distance_ticks"));
    assert!(cable.receive("S").starts_with("S 0 0 0"));
    let told = |status: &Value| status["problems"].to_string().contains("2 serial commands refused");
    wait_for_status(&fixture, "refused", told);
}

#[test]
fn a_wrong_count_displaces_no_part() {
    let fixture = serial_fixture("kind = \"serial\"", "distance_ticks = 1000");
    let mut cable = Cable::plug_in(&fixture);
    let line = RunningProgram::start(fixture.folder.path());
    line.wait_until_ready(&fixture);
    cable.send("E 0\nT\n");
    let started = Instant::now();
    // A transmission error: 70 became 700.
    for count in [10, 20, 30, 40, 50, 60, 700, 80] {
        std::thread::sleep(std::time::Duration::from_millis(20));
        cable.send(&format!("E {count}\n"));
    }
    // On a machine so busy that the belt could have moved that far, this isn't a jump.
    let busy = started.elapsed() > std::time::Duration::from_millis(220);
    cable.send("?\n");
    let said = cable.receive("S");
    assert!(busy || said.ends_with(" tracking-lost"), "{said}");
    assert!(said.starts_with("S 1 0 0"), "nothing is at the gate: {said}");
    for count in (180..=1080).step_by(100) {
        std::thread::sleep(std::time::Duration::from_millis(20));
        cable.send(&format!("E {count}\n"));
    }
    let told = cable.receive("P 1");
    assert!(busy || told.ends_with(" tracking_lost"), "{told}");
    if !busy {
        wait_for_status(&fixture, "the jump", |status| {
            status["problems"].to_string().contains("1 encoder counts that ran back")
        });
    }
}
