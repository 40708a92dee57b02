//! Mutated requests, packets, messages and gateway files: each is taken or refused, without a panic and within bounds.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuzzing::Fuzz;
use gateway::config::{Config, PageConfig, TEMPLATE, WordOrder};
use gateway::line::{CommandQueue, Hub, LineState};
use gateway::modbus::{Image, MAX_FRAME, Writes, answer, frame_len};
use gateway::mqtt::{Happened, Login, MAX_PACKET, Protocol};
use gateway::page::{Page, Role, set_password};
use shared_format::gateway::{Decoder, Hello, LineMessage, LineStatus, MAX_LEN, Message, Product, cut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// Lengths and counts at the limits.
const NUMBERS: [&[u8]; 6] = [b"\0\0", b"\xff\xff", b"\0\x7d", b"\0\x7e", b"\x07\xd0", b"\0\xff"];

fn hello() -> LineMessage {
    LineMessage::Hello(Hello { line: cut("line 1"), version: cut("0"), run: 1, products: 2, accepts: 511 })
}

fn status() -> LineMessage {
    LineMessage::Status(LineStatus {
        uptime_s: 1,
        product: 0,
        camera: shared_format::gateway::Camera::Live,
        alarms: 0,
        under_way: 0,
        challenge_left: 0,
        memory_kib: 0,
        problems: 0,
        counters: Default::default(),
    })
}

/// The header, and unit and request.
fn frame(request: &[u8]) -> Vec<u8> {
    [&[0, 1, 0, 0, 0, request.len() as u8 + 1, 1], request].concat()
}

#[test]
fn modbus_requests() {
    let valid = [
        frame(&[1, 0, 0, 0, 4]),
        frame(&[2, 0, 0, 0, 32]),
        frame(&[3, 0, 100, 0, 120]),
        frame(&[4, 0, 0, 0, 2]),
        frame(&[5, 0, 16, 0xff, 0]),
        frame(&[6, 0, 2, 0, 1]),
        frame(&[15, 0, 16, 0, 2, 1, 3]),
        frame(&[16, 0, 0, 0, 6, 12, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]),
        [frame(&[4, 0, 0, 0, 2]), frame(&[4, 0, 100, 0, 120])].concat(),
    ];
    let (hub, mut queue) = Hub::new();
    hub.apply(hello());
    hub.apply(status());
    let stats =
        Fuzz::new("modbus_requests", 20_000).memory_mib(1).dictionary(&NUMBERS).run(&valid, |bytes| {
            let mut writes = Writes::new(WordOrder::HighFirst);
            let image = Image::of(&hub.line(), WordOrder::HighFirst, writes.registers());
            let mut response = vec![];
            let (mut rest, mut answered) = (bytes, false);
            while let Ok(Some(length)) = frame_len(rest) {
                let Some((request, next)) = rest.split_at_checked(length) else { break };
                let exception =
                    answer(request, &image, &mut |write| writes.write(&write, &hub), &mut response).unwrap();
                // Whatever was asked, the answer is a frame for the same transaction and unit.
                assert_eq!(frame_len(&response), Ok(Some(response.len())));
                assert!(
                    response.len() <= MAX_FRAME && response[..2] == request[..2] && response[6] == request[6]
                );
                assert_eq!(exception, response[7] & 0x80 != 0);
                answered |= !exception;
                rest = next;
            }
            while queue.try_recv().is_ok() {}
            answered
        });
    assert!(stats.accepted > stats.inputs / 20 && stats.accepted < stats.inputs, "{stats:?}");
}

#[test]
fn mqtt_packets() {
    let login = Login {
        client_id: "a".to_owned(),
        user: Some("b".to_owned()),
        password: Some("c".to_owned()),
        keep_alive_s: 30,
        state_topic: "t/state".to_owned(),
        max_packet: MAX_PACKET,
    };
    let accepted = [0x20, 2, 0, 0];
    let message = [&[0x32, 11, 0, 3][..], b"t/c", &[0, 9], b"text"].concat();
    let valid = [
        accepted.to_vec(),
        [&accepted[..], &[0x40, 2, 0, 1], &[0x90, 3, 0, 2, 1], &[0xd0, 0], &message].concat(),
        [&accepted[..], &message.repeat(20)].concat(),
    ];
    let long: &[u8] = b"\xff\xff\xff\x7f";
    let dictionary = [&NUMBERS[..], &[long, b"\x80\x80\x80\x80\x01", b"\x20\x02\0\x05"]].concat();
    let stats =
        Fuzz::new("mqtt_packets", 20_000).memory_mib(2).dictionary(&dictionary).run(&valid, |bytes| {
            let mut protocol = Protocol::start(&login, true).unwrap();
            let mut happened = vec![];
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let mut result = protocol.receive(first, &mut happened);
            if result.is_ok() && happened.contains(&Happened::Accepted) {
                assert_eq!(protocol.publish("t/parts", b"{}", false), Ok(1));
                protocol.subscribe("t/command/+").unwrap();
            }
            result = result.and_then(|()| protocol.receive(second, &mut happened));
            if let Err(e) = &result {
                assert!(!e.to_string().is_empty());
            }
            result.is_ok() && happened.contains(&Happened::Accepted)
        });
    assert!(stats.accepted > stats.inputs / 20 && stats.accepted < stats.inputs, "{stats:?}");
}

#[test]
fn line_messages() {
    let product = LineMessage::Product(Product { index: 1, name: cut("cap") });
    let bytes = |message: &LineMessage| message.encode(&mut [0; MAX_LEN]).unwrap().to_vec();
    let all = [hello(), product, status()].map(|message| bytes(&message));
    let valid = [all.concat(), all[2].clone()];
    let stats = Fuzz::new("line_messages", 20_000).memory_mib(4).dictionary(&NUMBERS).run(&valid, |bytes| {
        let (mut decoder, mut line, mut events) = (Decoder::default(), LineState::default(), vec![]);
        let mut read = false;
        for byte in bytes {
            if let Some(Ok(message)) = decoder.push(*byte) {
                read = true;
                line.apply(message, &mut events);
            }
        }
        read
    });
    assert!(stats.accepted > stats.inputs / 20 && stats.accepted < stats.inputs, "{stats:?}");
}

#[test]
fn gateway_files() {
    let lines = TEMPLATE.lines().filter(|line| !line.starts_with("# "));
    let every_key: String =
        lines.map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect();
    let valid =
        [every_key.into_bytes(), b"[line]\nsocket = \"x\"\n[metrics]\nlisten = \"127.0.0.1:1\"\n".to_vec()];
    let stats = Fuzz::new("gateway_files", 2_000).memory_mib(8).run(&valid, |bytes| {
        match Config::parse(bytes, Path::new("gateway.toml")) {
            Ok(_) => true,
            Err(e) => {
                assert!(!e.to_string().is_empty());
                false
            }
        }
    });
    assert!(stats.accepted > 0 && stats.accepted < stats.inputs, "{stats:?}");
}

/// Sends bytes to the page and returns what comes back before it hangs up.
async fn exchange(page: &Arc<Page>, request: &[u8]) -> Vec<u8> {
    let (browser, server) = tokio::io::duplex(64 << 10);
    let (mut reading, mut writing) = tokio::io::split(browser);
    let served = page.serve(server, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let browse = async {
        let mut answer = vec![];
        let write = async {
            // The page may hang up before it has read everything. It also hangs up when it has waited long enough for more.
            let _ = writing.write_all(request).await;
        };
        tokio::join!(write, async { drop(reading.read_to_end(&mut answer).await) });
        answer
    };
    let both = async { tokio::join!(served, browse).1 };
    tokio::time::timeout(Duration::from_secs(1000), both).await.unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Stands for the session's token and its second value, which are random.
const TOKEN: &str = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT";
const CSRF: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
const RECORD: &str = "20261125-030101-000007-00000001";

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").into_bytes()
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{headers}content-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A page with a record and a person who is logged in.
struct FuzzedPage {
    page: Arc<Page>,
    hub: Hub,
    queue: CommandQueue,
    runtime: tokio::runtime::Runtime,
    token: String,
    csrf: String,
    _folder: tempfile::TempDir,
}

impl FuzzedPage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("records");
        let record = records.join(RECORD);
        std::fs::create_dir_all(&record).unwrap();
        std::fs::write(record.join("record.json"), "{\"product\":\"a protected product\"}").unwrap();
        std::fs::write(record.join("overlay.png"), "a protected picture").unwrap();
        std::fs::write(folder.path().join("overlay.png"), "the secret").unwrap();
        set_password(folder.path(), Role::Operator, "a good password").unwrap();
        let config = PageConfig {
            listen: "127.0.0.1:1".parse().unwrap(),
            folder: folder.path().to_owned(),
            records: Some(records),
            certificate: None,
            key: None,
            proxy: false,
            session_hours: 100,
            max_browsers: 4,
        };
        let (hub, queue) = Hub::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Time passes while nothing else happens: no input has to wait for the page's time-outs.
            .start_paused(true)
            .build()
            .unwrap();
        let page = Page::new(&config, hub.clone()).unwrap();
        let login =
            post("/api/login", "", r#"{"role":"operator","name":"anna","password":"a good password"}"#);
        let opened = String::from_utf8(runtime.block_on(exchange(&page, &login))).unwrap();
        let after = |mark: &str| opened.split_once(mark).unwrap().1.get(..64).unwrap().to_owned();
        let (token, csrf) = (after("nominal="), after("\"csrf\":\""));
        hub.apply(hello());
        Self { page, hub, queue, runtime, token, csrf, _folder: folder }
    }

    /// Sends a request and returns the answer, and the number of commands that reached the line.
    fn send(&mut self, request: &[u8]) -> (Vec<u8>, usize) {
        let Self { page, hub, queue, runtime, .. } = self;
        let (answer, mut commands) = runtime.block_on(async {
            let mut exchanged = std::pin::pin!(exchange(page, request));
            let mut commands = 0;
            loop {
                tokio::select! {
                    answer = &mut exchanged => break (answer, commands),
                    Some(_) = queue.recv() => {
                        commands += 1;
                        // Whoever waits for the outcome learns that the line is gone.
                        hub.disconnect();
                    }
                }
            }
        });
        while queue.try_recv().is_ok() {
            commands += 1;
        }
        hub.apply(hello());
        (answer, commands)
    }
}

/// Replaces what stands for a text of the same length.
fn fill_in(bytes: &mut [u8], place: &str, text: &str) -> bool {
    let found: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(place.as_bytes())).collect();
    for at in &found {
        bytes[*at..*at + place.len()].copy_from_slice(text.as_bytes());
    }
    !found.is_empty()
}

#[test]
fn page_requests() {
    let cookie = format!("cookie: nominal={TOKEN}\r\n");
    let both = format!("{cookie}x-nominal-csrf: {CSRF}\r\n");
    let valid = [
        get("/", ""),
        get("/api/session", &cookie),
        get("/api/records?place=rejected&count=2", &cookie),
        get(&format!("/api/records/{RECORD}/overlay"), &cookie),
        get("/api/records/../overlay.png/overlay", &cookie),
        [get("/api/parts", &cookie), get("/api/log", &cookie), get("/health", "")].concat(),
        post("/api/command", &both, r#"{"command":"product","index":1}"#),
        post("/api/command", &cookie, r#"{"command":"acknowledge"}"#),
        post("/api/command", "", r#"{"command":"acknowledge"}"#),
        [get("/api/tasks", &cookie), get("/api/photos/1?of=cap", &cookie)].concat(),
        post("/api/task", &both, r#"{"task":"take_photos","product":1,"parts":50}"#),
        post("/api/task", &both, r#"{"task":"set_threshold","product":0,"value":1.5e2}"#),
        post("/api/task", &cookie, r#"{"task":"leave_out","product":0,"photo":7,"out":true}"#),
    ];
    let dictionary: [&[u8]; 7] =
        [b"../", b"%2e%2e%2f", b"\0", b"\r\n", b"chunked", b"transfer-encoding: chunked\r\n", b"99999999999"];
    // The page is made in the first turn: to hash and to check a password takes 19 MiB.
    let mut fuzzed = None;
    let fuzz = Fuzz::new("page_requests", 10_000).memory_mib(32).dictionary(&dictionary);
    let stats = fuzz.run(&valid, |bytes| {
        let fuzzed = fuzzed.get_or_insert_with(FuzzedPage::start);
        let mut request = bytes.to_vec();
        let is_logged_in = fill_in(&mut request, TOKEN, &fuzzed.token);
        let has_csrf = fill_in(&mut request, CSRF, &fuzzed.csrf);
        let (answer, commands) = fuzzed.send(&request);
        assert!(!contains(&answer, "the secret") && !contains(&answer, "HTTP/1.1 5"));
        assert!(is_logged_in || !contains(&answer, "protected"));
        assert!(commands == 0 || (is_logged_in && has_csrf));
        contains(&answer, "HTTP/1.1 200")
    });
    assert!(stats.accepted > stats.inputs / 50 && stats.accepted < stats.inputs, "{stats:?}");
}
