//! Debian's nginx and mosquitto on loopback.

use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const LONG: Duration = Duration::from_secs(120);

/// A child process that is killed when dropped, with SIGKILL.
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
        memory_mib(&self.0.id().to_string())
    }
}

/// Returns the resident memory of a process in MiB.
pub fn memory_mib(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}

/// A web server that shows a folder.
pub struct Nginx {
    _process: Process,
    pub port: u16,
}

impl Nginx {
    /// Starts nginx; `None`, with a line that says so, if it is not installed.
    pub fn start(root: &Path, shown: &Path, port: u16) -> Option<Self> {
        let mut nginx = program("nginx", "nginx-light")?;
        let folder = root.join("nginx");
        std::fs::create_dir_all(&folder).unwrap();
        let place = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.map(|name| format!("{name}_temp_path {place}/{name};\n")).concat();
        let text = format!(
            "user root;\nworker_processes 1;\npid {place}/pid;\nerror_log {place}/error.log;\nevents {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{temporary}server {{ listen 127.0.0.1:{port} backlog=4096; root {}; }}\n}}\n",
            shown.display()
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        // Its workers end with it: SIGKILL leaves them the socket for a moment, in which the next start fails and is tried again.
        nginx
            .args(["-e", &format!("{place}/error.log"), "-g", "daemon off; master_process off;", "-p"])
            .arg(&folder);
        nginx.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { _process: listening(nginx, port), port })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A broker.
pub struct Broker {
    pub process: Process,
}

impl Broker {
    /// Starts mosquitto; `None`, with a line that says so, if it is not installed. It keeps nothing: what it has confirmed and not passed on
    /// is lost when it is killed.
    pub fn start(root: &Path, port: u16) -> Option<Self> {
        let mut mosquitto = program("mosquitto", "mosquitto")?;
        let file = root.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nuser root\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        );
        std::fs::write(&file, text).unwrap();
        mosquitto.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { process: listening(mosquitto, port) })
    }
}

/// Starts a server, again if its port is not free yet, until it listens.
fn listening(mut command: Command, port: u16) -> Process {
    let end = Instant::now() + LONG;
    let mut process = Process(command.spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "nothing listens on {port}");
        if process.0.try_wait().unwrap().is_some() {
            process = Process(command.spawn().unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}

/// A program of this project that was built beside `nominal-fleet`.
pub fn beside(name: &str) -> Option<Command> {
    let path = Path::new(env!("CARGO_BIN_EXE_nominal-fleet")).with_file_name(name);
    if !path.is_file() {
        skipped(&format!("{} is missing; `cargo xtask test` builds it", path.display()));
        return None;
    }
    Some(Command::new(path))
}

/// Starts `nominal-fleet collect`.
pub fn collect(root: &Path, port: u16) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nominal-fleet"));
    let log = File::options().append(true).create(true).open(root.join("collect.log")).unwrap();
    command
        .args(["collect", "--host", "127.0.0.1", "--port", &port.to_string(), "--table"])
        .arg(root.join("fleet.db"));
    Process(command.stderr(log).spawn().unwrap())
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn program(name: &str, package: &str) -> Option<Command> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(|folder| PathBuf::from(folder).join(name));
    let found = places.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("{name} is not installed (Debian package {package})"));
    }
    found.map(Command::new)
}

fn skipped(what: &str) {
    // Bypasses the print macros, whose output the test harness captures.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}
