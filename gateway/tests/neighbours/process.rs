//! Programs under test and beside it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::line::Line;

pub const LONG: Duration = Duration::from_secs(60);

/// A child process that is killed when dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Returns its resident memory in MiB.
    pub fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

/// A running gateway.
pub struct Gateway {
    pub process: Process,
    log: PathBuf,
}

impl Gateway {
    /// Starts the gateway beside a line, with these neighbours, and waits until they are connected.
    pub fn start(line: &Line, neighbours: &str) -> Self {
        let (file, log) = (line.path("gateway.toml"), line.path("gateway.log"));
        std::fs::write(&file, format!("[line]\nsocket = \"line.sock\"\n{neighbours}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("run").arg(&file).stderr(File::create(&log).unwrap()).stdin(Stdio::null());
        let gateway = Self { process: Process(command.spawn().unwrap()), log };
        line.wait();
        gateway
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_none()
    }
}

pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {LONG:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns a program of the system, or says that a test is skipped without it.
pub fn program(name: &str, package: &str) -> Option<Command> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(|folder| PathBuf::from(folder).join(name));
    let found = places.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("{name} is not installed (Debian package {package})"));
    }
    found.map(Command::new)
}

/// Returns the Python that has these tests' packages, or says that a test is skipped without it.
pub fn python() -> Option<Command> {
    let python = std::env::var_os("NOMINAL_PYTHON").map(Command::new);
    let works = python.as_ref().is_some_and(|python| {
        let imported = Command::new(python.get_program()).args(["-c", "import pymodbus"]).output();
        imported.is_ok_and(|output| output.status.success())
    });
    if !works {
        skipped("NOMINAL_PYTHON has no pymodbus; `cargo xtask test` sets it");
    }
    python.filter(|_| works)
}

fn skipped(what: &str) {
    // Bypasses the print macros, whose output the test harness captures.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Asks for a page of an HTTP server and returns the whole answer.
pub fn get(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}
