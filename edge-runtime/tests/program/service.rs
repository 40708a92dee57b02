//! Tests of `edge-runtime run` as systemd sees it: messages on the socket named by `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::{Fixture, program};

const LONG: Duration = Duration::from_secs(30);

/// A running line, and the service manager's end of its socket.
struct SupervisedProgram {
    child: Child,
    socket: UnixDatagram,
}

impl SupervisedProgram {
    fn start(fixture: &Fixture, watchdog: Duration) -> Self {
        let socket = UnixDatagram::bind(fixture.path("notify")).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let child = program(fixture.folder.path())
            .args(["run", "line.toml"])
            .env("NOTIFY_SOCKET", fixture.path("notify"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, socket }
    }

    fn message(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Returns the messages up to the first one that contains `text`.
    fn until(&self, text: &str) -> Vec<String> {
        let start = Instant::now();
        let mut messages = vec![];
        while start.elapsed() < LONG {
            messages.push(self.message());
            if messages.last().unwrap().contains(text) {
                return messages;
            }
        }
        panic!("no {text} in {messages:?}")
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for SupervisedProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let line = r#"
        name = "test"
        [[product]]
        name = "spot"
        bundle = "bundle"
        [camera]
        source = "pattern"
        width = 64
        height = 64
        fps = 25
        [trigger]
        kind = "interval"
        every_ms = 100
        [gate]
        delay_ms = 50
        pulse_ms = 5
    "#;
    fixture.write("line.toml", line.as_bytes());
    fixture
}

#[test]
fn it_is_ready_then_alive_with_a_status_and_ends_when_told() {
    let fixture = fixture();
    let mut program = SupervisedProgram::start(&fixture, Duration::from_secs(1));
    let messages = program.until("READY=1");
    assert!(messages.iter().all(|m| !m.contains("STOPPING")), "{messages:?}");
    // The watchdog needs one message per second; the line sends four.
    let begin = Instant::now();
    for _ in 0..8 {
        program.until("WATCHDOG=1");
    }
    assert!(begin.elapsed() >= Duration::from_secs(1), "more often than needed: {:?}", begin.elapsed());
    let alive = program.until("WATCHDOG=1");
    let status = alive.last().unwrap().lines().find(|line| line.starts_with("STATUS=")).unwrap();
    assert!(status.contains(" parts, ") && status.ends_with("the camera is live"), "{status}");
    program.signal("-TERM");
    program.until("STOPPING=1");
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn a_line_that_stands_still_asks_for_no_more_time() {
    let fixture = fixture();
    let program = SupervisedProgram::start(&fixture, Duration::from_secs(1));
    program.until("READY=1");
    program.signal("-STOP");
    // Messages sent before the stop may still arrive.
    program.socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut bytes = [0; 4096];
    while program.socket.recv(&mut bytes).is_ok() {}
    program.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!(program.socket.recv(&mut bytes).is_err(), "a stopped line reported that it is alive");
    program.signal("-CONT");
    program.socket.set_read_timeout(Some(LONG)).unwrap();
    program.until("WATCHDOG=1");
}
