//! The gateway's socket, as a gateway sees it.
#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edge_runtime::clock::Moment;
use edge_runtime::line_file::{LineFile, TEMPLATE};
use edge_runtime::link::socket::{SocketLink, SocketReceiver};
use edge_runtime::link::{LinkCounts, Links};
use edge_runtime::part::{Disposition, PartVerdict, Reason, Release};
use edge_runtime::report::PartReport;
use shared_format::Verdict;
use shared_format::gateway::{
    Answer, Command, Decide, Decision, Decoder, GatewayMessage, Hello, LineMessage, MAX_LEN, Message,
    Outcome, PartMessage, Task, TaskRequest, cut,
};

const LONG: Duration = Duration::from_secs(20);
/// As many as the socket's thread can wait for.
const MAX_CONNECTIONS: usize = 3;

/// What a receiver was asked.
#[derive(Default)]
struct Asked {
    commands: Mutex<Vec<Command>>,
    /// Decisions that wait for an answer, with their connections.
    decisions: Mutex<Vec<(u64, Decide)>>,
    connected: AtomicBool,
    urgent: AtomicBool,
}

struct Receiver(Arc<Asked>);

impl SocketReceiver for Receiver {
    fn connected(&mut self, on: bool) {
        self.0.connected.store(on, Ordering::Release);
    }

    fn execute(&mut self, command: Command, _now: Moment) -> Outcome {
        self.0.commands.lock().unwrap().push(command);
        Outcome::Done
    }

    fn decide(&mut self, connection: u64, decide: Decide) -> Option<Outcome> {
        if decide.record.is_empty() {
            return Some(Outcome::Refused);
        }
        self.0.decisions.lock().unwrap().push((connection, decide));
        None
    }

    fn task(&mut self, _connection: u64, task: TaskRequest) -> Option<Outcome> {
        Some(if task.product == 0 { Outcome::Begun } else { Outcome::Refused })
    }

    fn answers(&mut self) -> Vec<(u64, Answer)> {
        let mut waiting = self.0.decisions.lock().unwrap();
        // The last one first: answers need not come in the order of the decisions.
        let answers = waiting.drain(..).rev();
        answers
            .map(|(from, decide)| (from, Answer { number: decide.number, outcome: Outcome::Gone }))
            .collect()
    }

    fn hello(&mut self) -> Vec<LineMessage> {
        vec![hello()]
    }

    fn status(&mut self) -> Vec<LineMessage> {
        vec![LineMessage::Latency(Default::default())]
    }

    fn is_urgent(&mut self) -> bool {
        self.0.urgent.swap(false, Ordering::AcqRel)
    }
}

fn hello() -> LineMessage {
    LineMessage::Hello(Hello { line: cut("line 1"), version: cut("0"), run: 3, products: 0, accepts: 0 })
}

struct Line {
    folder: tempfile::TempDir,
    link: Arc<SocketLink>,
    asked: Arc<Asked>,
}

impl Line {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = Self { link: link(&folder.path().join("socket")), folder, asked: Arc::default() };
        line.link.listen(Box::new(Receiver(Arc::clone(&line.asked)))).unwrap();
        wait_until("the socket is open", || line.link.is_open());
        line
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn connect(&self) -> Gateway {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Gateway { stream, decoder: Decoder::default() }
    }

    fn subscribed(&self) -> Gateway {
        let mut gateway = self.connect();
        gateway.send(GatewayMessage::Subscribe);
        wait_until("it is subscribed", || self.link.counts().connected);
        gateway
    }

    fn report(&self, part: u64) {
        let at = |ms: u64| Moment(ms * 1_000_000);
        let verdict = PartVerdict {
            part,
            verdict: Verdict::Reject,
            other_product: false,
            zone: None,
            view: None,
            score: Some(0.87),
            threshold: 0.5,
            frames: 3,
            captured_at: Some(at(20)),
        };
        let release = Release {
            part,
            product: 1,
            triggered_at: at(10),
            released_at: at(410),
            lateness: Duration::from_micros(12),
            verdict: Some(verdict),
            disposition: Disposition::Reject,
            reason: Reason::Verdict,
        };
        self.link.send(PartReport { run: 7, product: "cap".into(), view: None, release });
    }
}

fn link(path: &Path) -> Arc<SocketLink> {
    let text = format!("{TEMPLATE}\n[socket]\npath = {path:?}");
    let line = LineFile::parse(text.as_bytes(), Path::new("line.toml")).unwrap();
    Arc::clone(Links::of(&line).unwrap().socket().unwrap())
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {LONG:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

struct Gateway {
    stream: UnixStream,
    decoder: Decoder,
}

impl Gateway {
    fn send(&mut self, message: GatewayMessage) {
        self.stream.write_all(message.encode(&mut [0; MAX_LEN]).unwrap()).unwrap();
    }

    fn next(&mut self) -> LineMessage {
        loop {
            let mut byte = [0];
            assert_eq!(self.stream.read(&mut byte).unwrap(), 1, "the line has hung up");
            if let Some(message) = self.decoder.push(byte[0]) {
                return message.unwrap();
            }
        }
    }

    fn next_part(&mut self) -> PartMessage {
        loop {
            if let LineMessage::Part(part) = self.next() {
                return part;
            }
        }
    }

    fn next_answer(&mut self) -> (u32, Outcome) {
        loop {
            if let LineMessage::Answer(answer) = self.next() {
                return (answer.number, answer.outcome);
            }
        }
    }
}

#[test]
fn a_gateway_is_greeted_and_gets_parts_once_it_has_subscribed() {
    let line = Line::start();
    let mode = std::fs::metadata(line.path()).unwrap();
    assert!(mode.file_type().is_socket() && mode.permissions().mode() & 0o777 == 0o660);
    line.report(1);
    let mut gateway = line.connect();
    assert_eq!(gateway.next(), hello());
    assert_eq!(gateway.next(), LineMessage::Latency(Default::default()));
    assert!(!line.link.counts().connected && !line.asked.connected.load(Ordering::Acquire));
    gateway.send(GatewayMessage::Subscribe);
    assert_eq!(gateway.next_part().telegram.part, 1);
    wait_until("it is connected", || line.asked.connected.load(Ordering::Acquire));
    line.report(2);
    let part = gateway.next_part();
    assert_eq!((part.telegram.part, part.frames, part.lateness_us), (2, 3, 12));
    assert_eq!((part.capture_to_release_us, part.trigger_to_release_us), (Some(390_000), 400_000));

    // Reports wait for the next gateway.
    drop(gateway);
    wait_until("it is gone", || !line.asked.connected.load(Ordering::Acquire));
    line.report(3);
    let mut next = line.subscribed();
    assert_eq!(next.next_part().telegram.part, 3);
    wait_until("the next one is connected", || line.link.counts().connected);
    assert_eq!(line.link.counts(), LinkCounts { connected: true, opened: 2, dropped: 0 });
}

#[test]
fn commands_are_answered_by_number_and_garbage_between_them_is_counted() {
    let line = Line::start();
    let mut gateway = line.connect();
    gateway.send(GatewayMessage::Command { number: 7, command: Command::Acknowledge });
    gateway.stream.write_all(b"\x01garbage\0\0T\n\0").unwrap();
    gateway.stream.write_all(&[0x55; 3000]).unwrap();
    gateway.stream.write_all(&[0]).unwrap();
    gateway.send(GatewayMessage::Command { number: 8, command: Command::Product { index: 2 } });
    assert_eq!(gateway.next_answer(), (7, Outcome::Done));
    assert_eq!(gateway.next_answer(), (8, Outcome::Done));
    let commands = [Command::Acknowledge, Command::Product { index: 2 }];
    assert_eq!(*line.asked.commands.lock().unwrap(), commands);
    assert_eq!(line.link.garbage(), 3);
}

#[test]
fn a_task_is_answered_by_its_number_and_one_without_a_number_is_garbage() {
    let line = Line::start();
    let mut gateway = line.connect();
    let task =
        |number, product, task| GatewayMessage::Task(TaskRequest { number, product, by: cut("anna"), task });
    gateway.send(task(5, 0, Task::TryLearning));
    gateway.send(task(6, 1, Task::SetThreshold { value: 0.5 }));
    assert_eq!((gateway.next_answer(), gateway.next_answer()), ((5, Outcome::Begun), (6, Outcome::Refused)));
    // A threshold that is no number can't be encoded, and a flipped bit is noticed.
    let mut buffer = [0; MAX_LEN];
    let mut bytes = task(7, 0, Task::SetThreshold { value: 0.5 }).encode(&mut buffer).unwrap().to_vec();
    bytes[5] ^= 1;
    gateway.stream.write_all(&bytes).unwrap();
    gateway.send(task(8, 0, Task::Stop));
    assert_eq!(gateway.next_answer(), (8, Outcome::Begun));
    assert!(line.link.garbage() >= 1);
}

#[test]
fn a_decision_is_answered_later_and_only_where_it_came_from() {
    let line = Line::start();
    let (mut first, mut second) = (line.subscribed(), line.connect());
    let decide = |number, record| {
        GatewayMessage::Decide(Decide {
            number,
            record: cut(record),
            decision: Decision::Unsure,
            kind: cut(""),
            by: cut("anna"),
            replace: false,
        })
    };
    first.send(decide(5, "20261125-030101-000012-00000345"));
    second.send(decide(6, "20261125-030101-000012-00000345"));
    second.send(decide(7, ""));
    assert_eq!(first.next_answer(), (5, Outcome::Gone));
    let mut answers = [second.next_answer(), second.next_answer()];
    answers.sort_by_key(|(number, _)| *number);
    assert_eq!(answers, [(6, Outcome::Gone), (7, Outcome::Refused)]);
}

#[test]
fn a_gateway_that_does_not_read_loses_reports_and_delays_nobody() {
    let line = Line::start();
    let (_deaf, mut other) = (line.subscribed(), line.subscribed());
    // Once this is answered, the subscription before it is in force.
    other.send(GatewayMessage::Command { number: 1, command: Command::Acknowledge });
    other.next_answer();
    let mut slowest = Duration::ZERO;
    for part in 1..20_000 {
        let begin = Instant::now();
        line.report(part);
        slowest = slowest.max(begin.elapsed());
        while other.next_part().telegram.part != part {}
    }
    assert!(line.link.counts().dropped > 1000, "{:?}", line.link.counts());
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn a_gateway_that_floods_is_read_at_a_bounded_rate() {
    let line = Line::start();
    let flooding = line.connect();
    let mut stream = flooding.stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let mut buffer = [0; MAX_LEN];
        let message = GatewayMessage::Command { number: 1, command: Command::Acknowledge };
        let bytes = message.encode(&mut buffer).unwrap().repeat(100);
        while stream.write_all(&bytes).is_ok() {}
    });
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    let commands = line.asked.commands.lock().unwrap().len();
    // 16 KiB at once and 64 KiB in a second, 9 bytes each; an emulated processor takes fewer.
    let most = 3000 + (9000.0 * begin.elapsed().as_secs_f64()) as usize;
    assert!((200..most).contains(&commands), "{commands} of {most}");
    line.report(1);
    assert_eq!(line.subscribed().next_part().telegram.part, 1);
    flooding.stream.shutdown(std::net::Shutdown::Both).unwrap();
    flood.join().unwrap();
}

#[test]
fn an_urgent_status_does_not_wait() {
    let line = Line::start();
    let mut gateway = line.connect();
    gateway.next();
    for _ in 0..3 {
        gateway.next();
        let begin = Instant::now();
        line.asked.urgent.store(true, Ordering::Release);
        gateway.next();
        assert!(begin.elapsed() < Duration::from_millis(400), "{:?}", begin.elapsed());
    }
}

#[test]
fn more_gateways_than_there_is_room_for_wait() {
    let line = Line::start();
    let mut all: Vec<_> = (0..MAX_CONNECTIONS).map(|_| line.connect()).collect();
    all.iter_mut().for_each(|gateway| assert_eq!(gateway.next(), hello()));
    let mut one_more = line.connect();
    one_more.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(one_more.stream.read(&mut [0]).is_err());
    all.pop();
    one_more.stream.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(one_more.next(), hello());
}

#[test]
fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let line = Line::start();
    let second = link(&line.path());
    second.listen(Box::new(Receiver(Arc::default()))).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(!second.is_open());
    let path = line.path();
    drop(line.link);
    assert!(!path.exists(), "it was not removed");
    // As a killed program leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    wait_until("the second takes over", || second.is_open());
    drop(second);

    std::fs::write(&path, b"a file of somebody else").unwrap();
    let third = link(&path);
    third.listen(Box::new(Receiver(Arc::default()))).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(!third.is_open());
    drop(third);
    assert_eq!(std::fs::read(&path).unwrap(), b"a file of somebody else");
}
