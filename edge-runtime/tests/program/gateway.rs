//! A running line and its gateway: what the gateway gets, what it may do, and that nothing it does reaches the gate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use shared_format::Disposition;
use shared_format::gateway::{
    Answer, Command as LineCommand, Decide, Decision, Decoder, GatewayMessage, LineMessage, LineStatus,
    MAX_LEN, Message, Outcome, cut,
};

use crate::line::{LONG, fixture, line_file, repeating};
use crate::{Fixture, program};

/// A child process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the line and returns it with the lines of its standard output.
fn start(fixture: &Fixture) -> (Process, impl Iterator<Item = Value> + use<>) {
    let mut child = program(fixture.folder.path())
        .args(["run", "line.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (Process(child), lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {LONG:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A gateway's end of the socket.
struct Peer {
    stream: UnixStream,
    decoder: Decoder,
    status: Option<LineStatus>,
}

impl Peer {
    fn connect(socket: &Path) -> Self {
        let mut stream = None;
        wait_until("the socket is there", || {
            stream = UnixStream::connect(socket).ok();
            stream.is_some()
        });
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut peer = Self { stream, decoder: Decoder::default(), status: None };
        peer.send(GatewayMessage::Subscribe);
        peer
    }

    fn send(&mut self, message: GatewayMessage) {
        self.stream.write_all(message.encode(&mut [0; MAX_LEN]).unwrap()).unwrap();
    }

    /// Returns the next message; `None` if the line has ended.
    fn next(&mut self) -> Option<LineMessage> {
        loop {
            let mut byte = [0];
            if !matches!(self.stream.read(&mut byte), Ok(1)) {
                return None;
            }
            if let Some(message) = self.decoder.push(byte[0]) {
                let message = message.unwrap();
                if let LineMessage::Status(status) = message {
                    self.status = Some(status);
                }
                return Some(message);
            }
        }
    }

    /// Carries out a command and returns its outcome.
    fn command(&mut self, command: LineCommand) -> Outcome {
        self.send(GatewayMessage::Command { number: 9, command });
        self.outcome()
    }

    /// Has a decision on a record kept and returns its outcome.
    fn decide(&mut self, record: &str, decision: Decision) -> Outcome {
        let [record, kind, by] = [record, "", "anna"].map(cut);
        self.send(GatewayMessage::Decide(Decide { number: 9, record, decision, kind, by, replace: false }));
        self.outcome()
    }

    fn outcome(&mut self) -> Outcome {
        loop {
            if let LineMessage::Answer(Answer { number: 9, outcome }) = self.next().unwrap() {
                return outcome;
            }
        }
    }

    fn wait_for_status(&mut self, what: &str, is: impl Fn(&LineStatus) -> bool) {
        let end = Instant::now() + LONG;
        while !self.status.as_ref().is_some_and(&is) {
            assert!(Instant::now() < end, "{what}: {:?}", self.status);
            self.next().unwrap();
        }
    }
}

#[test]
fn a_gateway_gets_every_part_as_it_went() {
    // The first verdict takes long on an emulated processor.
    let fixture = Fixture::new();
    let text = line_file("[socket]\npath = \"line.sock\"\naccept = [\"acknowledge\"]");
    fixture.write("line.toml", text.replace("delay_ms = 500", "delay_ms = 3000").as_bytes());
    for (index, spot) in [0u8, 250, 1, 251, 2].into_iter().enumerate() {
        fixture.write_frame(&format!("frames/{index}.png"), spot);
    }
    fixture.write("frames/5.png", b"\x89PNG\r\n\x1a\n cut");
    let (_line, parts) = start(&fixture);
    let mut peer = Peer::connect(&fixture.path("line.sock"));
    let LineMessage::Hello(hello) = peer.next().unwrap() else { panic!("no hello") };
    assert_eq!((hello.line.as_str(), hello.run, hello.products, hello.accepts), ("test", 1, 1, 0b10000));
    assert!(matches!(peer.next(), Some(LineMessage::Product(product)) if product.name == "spot"));
    assert_eq!(peer.command(LineCommand::Challenge), Outcome::SwitchedOff);
    assert_eq!(peer.command(LineCommand::Acknowledge), Outcome::Done);
    let mut told = vec![];
    while let Some(message) = peer.next() {
        if let LineMessage::Part(part) = message {
            told.push(part);
        }
    }
    let parts: Vec<_> = parts.collect();
    assert_eq!((told.len(), parts.len()), (6, 6));
    for (told, part) in told.iter().zip(&parts) {
        assert_eq!(Some(told.telegram.part), part["part"].as_u64());
        assert_eq!(part["disposition"], told.telegram.disposition.as_str());
        assert_eq!(part["reason"], told.telegram.reason.as_str());
        let lateness = part["ms"]["lateness"].as_f64().unwrap();
        assert!((f64::from(told.lateness_us) / 1e3 - lateness).abs() < 0.002);
    }
    let rejected: Vec<_> = told.iter().map(|part| part.telegram.disposition == Disposition::Reject).collect();
    assert_eq!(rejected, [false, true, false, true, false, true]);
    assert!(!fixture.path("line.sock").exists(), "the socket is left behind");
}

#[test]
fn a_line_that_is_triggered_by_its_gateway_is_held_without_it() {
    let socket = "[socket]\npath = \"line.sock\"\naccept = [\"trigger\"]";
    let fixture = Fixture::new();
    let text = repeating(socket)
        .replace("kind = \"frame\"", "kind = \"socket\"")
        .replace("delay_ms = 500", "delay_ms = 3000");
    fixture.write("line.toml", text.as_bytes());
    // Two frames, or the picture would be frozen.
    (0..2).for_each(|level| fixture.write_frame(&format!("frames/{level}.png"), level));
    let (_line, mut parts) = start(&fixture);
    let mut peer = Peer::connect(&fixture.path("line.sock"));
    peer.wait_for_status("the line runs", |status| status.alarms == 0);
    assert_eq!(peer.command(LineCommand::Trigger { count: 1 }), Outcome::Done);
    let part = parts.next().unwrap();
    assert_eq!((&part["part"], &part["reason"]), (&1.into(), &"verdict".into()));
    // One that was not reported in time goes to the safe side.
    assert_eq!(peer.command(LineCommand::Trigger { count: 2 }), Outcome::Done);
    let (lost, next) = (parts.next().unwrap(), parts.next().unwrap());
    assert_eq!((&lost["reason"], &lost["disposition"]), (&"trigger_lost".into(), &"reject".into()));
    assert_eq!(next["part"], 3);
    drop(peer);
    let status = || -> Value {
        let bytes = std::fs::read(fixture.path("state/status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    wait_until("the line is blind", || status()["alarms"]["blind"] == true);
    assert!(status()["problems"].to_string().contains("the gateway is not connected"), "{}", status());
    let mut peer = Peer::connect(&fixture.path("line.sock"));
    peer.wait_for_status("the line runs again", |status| status.alarms & 0b111 == 0);
}

#[test]
fn decisions_from_a_gateway_are_kept_while_the_line_runs() {
    let fixture = Fixture::new();
    let more = "[records]\nfolder = \"records\"\n[socket]\npath = \"line.sock\"\naccept = [\"decide\"]";
    let text = repeating(more).replace("delay_ms = 500", "delay_ms = 3000");
    fixture.write("line.toml", text.as_bytes());
    [0, 250].into_iter().for_each(|spot| fixture.write_frame(&format!("frames/{spot}.png"), spot));
    let (_line, mut parts) = start(&fixture);
    let mut peer = Peer::connect(&fixture.path("line.sock"));
    assert!(parts.any(|part| part["disposition"] == "reject"));
    // Beside the records there are folders for those of passed parts and those with decisions.
    let mut record = None;
    wait_until("there is a record", || {
        let mut names =
            fixture.records().into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        record = names.rfind(|name| name.starts_with(char::is_numeric));
        record.is_some()
    });
    let record = record.unwrap();
    assert_eq!(peer.decide(&record, Decision::FalseAlarm), Outcome::Done);
    assert_eq!(peer.decide(&record, Decision::Unsure), Outcome::Decided);
    assert_eq!(peer.decide("20261125-030101-000012-00000345", Decision::Unsure), Outcome::Gone);
    assert_eq!(peer.command(LineCommand::Acknowledge), Outcome::SwitchedOff);
    let output = program(fixture.folder.path())
        .args(["review", "show", "--line", "line.toml", &record])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("false alarm by anna"), "{said}");
    assert!(parts.next().is_some(), "the line goes on");
}

/// The gateway's program, if it is built: it is in another package.
fn gateway() -> Option<Command> {
    let beside = PathBuf::from(env!("CARGO_BIN_EXE_edge-runtime")).with_file_name("gateway");
    if !beside.is_file() || std::env::var_os("NOMINAL_EMULATOR").is_some() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: the gateway is not built; `cargo build -p gateway` builds it"
        );
        return None;
    }
    Some(Command::new(beside))
}

#[test]
fn a_flooded_gateway_a_broker_that_stops_reading_and_fifty_browsers_change_no_disposition() {
    let Some(mut gateway) = gateway() else { return };
    let fixture = fixture("[socket]\npath = \"line.sock\"\naccept = [\"acknowledge\"]");
    let is_bad = |index: usize| index % 3 == 1;
    for index in 0..250 {
        fixture.write_frame(&format!("frames/{index:04}.png"), if is_bad(index) { 250 } else { 0 });
    }
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker_port = broker.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut deaf = vec![];
        for stream in broker.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&[0x20, 2, 0, 0]);
            deaf.push(stream);
        }
    });
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let page_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let neighbours = format!(
        "[line]\nsocket = \"line.sock\"\n[page]\nlisten = \"127.0.0.1:{page_port}\"\nfolder = \".\"\n[modbus]\nlisten = \"127.0.0.1:{port}\"\nmax_clients = 200\n\
         [mqtt]\nhost = \"127.0.0.1\"\nport = {broker_port}\n"
    );
    // The line ends with its frames: it is started last, and the gateway waits for it.
    fixture.write("gateway.toml", neighbours.as_bytes());
    set_password(&fixture);
    let run = gateway.arg("run").arg(fixture.path("gateway.toml")).stderr(Stdio::null()).spawn().unwrap();
    let _gateway = Process(run);
    for port in [port, page_port] {
        wait_until("the gateway listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flooders: Vec<_> = (0..200).map(|_| flood(port, Arc::clone(&stop))).collect();
    let cookie = log_in(page_port);
    let browsers: Vec<_> = (0..50).map(|_| watch(page_port, &cookie, Arc::clone(&stop))).collect();
    let (_line, parts) = start(&fixture);
    let parts: Vec<Value> = parts.collect();
    stop.store(true, Ordering::Relaxed);
    let requests: u64 = flooders.into_iter().map(|flooder| flooder.join().unwrap()).sum();
    let told: usize = browsers.into_iter().map(|browser| browser.join().unwrap()).sum();
    assert_eq!(parts.len(), 250);
    let mut lateness = vec![];
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(part["part"].as_u64(), Some(index as u64 + 1));
        // On a machine that is too busy, a verdict may be missing; it must never be wrong.
        let expected = if is_bad(index) || part["reason"] != "verdict" { "reject" } else { "pass" };
        assert_eq!(part["disposition"], expected, "{part}");
        lateness.push(part["ms"]["lateness"].as_f64().unwrap());
    }
    lateness.sort_by(f64::total_cmp);
    println!(
        "{requests} Modbus requests, {told} bytes for browsers; lateness p50 {} ms, p99 {} ms",
        lateness[125], lateness[247]
    );
    assert!(requests > 0 && told > 50 * 1000, "{told} bytes");
}

const PASSWORD: &str = "a good password";

fn set_password(fixture: &Fixture) {
    let mut command = gateway().unwrap();
    command.args(["password", "operator"]).arg(fixture.path("gateway.toml"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Logs in to the gateway's page and returns the cookie.
fn log_in(port: u16) -> String {
    let body = format!("{{\"role\":\"operator\",\"name\":\"anna\",\"password\":\"{PASSWORD}\"}}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let head =
        "POST /api/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap_or_else(|| panic!("{answer}"));
    cookie.split(';').next().unwrap().to_owned()
}

/// Reads what the page tells a browser until told to stop; returns the number of bytes.
fn watch(port: u16, cookie: &str, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let request = format!("GET /api/events HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n");
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut bytes, mut buffer) = (0, [0; 16_384]);
        while !stop.load(Ordering::Relaxed) {
            bytes += stream.read(&mut buffer).unwrap_or(0);
        }
        bytes
    })
}

/// Asks for registers as fast as it is answered, until told to stop; returns how often.
fn flood(port: u16, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    let ask = move || {
        let (mut requests, mut answer) = (0, [0; 4096]);
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let request = [0, 7, 0, 0, 0, 6, 1, 4, 0, 100, 0, 120].repeat(10);
            while !stop.load(Ordering::Relaxed)
                && stream.write_all(&request).is_ok()
                && matches!(stream.read(&mut answer), Ok(1..))
            {
                requests += 10;
            }
        }
        requests
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(ask).unwrap()
}
