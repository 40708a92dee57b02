//! The page: who gets in, what they may do, and hostile requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gateway::tls::{Tls, connect};
use serde_json::{Value, json};
use shared_format::Disposition;
use shared_format::gateway::{Command, Decision, Task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::line::Line;
use super::page_client::{ACCEPTS, Login, OPERATOR, PICTURE, Page, record, set_password};
use super::process::{LONG, free_port, program, wait_until};

const PROTECTED: [&str; 10] = [
    "/api/tasks",
    "/api/photos/1",
    "/api/session",
    "/api/parts",
    "/api/events",
    "/api/records",
    "/api/records/20261125-030101-000007-00000001/overlay",
    "/api/log",
    "/api/nothing",
    "/passwords.json",
];

#[test]
fn without_a_login_there_is_only_the_form_and_whether_the_gateway_is_there() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    record(&line.path("records"), 1);
    let form = page.send("GET", "/", "", "");
    assert_eq!((form.status, page.send("GET", "/health", "", "").json()), (200, json!({"ok": true})));
    let policy = form.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for cookie in ["", "cookie: nominal=\r\n", "cookie: nominal=0000000000000000\r\n", "cookie: nominal\r\n"]
    {
        for path in PROTECTED {
            let answer = page.send("GET", path, cookie, "");
            assert_eq!(answer.error(), (401, "login".to_owned()), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        for path in ["/api/command", "/api/decide", "/api/task", "/api/logout"] {
            let headers = format!("{cookie}content-type: application/json\r\n");
            assert_eq!(page.send("POST", path, &headers, "{}").status, 401, "{path}");
        }
    }
    assert!(line.has_no_command() && line.has_no_decision());
}

#[test]
fn people_decide_and_command_and_the_log_says_who() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    let mode = |name: &str| line.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("page/passwords.json"), mode("page/audit.jsonl")), (0o600, 0o600));
    let names: Vec<_> = (1..=3).map(|part| record(&line.path("records"), part)).collect();

    assert_eq!(page.try_login("engineer", "anna", OPERATOR).error(), (401, "password".to_owned()));
    assert_eq!(page.try_login("operator", " \u{7} ", OPERATOR).error(), (400, "name".to_owned()));
    let operator = page.login("operator", "anna");
    let listed = page.get("/api/records?place=rejected&count=2", &operator).json();
    assert_eq!((&listed["records"][0]["name"], &listed["has_more"]), (&json!(names[2]), &json!(true)));
    let older = page.get(&format!("/api/records?count=2&before={}", names[1]), &operator).json();
    assert_eq!((&older["records"][0]["name"], &older["has_more"]), (&json!(names[0]), &json!(false)));

    let decision = json!({"record": names[0], "decision": "defect", "kind": "scratch"});
    assert_eq!(page.post("/api/decide", &operator, &decision).json(), json!({"outcome": "done"}));
    let decided = line.next_decision();
    assert_eq!((decided.record.as_str(), decided.decision), (names[0].as_str(), Decision::Defect));
    assert_eq!((decided.kind.as_str(), decided.by.as_str(), decided.replace), ("scratch", "anna", false));
    let product = json!({"command": "product", "index": 1});
    assert_eq!(page.post("/api/command", &operator, &product).json(), json!({"outcome": "done"}));
    assert_eq!(line.next_command(), Command::Product { index: 1 });

    // What only an engineer may do.
    let replace = json!({"record": names[0], "decision": "false-alarm", "replace": true});
    assert_eq!(page.post("/api/decide", &operator, &replace).error(), (403, "role".to_owned()));
    assert_eq!(page.get("/api/log", &operator).error(), (403, "role".to_owned()));
    let engineer = page.login("engineer", "Björn");
    assert_eq!(page.post("/api/decide", &engineer, &replace).status, 200);
    assert!(line.next_decision().replace);

    page.post("/api/logout", &operator, &json!({}));
    assert_eq!(page.get("/api/session", &operator).status, 401);
    let log = page.get("/api/log", &engineer).json();
    let entries: Vec<_> =
        log.as_array().unwrap().iter().rev().map(|entry| (&entry["who"], &entry["what"])).collect();
    let expected = [
        ("anna (engineer)", "wrong password"),
        ("anna (operator)", "login"),
        ("anna (operator)", "decide"),
        ("anna (operator)", "product"),
        ("Björn (engineer)", "login"),
        ("Björn (engineer)", "decide"),
        ("anna (operator)", "logout"),
    ];
    let expected: Vec<_> = expected.iter().map(|(who, what)| (json!(who), json!(what))).collect();
    assert!(entries.into_iter().eq(expected.iter().map(|(who, what)| (who, what))), "{log}");
    assert_eq!(log[3]["details"], json!({"product": "cap-500", "outcome": "done"}));
}

#[test]
fn a_line_that_is_gone_or_does_not_allow_it_is_named() {
    let line = Line::start(0);
    let page = Page::start(&line, "");
    let login = page.login("operator", "anna");
    let outcome = |page: &Page| page.post("/api/command", &login, &json!({"command": "challenge"})).json();
    assert_eq!(outcome(&page), json!({"outcome": "switched_off"}));
    let decision = json!({"record": "20261125-030101-000007-00000001", "decision": "unsure"});
    assert_eq!(page.post("/api/decide", &login, &decision).json(), json!({"outcome": "switched_off"}));
    std::fs::remove_file(line.path("line.sock")).unwrap();
    line.hang_up();
    wait_until("the line is gone", || outcome(&page) == json!({"outcome": "not_connected"}));
}

#[test]
fn neither_other_sites_nor_stolen_halves_of_a_session_change_anything() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    let (own, other) = (page.login("operator", "anna"), page.login("engineer", "ben"));
    let body = json!({"command": "acknowledge"}).to_string();
    let json_type = "content-type: application/json\r\n";
    let csrf = |login: &Login| format!("x-nominal-csrf: {}\r\n", login.csrf);
    let attempts = [
        // The cookie alone, which a browser would send along.
        (format!("{}{json_type}", own.cookie()), 403),
        (format!("{}{json_type}x-nominal-csrf: \r\n", own.cookie()), 403),
        (format!("{}{json_type}{}", own.cookie(), csrf(&other)), 403),
        // The value without the cookie.
        (format!("{json_type}{}", csrf(&own)), 401),
        // A form of another site, and a script that says where it comes from.
        (format!("{}content-type: text/plain\r\n{}", own.cookie(), csrf(&own)), 400),
        (format!("{}{json_type}{}sec-fetch-site: cross-site\r\n", own.cookie(), csrf(&own)), 400),
    ];
    for (headers, status) in attempts {
        assert_eq!(page.send("POST", "/api/command", &headers, &body).status, status, "{headers}");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(page.send(method, "/api/command", &own.cookie(), "").status, 405);
    }
    assert_eq!(page.send("GET", "/api/command", &own.cookie(), "").status, 404);
    assert!(line.has_no_command());
    let cookie = page.try_login("operator", "anna", OPERATOR).header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict;") && !cookie.contains("Secure"), "{cookie}");
}

#[test]
fn tasks_need_their_role_and_are_in_the_log_with_what_was_before() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    let (operator, engineer) = (page.login("operator", "anna"), page.login("engineer", "ben"));
    assert_eq!(page.get("/api/tasks", &operator).error(), (404, "no_tasks".to_owned()));
    line.write_tasks(&json!({"thresholds": [{"used": 0.5}, {"used": 0.25}], "photos": {"folder": "cap"}}));
    assert_eq!(page.get("/api/tasks", &operator).json()["thresholds"][1]["used"], 0.25);
    let ask = |login: &Login, body: Value| page.post("/api/task", login, &body);
    for task in ["reset_threshold", "learn", "roll_back", "discard_photos", "teach"] {
        let body = json!({"task": task, "product": 0});
        assert_eq!(ask(&operator, body).error(), (403, "role".to_owned()), "{task}");
    }
    let set = |value: f64| json!({"task": "set_threshold", "product": 1, "value": value});
    assert_eq!(ask(&operator, set(0.75)).error(), (403, "role".to_owned()));
    assert!(line.has_no_task());
    assert_eq!(ask(&engineer, set(0.75)).json(), json!({"outcome": "done"}));
    assert_eq!(line.next_task(), (1, Task::SetThreshold { value: 0.75 }));
    assert_eq!(ask(&engineer, set(1.5)).json(), json!({"outcome": "refused"}), "the line says how far");
    assert_eq!(line.next_task(), (1, Task::SetThreshold { value: 1.5 }));
    let photos = json!({"task": "take_photos", "product": 0, "parts": 50});
    assert_eq!(ask(&operator, photos).json(), json!({"outcome": "begun"}));
    assert_eq!(line.next_task(), (0, Task::TakePhotos { parts: 50 }));
    let log = page.get("/api/log", &engineer).json();
    assert_eq!((&log[0]["who"], &log[0]["what"]), (&json!("anna (operator)"), &json!("take_photos")));
    assert_eq!(log[0]["details"], json!({"product": "cap", "parts": 50, "outcome": "begun"}));
    assert_eq!((&log[2]["who"], &log[2]["what"]), (&json!("ben (engineer)"), &json!("set_threshold")));
    let expected = json!({"product": "cap-500", "value": 0.75, "before": 0.25, "outcome": "done"});
    assert_eq!(log[2]["details"], expected);
    assert_eq!(log[1]["details"]["outcome"], "refused");

    // Photos come from their folder alone.
    std::fs::create_dir_all(line.path("records/tasks/photos/cap/in")).unwrap();
    std::fs::write(line.path("records/tasks/photos/cap/in/part-00007.png"), PICTURE).unwrap();
    assert_eq!(page.get("/api/photos/7?of=cap", &operator).body, PICTURE);
    for wrong in
        ["8", "", "x", "-7", "+7", "007007", "7/..", "../7", "7%00", "%2e%2e", "99999999999999999999"]
    {
        assert_eq!(page.get(&format!("/api/photos/{wrong}"), &operator).status, 404, "{wrong}");
    }
    for folder in ["..", "../../..", "/etc", ""] {
        line.write_tasks(&json!({"photos": {"folder": folder}}));
        assert_eq!(page.get("/api/photos/7", &operator).status, 404, "{folder}");
    }
    std::fs::write(line.path("records/tasks/state.json"), b"\xff\x00{").unwrap();
    assert_eq!(page.get("/api/tasks", &operator).error(), (500, "records_unreadable".to_owned()));
}

#[test]
fn hostile_tasks_never_reach_the_line() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    let login = page.login("engineer", "ben");
    let json_type = "content-type: application/json\r\n";
    let own = format!("{}{json_type}x-nominal-csrf: {}\r\n", login.cookie(), login.csrf);
    let good = r#"{"task":"teach","product":0}"#;
    for (headers, status) in [
        (format!("{}{json_type}", login.cookie()), 403),
        (format!("{}{json_type}x-nominal-csrf: {}\r\n", login.cookie(), "0".repeat(64)), 403),
        (format!("{json_type}x-nominal-csrf: {}\r\n", login.csrf), 401),
        (own.replace("application/json", "text/plain"), 400),
        (format!("{own}sec-fetch-site: cross-site\r\n"), 400),
    ] {
        assert_eq!(page.send("POST", "/api/task", &headers, good).status, status, "{headers}");
    }
    let oversized = format!(r#"{{"task":"teach","product":0,"more":"{}"}}"#, "x".repeat(5000));
    let deep = format!(r#"{{"task":"teach","product":{}"#, "[".repeat(4000));
    for wrong in [
        "",
        "null",
        "\u{0}",
        r#"{"task":"teach"}"#,
        r#"{"task":"shutdown","product":0}"#,
        r#"{"task":"teach","product":-1}"#,
        r#"{"task":"teach","product":65536}"#,
        r#"{"task":"set_threshold","product":0,"value":NaN}"#,
        r#"{"task":"set_threshold","product":0,"value":Infinity}"#,
        r#"{"task":"set_threshold","product":0,"value":1e300}"#,
        r#"{"task":"set_threshold","product":0,"value":-1e999}"#,
        r#"{"task":"set_threshold","product":0,"value":"0.5"}"#,
        r#"{"task":"set_threshold","product":0,"value":null}"#,
        r#"{"task":"take_photos","product":0,"parts":0}"#,
        r#"{"task":"take_photos","product":0,"parts":100000}"#,
        r#"{"task":"leave_out","product":0,"photo":1.5,"out":true}"#,
        &oversized,
        &deep,
    ] {
        // Only so many changes a second are looked at.
        std::thread::sleep(Duration::from_millis(200));
        let answer = page.send("POST", "/api/task", &own, wrong);
        assert_eq!(answer.status, 400, "{} {answer:?}", &wrong[..wrong.len().min(80)]);
    }
    assert!(line.has_no_task());
    // The flood itself is bounded, too.
    let statuses: Vec<u16> = (0..60).map(|_| page.send("POST", "/api/task", &own, good).status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(line.next_task(), (0, Task::Teach));
}

#[test]
fn a_line_that_accepts_no_tasks_gets_none() {
    // Everything but threshold, learn and teach.
    let line = Line::start(0b11_1111);
    let page = Page::start(&line, "");
    let login = page.login("engineer", "ben");
    for task in ["reset_threshold", "learn", "try_learning", "roll_back", "teach", "stop"] {
        let answer = page.post("/api/task", &login, &json!({"task": task, "product": 0}));
        assert_eq!(answer.json(), json!({"outcome": "switched_off"}), "{task}");
    }
    assert!(line.has_no_task());
}

#[test]
fn a_changed_password_ends_the_sessions_of_its_role_alone() {
    let line = Line::start(0);
    let page = Page::start(&line, "");
    let (operator, engineer) = (page.login("operator", "anna"), page.login("engineer", "ben"));
    let (success, said) = set_password(&line.path("gateway.toml"), "operator", "short");
    assert!(!success && said.contains("at least"), "{said}");
    assert!(set_password(&line.path("gateway.toml"), "operator", "another good password").0);
    wait_until("the session has ended", || page.get("/api/session", &operator).status == 401);
    assert_eq!(page.get("/api/session", &engineer).status, 200);
    assert_eq!(page.try_login("operator", "anna", OPERATOR).status, 401);
    assert_eq!(page.try_login("operator", "anna", "another good password").status, 200);
    std::fs::write(line.path("page/passwords.json"), b"{\"operator\": \xff").unwrap();
    assert_eq!(page.try_login("operator", "anna", OPERATOR).error(), (500, "internal".to_owned()));
    std::fs::remove_file(line.path("page/passwords.json")).unwrap();
    assert_eq!(page.try_login("operator", "anna", OPERATOR).error(), (401, "password_not_set".to_owned()));
}

#[test]
fn whoever_guesses_has_to_wait_even_with_the_right_password() {
    let line = Line::start(0);
    let page = Page::start(&line, "");
    let guesses: Vec<u16> =
        (0..8).map(|n| page.try_login("operator", "x", &format!("wrong password {n}")).status).collect();
    assert_eq!(guesses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let right = page.try_login("operator", "anna", OPERATOR);
    assert!(right.status == 429 && right.header("retry-after").is_some(), "{right:?}");
}

#[test]
fn pictures_come_from_the_records_alone() {
    let line = Line::start(0);
    let page = Page::start(&line, "");
    let login = page.login("operator", "anna");
    let name = record(&line.path("records"), 1);
    let picture = page.get(&format!("/api/records/{name}/overlay"), &login);
    assert_eq!((picture.status, picture.body.as_slice()), (200, PICTURE));
    assert_eq!(
        (picture.header("content-type"), picture.header("content-length")),
        (Some("image/png"), Some("67"))
    );
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    std::fs::write(line.path("records").join(&name).join("frame.jpg"), &large).unwrap();
    assert_eq!(page.get(&format!("/api/records/{name}/frame"), &login).body, large);

    std::fs::write(line.path("secret.png"), "the secret").unwrap();
    std::fs::remove_file(line.path("records").join(&name).join("overlay.png")).unwrap();
    symlink(line.path("secret.png"), line.path("records").join(&name).join("overlay.png")).unwrap();
    for path in [
        format!("/api/records/{name}/overlay"),
        format!("/api/records/{name}/../../secret.png"),
        format!("/api/records/{name}/record.json"),
        "/api/records/../secret.png/overlay".to_owned(),
        "/api/records/..%2f..%2fsecret.png/overlay".to_owned(),
        "/api/records/%2e%2e/overlay".to_owned(),
        "/api/records/20261125-030101-000007-00000001%00/overlay".to_owned(),
        "/../../../etc/passwd".to_owned(),
        "//etc/passwd".to_owned(),
    ] {
        let answer = page.get(&path, &login);
        assert!(
            answer.status == 404 && !answer.body.windows(6).any(|bytes| bytes == b"secret"),
            "{path}: {answer:?}"
        );
    }
    for query in ["place=x", "before=../x", "count=0", "count=61", "count=x", "before="] {
        assert_eq!(page.get(&format!("/api/records?{query}"), &login).status, 400, "{query}");
    }
}

#[test]
fn hostile_connections_neither_stop_it_nor_fill_the_memory() {
    let line = Line::start(ACCEPTS);
    let mut page = Page::start(&line, "");
    let login = page.login("operator", "anna");
    let long = "x".repeat(100_000);
    let json_type = "content-type: application/json\r\n";
    let headers = format!("{}{json_type}x-nominal-csrf: {}\r\n", login.cookie(), login.csrf);
    for (path, headers, body) in [
        ("/", format!("cookie: {long}\r\n"), ""),
        (format!("/{long}").as_str(), String::new(), ""),
        ("/api/login", json_type.to_owned(), &long),
        ("/api/decide", headers.clone(), &long),
        ("/api/decide", headers.clone(), &"[".repeat(4000)),
        ("/api/command", headers.clone(), "\u{0}"),
    ] {
        let answer = page.send("POST", path, &headers, body);
        assert!(matches!(answer.status, 0 | 400..=499), "{} {answer:?}", &path[..path.len().min(30)]);
    }
    // Says that gigabytes follow, and sends some of them.
    let mut endless = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
    let head = format!("POST /api/decide HTTP/1.1\r\nhost: x\r\n{headers}content-length: 9999999999\r\n\r\n");
    let _ = endless.write_all(head.as_bytes());
    for _ in 0..200 {
        if endless.write_all(&[b'x'; 65_536]).is_err() {
            break;
        }
    }
    for garbage in [&b"\x16\x03\x01\0\xa5\x01"[..], b"GET", b"GET / HTTP/9\r\n\r\n", &[0; 50_000]] {
        page.send_bytes(&[garbage, b"\r\n\r\n"].concat());
    }
    // Connections that say nothing, and listeners that don't read.
    let silent: Vec<_> = (0..150).map(|_| TcpStream::connect(("127.0.0.1", page.port)).unwrap()).collect();
    let request = format!("GET /api/events HTTP/1.1\r\nhost: x\r\n{}\r\n", login.cookie());
    let deaf: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    wait_until("all places are taken", || page.send("GET", "/api/events", &login.cookie(), "").status == 503);
    for part in 0..2000 {
        line.part(part, Disposition::Pass);
    }
    assert_eq!(page.get("/api/session", &login).status, 200);
    assert!(page.gateway.is_running());
    let memory = page.gateway.process.memory_mib();
    assert!(memory < 80.0, "{memory} MiB");
    drop((silent, deaf));
    wait_until("places are free", || {
        let mut stream = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).is_ok() && start == *b"HTTP/1.1 200"
    });
}

#[test]
fn fifty_browsers_are_told_what_happens() {
    let line = Line::start(ACCEPTS);
    let page = Page::start(&line, "");
    let login = page.login("operator", "anna");
    let request = format!("GET /api/events HTTP/1.1\r\nhost: x\r\n{}\r\n", login.cookie());
    let port = page.port;
    let browsers: Vec<_> = (0..50)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                let (mut text, mut bytes, start) = (String::new(), [0; 16_384], Instant::now());
                let is_complete = |text: &str| {
                    // Twice, because the last message may not be there as a whole.
                    text.matches("rejects_in_a_row").count() > 1 && text.matches("data: ").count() > 5
                };
                while !is_complete(&text) {
                    assert!(start.elapsed() < LONG, "{text}");
                    let read = stream.read(&mut bytes).unwrap();
                    text.push_str(&String::from_utf8_lossy(&bytes[..read]));
                }
                text
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1000));
    line.part(41, Disposition::Reject);
    line.set(|status| status.alarms = 0b1000);
    for browser in browsers {
        let text = browser.join().unwrap();
        let messages: Vec<Value> = text
            .split("data: ")
            .skip(1)
            .filter_map(|rest| serde_json::from_str(rest.split("\n\n").next()?).ok())
            .collect();
        let last = messages.last().unwrap();
        assert_eq!((&last["parts"][0]["part"], &last["alarms"]), (&json!(41), &json!(["rejects_in_a_row"])));
    }
}

#[test]
fn with_a_certificate_it_speaks_tls_and_its_cookies_stay_there() {
    let line = Line::start(0);
    let Some(mut openssl) = program("openssl", "openssl") else { return };
    let made = openssl
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(line.path("key.pem"))
        .arg("-out")
        .arg(line.path("cert.pem"))
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let page = Page::start(&line, "certificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    assert_eq!(page.send("GET", "/", "", "").status, 0, "it speaks without TLS");
    let tls = Tls::new("localhost", Some(&line.path("cert.pem"))).unwrap();
    let body = json!({"role": "operator", "name": "anna", "password": OPERATOR}).to_string();
    let request = format!(
        "POST /api/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let mut stream = connect("127.0.0.1", page.port, Some(&tls)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![];
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    });
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("set-cookie: __Host-nominal="), "{answer}");
    assert!(answer.contains("; Secure"), "{answer}");
}

#[test]
fn a_page_that_cannot_be_served_safely_is_not_served() {
    let line = Line::start(0);
    let file = line.path("gateway.toml");
    let run = |page: &str| {
        std::fs::write(&file, format!("[line]\nsocket = \"line.sock\"\n[page]\n{page}")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
        let output = command.arg("run").arg(&file).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let port = free_port();
    let said = run(&format!("listen = \"0.0.0.0:{port}\"\nfolder = \".\""));
    assert!(said.contains("page.certificate"), "{said}");
    let said = run(&format!("listen = \"127.0.0.1:{port}\"\nfolder = \"nowhere\""));
    assert!(said.contains("page.folder"), "{said}");
    let said =
        run(&format!("listen = \"127.0.0.1:{port}\"\nfolder = \".\"\ncertificate = \"x\"\nkey = \"x\""));
    assert!(said.contains("cannot use the certificate"), "{said}");
}
