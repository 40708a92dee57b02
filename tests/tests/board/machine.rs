//! The emulated board: QEMU's `virt` machine with Debian's kernel, a GPIO chip, a USB serial adapter and a disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::pins::Pins;

/// Longer than any wait should take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running board. Dropping it cuts its power.
pub struct Machine {
    qemu: Child,
    shell: BufReader<UnixStream>,
    /// The observer of its GPIO outputs.
    pub pins: Pins,
    /// The other end of its serial port.
    pub peer: Peer,
    console: PathBuf,
    started: Instant,
}

impl Machine {
    /// Switches the board on and waits for its shell. Its files go into `folder`, which only one board may use at a
    /// time.
    pub fn boot(kernel: &Path, root: &Path, disk: &Path, folder: &Path) -> Self {
        let path = |name: &str| folder.join(name);
        for name in ["shell", "peer", "pins.log", "console.log"] {
            let _ = std::fs::remove_file(path(name));
        }
        let socket =
            |name: &str| format!("socket,id={name},path={},server=on,wait=off", path(name).display());
        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"]);
        qemu.args(["-nographic", "-nodefaults", "-no-reboot", "-monitor", "none"]);
        qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(root);
        qemu.args(["-append", "console=ttyAMA0 loglevel=4 panic=-1"]);
        qemu.arg("-serial").arg(format!("file:{}", path("console.log").display()));
        qemu.arg("-chardev").arg(socket("shell")).args(["-device", "pci-serial,chardev=shell"]);
        qemu.arg("-chardev").arg(socket("peer"));
        qemu.args(["-device", "qemu-xhci", "-device", "usb-serial,chardev=peer"]);
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio", disk.display()));
        // Logs every change of an output pin, with the time.
        qemu.args(["-msg", "timestamp=on", "-trace", "enable=pl061_set_output", "-D"]).arg(path("pins.log"));
        let started = Instant::now();
        let qemu = qemu.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let shell = connect(&path("shell"));
        shell.set_read_timeout(Some(PATIENCE)).unwrap();
        let peer = Peer::at(connect(&path("peer")));
        let pins = Pins::of(&path("pins.log"));
        let shell = BufReader::new(shell);
        let mut board = Self { qemu, shell, pins, peer, console: path("console.log"), started };
        board.answer();
        board
    }

    /// Returns the time since it was switched on.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Runs a line of shell commands on the board; returns their output and the exit code.
    pub fn try_run(&mut self, command: &str) -> (String, i32) {
        loop {
            self.shell.get_mut().write_all(format!("run: {command}\n").as_bytes()).unwrap();
            if let Some(answer) = self.answer() {
                return answer;
            }
        }
    }

    /// Like [`Self::try_run`], for commands that must succeed.
    pub fn run(&mut self, command: &str) -> String {
        let (output, code) = self.try_run(command);
        assert_eq!(code, 0, "`{command}` on the board: {output}");
        output
    }

    /// Waits until a command succeeds.
    pub fn wait_for(&mut self, command: &str) {
        let until = Instant::now() + PATIENCE;
        while self.try_run(command).1 != 0 {
            let log = if Instant::now() > until {
                self.run("tail -n 30 /tmp/line.err; true")
            } else {
                String::new()
            };
            assert!(
                Instant::now() < until,
                "`{command}` never became true on the board; its line says:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Reads the output and the exit code; `None` if the command line got lost.
    fn answer(&mut self) -> Option<(String, i32)> {
        let mut output = String::new();
        loop {
            let mut line = vec![];
            let read = self.shell.read_until(b'\n', &mut line);
            let line = String::from_utf8_lossy(&line).into_owned();
            if !matches!(read, Ok(n) if n > 0) {
                let console = std::fs::read_to_string(&self.console).unwrap_or_default();
                panic!("the board is silent ({read:?}) after {output:?}; its console:\n{console}");
            }
            match line.strip_prefix("@@ ") {
                Some("again\n") => return None,
                Some(code) => return Some((output, code.trim().parse().unwrap())),
                None => output += &line,
            }
        }
    }
}

impl Machine {
    /// Switches it off at once, and returns its serial peer with everything received.
    pub fn cut_power(mut self) -> Peer {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let silent = UnixStream::pair().unwrap().0;
        let nobody = Peer { port: silent, lines: Arc::default() };
        std::mem::replace(&mut self.peer, nobody)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn connect(path: &Path) -> UnixStream {
    let until = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(e) => assert!(Instant::now() < until, "QEMU doesn't open {}: {e}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The serial peer: what the reject gate's controller would see.
pub struct Peer {
    port: UnixStream,
    /// The received lines with their times.
    lines: Arc<Mutex<Vec<(f64, String)>>>,
}

impl Peer {
    fn at(port: UnixStream) -> Self {
        let lines = Arc::new(Mutex::new(vec![]));
        let (mut reader, heard) = (port.try_clone().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            let (mut rest, mut bytes) = (vec![], [0; 256]);
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                rest.extend_from_slice(&bytes[..n]);
                while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let text = String::from_utf8_lossy(&line).trim().to_owned();
                    heard.lock().unwrap().push((now(), text));
                }
            }
        });
        Self { port, lines }
    }

    /// Sends a command.
    pub fn send(&mut self, command: &str) {
        self.port.write_all(format!("{command}\n").as_bytes()).unwrap();
    }

    /// Returns the answers to `?` so far.
    pub fn statuses(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(_, line)| line).filter(|line| line.starts_with("S ")).cloned().collect()
    }

    /// Returns the reports of parts so far: number, disposition (`PASS` or `REJECT`) and reason.
    pub fn parts(&self) -> Vec<(u64, String, String)> {
        let lines = self.lines.lock().unwrap();
        let reports = lines.iter().filter_map(|(_, line)| line.strip_prefix("P "));
        let fields = |report: &str| {
            let mut words = report.split(' ').map(str::to_owned);
            let number = words.next()?.parse().ok()?;
            let way = words.next()?;
            Some((number, way, words.nth(1).unwrap_or_default()))
        };
        reports.filter_map(fields).collect()
    }
}

impl Peer {
    /// Returns how many parts were reported before that time.
    pub fn parts_before(&self, time: f64) -> u64 {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|(at, line)| *at < time && line.starts_with("P ")).count() as u64
    }

    /// Returns the number of parts that have triggered, over all runs of the program, according to its latest
    /// status.
    pub fn triggered(&self) -> u64 {
        let statuses = self.statuses();
        let newest = statuses.last().expect("the line has said nothing");
        newest.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// Returns the seconds since 1970, as in [`Pins`].
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
