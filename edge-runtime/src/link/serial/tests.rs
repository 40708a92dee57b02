use super::*;
use crate::input::Event;
use crate::input::EventKind;
use crate::input::encoder_count::EncoderCount;
use crate::input::serial::{CommandCounts, Handlers, PeerCommands};
use crate::line_file::SerialFormat;
use crate::report::part::tests::rejected;
use serialport::{SerialPort, TTYPort};
use shared_format::telegram::Decoder;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Opening a pair of pseudo-terminals is not thread-safe.
static PAIRS: Mutex<()> = Mutex::new(());

/// A device that can be unplugged: a link to a pseudo-terminal.
struct Cable {
    folder: tempfile::TempDir,
    peer: Option<TTYPort>,
    /// Held open, so that what was sent can be read after the other end is closed.
    device: Option<TTYPort>,
    /// Whether the line takes triggers and counts.
    takes: bool,
    /// Whether the line was last told that the device is open.
    connected: Arc<AtomicBool>,
}

impl Cable {
    fn new() -> Self {
        let (folder, connected) = (tempfile::tempdir().unwrap(), Arc::default());
        Self { folder, peer: None, device: None, takes: true, connected }
    }

    fn plugged_in() -> Self {
        let mut cable = Self::new();
        cable.plug_in();
        cable
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tty")
    }

    fn plug_in(&mut self) {
        let _guard: MutexGuard<'_, ()> = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut peer, device) = TTYPort::pair().unwrap();
        peer.set_timeout(Duration::from_millis(20)).unwrap();
        symlink(device.name().unwrap(), self.path()).unwrap();
        (self.peer, self.device) = (Some(peer), Some(device));
    }

    fn unplug(&mut self) {
        (self.peer, self.device) = (None, None);
        std::fs::remove_file(self.path()).unwrap();
    }

    fn say(&mut self, text: &[u8]) {
        self.peer.as_mut().unwrap().write_all(text).unwrap();
    }

    /// Reads until `enough` returns true for what was read.
    fn hear(&mut self, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let until = Instant::now() + LONG;
        let (mut heard, mut bytes) = (vec![], [0; 4096]);
        while !enough(&heard) {
            assert!(Instant::now() < until, "heard only {:?}", String::from_utf8_lossy(&heard));
            if let Ok(read) = self.peer.as_mut().unwrap().read(&mut bytes) {
                heard.extend_from_slice(&bytes[..read]);
            }
        }
        heard
    }

    fn hear_lines(&mut self, lines: usize) -> Vec<String> {
        let heard = self.hear(|bytes| text_lines(bytes).len() >= lines && bytes.ends_with(b"\n"));
        text_lines(&heard)
    }

    fn open(&self, format: SerialFormat) -> (Peer, Receiver<Event>) {
        let (sender, events) = channel();
        let connected = Arc::clone(&self.connected);
        let handlers = Handlers {
            products: vec!["cap".into(), "cap-500".into()],
            event: Box::new(move |event| sender.send(event).expect("the test still listens")),
            triggers: self.takes,
            encoder: self.takes.then(|| EncoderCount::new(100, None)),
            status: Box::new(|| "S 9 4 3 2 1 0 5 -".into()),
            connected: Box::new(move |on| connected.store(on, Ordering::Release)),
        };
        let serial = SerialConfig { device: self.path(), baud: 115_200, format };
        let (link, commands) = (SerialLink::new(&serial).unwrap(), PeerCommands::new(handlers));
        let counts = commands.counts();
        link.listen(Box::new(commands)).unwrap();
        (Peer { link, commands: counts }, events)
    }
}

/// Both ends of a link.
struct Peer {
    link: SerialLink,
    commands: Arc<CommandCounts>,
}

impl Peer {
    fn counts(&self) -> LinkCounts {
        self.link.counts()
    }
}

/// Lines of text; empty ones mean nothing.
fn text_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn report(peer: &Peer, part: u64) {
    let mut report = rejected();
    report.release.part = part;
    peer.link.send(report);
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < until, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn next(events: &Receiver<Event>) -> EventKind {
    events.recv_timeout(LONG).unwrap().kind
}

#[test]
fn parts_are_lines_of_text() {
    let mut cable = Cable::plugged_in();
    let (peer, _events) = cable.open(SerialFormat::Text);
    (1..=3).for_each(|part| report(&peer, part));
    let expected = [1, 2, 3].map(|part| format!("P {part} REJECT 0.87000"));
    assert_eq!(cable.hear_lines(3), expected);
    assert_eq!(peer.counts().dropped, 0);
}

#[test]
fn parts_are_telegrams_and_nothing_else() {
    let mut cable = Cable::plugged_in();
    let (peer, events) = cable.open(SerialFormat::Telegram);
    // These have answers in text mode.
    cable.say(b"?\nnonsense\nT\n");
    assert_eq!(next(&events), EventKind::Trigger);
    (1..=3).for_each(|part| report(&peer, part));
    let heard = cable.hear(|bytes| bytes.iter().filter(|byte| **byte == 0).count() == 4);
    let parts: Vec<_> = Decoder::new().extend(&heard).map(|telegram| telegram.unwrap().part).collect();
    assert_eq!(parts, [1, 2, 3]);
}

#[test]
fn commands_are_events_in_order_and_with_the_present_time() {
    let mut cable = Cable::plugged_in();
    let (peer, events) = cable.open(SerialFormat::Text);
    let before = crate::clock::Moment::now();
    cable.say(b"T\r\nE 100\nE 107\nE 3\nE 5\nP cap-500\nC\nA\n");
    let first = events.recv_timeout(LONG).unwrap();
    assert_eq!(first.kind, EventKind::Trigger);
    assert!(before <= first.at && first.at <= crate::clock::Moment::now());
    let expected = [
        EventKind::Encoder { ticks: 7 },
        EventKind::EncoderJump,
        EventKind::Encoder { ticks: 2 },
        EventKind::Product(1),
        EventKind::Challenge,
        EventKind::Acknowledge,
    ];
    assert_eq!(expected.map(|_| next(&events)), expected);
    let counts = &peer.commands;
    // Each is counted after its event.
    wait_until("the counts", || (counts.encoder_jumps(), counts.commands(), counts.refused()) == (1, 7, 0));
}

#[test]
fn questions_and_wrong_commands_are_answered_and_garbage_is_not() {
    let mut cable = Cable::plugged_in();
    let (peer, events) = cable.open(SerialFormat::Text);
    cable.say(&[0xff; 3000]);
    cable.say(b"\n\x80\x01T\n");
    cable.say(b"?\nP bottle\nX\nT\n");
    assert_eq!(next(&events), EventKind::Trigger);
    let lines = cable.hear_lines(3);
    assert_eq!(lines[..2], ["S 9 4 3 2 1 0 5 -", "ERR there is no product named bottle"]);
    assert!(lines[2].starts_with("ERR unknown command"), "{lines:?}");
    let counts = &peer.commands;
    wait_until("the counts", || (counts.garbage(), counts.refused(), counts.commands()) == (2, 2, 2));
}

#[test]
fn triggers_and_counts_that_the_line_does_not_take_are_refused_with_a_sentence() {
    let mut cable = Cable::new();
    cable.takes = false;
    cable.plug_in();
    let (peer, events) = cable.open(SerialFormat::Text);
    cable.say(b"T\nE 5\nA\n");
    assert_eq!(next(&events), EventKind::Acknowledge);
    let lines = cable.hear_lines(2);
    assert!(lines[0].starts_with("ERR T is accepted only if"), "{lines:?}");
    assert!(lines[1].starts_with("ERR E is accepted only with"), "{lines:?}");
    wait_until("the counts", || (peer.commands.refused(), peer.commands.commands()) == (2, 1));
}

#[test]
fn a_device_that_comes_and_goes_is_looked_for_less_and_less_often() {
    let mut cable = Cable::plugged_in();
    let (peer, _events) = cable.open(SerialFormat::Text);
    wait_until("the device", || peer.counts().connected);
    let start = Instant::now();
    for opened in 1..=4 {
        cable.unplug();
        wait_until("the loss", || !peer.counts().connected);
        cable.plug_in();
        wait_until("the device", || peer.counts().opened > opened);
    }
    // 0.1 + 0.2 + 0.4 + 0.8 s.
    assert!(start.elapsed() > Duration::from_millis(1400), "{:?}", start.elapsed());
}

#[test]
fn a_thread_that_panics_is_noticed() {
    let mut cable = Cable::plugged_in();
    let (peer, events) = cable.open(SerialFormat::Text);
    assert!(!peer.link.has_ended());
    // The receiver of the events is gone.
    drop(events);
    cable.say(b"T\n");
    wait_until("the end", || peer.link.has_ended());
}

#[test]
fn a_peer_that_never_reads_costs_the_oldest_parts_and_nobody_waits() {
    let mut cable = Cable::plugged_in();
    let (peer, events) = cable.open(SerialFormat::Text);
    wait_until("the device", || peer.counts().connected);
    let start = Instant::now();
    (1..=20_000).for_each(|part| report(&peer, part));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    wait_until("a loss", || peer.counts().dropped > 0);
    // It still listens.
    cable.say(b"T\n");
    assert_eq!(next(&events), EventKind::Trigger);
    // Once the peer reads, it gets whole lines in order, and the newest.
    let lines = cable.hear_lines(20_000 - usize::try_from(peer.counts().dropped).unwrap());
    let parts: Vec<u64> = lines.iter().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert!(parts.is_sorted());
    assert_eq!(parts.last(), Some(&20_000));
    // Dropping doesn't wait for it either.
    (1..=20_000).for_each(|part| report(&peer, part));
    let start = Instant::now();
    drop(peer);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_device_that_comes_late_goes_away_and_comes_back_is_used() {
    let mut cable = Cable::new();
    let (peer, events) = cable.open(SerialFormat::Text);
    report(&peer, 1);
    thread::sleep(Duration::from_millis(50));
    assert!(!peer.counts().connected);
    cable.plug_in();
    assert_eq!(cable.hear_lines(1), ["P 1 REJECT 0.87000"]);
    // Half a command is lost with the cable.
    cable.say(b"E 4");
    wait_until("the device", || peer.counts().connected);
    assert!(cable.connected.load(Ordering::Acquire));
    cable.unplug();
    wait_until("the loss", || !peer.counts().connected);
    assert!(!cable.connected.load(Ordering::Acquire), "the line was not told");
    report(&peer, 2);
    cable.plug_in();
    assert_eq!(cable.hear_lines(1), ["P 2 REJECT 0.87000"]);
    cable.say(b"T\n");
    assert_eq!(next(&events), EventKind::Trigger);
    let counts = peer.counts();
    assert_eq!((counts.opened, counts.dropped, peer.commands.refused()), (2, 0, 0));
}

#[test]
fn the_end_delivers_what_waits_and_counts_what_it_cannot() {
    let mut cable = Cable::plugged_in();
    let (peer, _events) = cable.open(SerialFormat::Text);
    wait_until("the device", || peer.counts().connected);
    (1..=20).for_each(|part| report(&peer, part));
    drop(peer);
    assert_eq!(cable.hear_lines(20).len(), 20);

    let nothing = Cable::new();
    let (peer, _events) = nothing.open(SerialFormat::Text);
    (1..=5).for_each(|part| report(&peer, part));
    let shared = Arc::clone(&peer.link.shared);
    let start = Instant::now();
    drop(peer);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(shared.queue.dropped(), 5);
}

#[test]
fn one_end_listens_and_reports_wait_for_it() {
    let mut cable = Cable::plugged_in();
    let serial = SerialConfig { device: cable.path(), baud: 115_200, format: SerialFormat::Text };
    let link = SerialLink::new(&serial).unwrap();
    link.send(rejected());
    assert!(!link.has_ended() && !link.counts().connected);
    link.listen(Box::new(Deaf)).unwrap();
    assert_eq!(cable.hear_lines(1), ["P 123 REJECT 0.87000"]);
    let again = link.listen(Box::new(Deaf)).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
}

/// A receiving end that ignores everything.
struct Deaf;

impl LinkReceiver for Deaf {
    fn connected(&mut self, _on: bool) {}

    fn receive(&mut self, _bytes: &[u8], _now: crate::clock::Moment, _answer: &mut dyn FnMut(String)) {}
}
