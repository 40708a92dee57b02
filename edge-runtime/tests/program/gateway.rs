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
    Answer, Command as LineCommand, Decoder, GatewayMessage, LineMessage, LineStatus, MAX_LEN, Message,
    Outcome,
};

use crate::line::{LONG, fixture, line_file};
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
    for (index, spot) in [0u8, 250, 0, 250, 0].into_iter().enumerate() {
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
    let text = line_file(socket)
        .replace("kind = \"frame\"", "kind = \"socket\"")
        .replace("repeat = false", "repeat = true")
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
fn a_flooded_gateway_and_a_broker_that_stops_reading_change_no_disposition() {
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
    let neighbours = format!(
        "[line]\nsocket = \"line.sock\"\n[modbus]\nlisten = \"127.0.0.1:{port}\"\nmax_clients = 200\n\
         [mqtt]\nhost = \"127.0.0.1\"\nport = {broker_port}\n"
    );
    // The line ends with its frames: it is started last, and the gateway waits for it.
    fixture.write("gateway.toml", neighbours.as_bytes());
    let run = gateway.arg("run").arg(fixture.path("gateway.toml")).stderr(Stdio::null()).spawn().unwrap();
    let _gateway = Process(run);
    wait_until("the gateway listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let stop = Arc::new(AtomicBool::new(false));
    let flooders: Vec<_> = (0..200).map(|_| flood(port, Arc::clone(&stop))).collect();
    let (_line, parts) = start(&fixture);
    let parts: Vec<Value> = parts.collect();
    stop.store(true, Ordering::Relaxed);
    let requests: u64 = flooders.into_iter().map(|flooder| flooder.join().unwrap()).sum();
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
    println!("{requests} Modbus requests; lateness p50 {} ms, p99 {} ms", lateness[125], lateness[247]);
    assert!(requests > 0);
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
