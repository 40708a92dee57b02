//! A page to test, and a client for it that sends what it is told, however wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::line::Line;
use super::process::{Gateway, LONG, free_port};

pub const OPERATOR: &str = "a good operator's password";
pub const ENGINEER: &str = "a good engineer's password";
/// Of the kinds of command, all that people give.
pub const ACCEPTS: u16 = 0b1_1111_1100;

/// A running page beside a line with records.
pub struct Page {
    pub gateway: Gateway,
    pub port: u16,
}

impl Page {
    /// Starts a gateway with a page and both passwords.
    pub fn start(line: &Line, more: &str) -> Self {
        let port = free_port();
        std::fs::create_dir_all(line.path("page")).unwrap();
        std::fs::create_dir_all(line.path("records")).unwrap();
        let neighbours = format!(
            "[page]\nlisten = \"127.0.0.1:{port}\"\nfolder = \"page\"\nrecords = \"records\"\n{more}"
        );
        std::fs::write(line.path("gateway.toml"), format!("[line]\nsocket = \"line.sock\"\n{neighbours}"))
            .unwrap();
        for (role, password) in [("operator", OPERATOR), ("engineer", ENGINEER)] {
            let (success, said) = set_password(&line.path("gateway.toml"), role, password);
            assert!(success, "{said}");
        }
        Self { gateway: Gateway::start(line, &neighbours), port }
    }

    /// Sends a request with these headers and returns the answer.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        self.send_bytes(request.as_bytes())
    }

    pub fn send_bytes(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // The server may have hung up already.
        let _ = stream.write_all(request);
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    pub fn get(&self, path: &str, login: &Login) -> Answer {
        self.send("GET", path, &login.cookie(), "")
    }

    pub fn post(&self, path: &str, login: &Login, body: &Value) -> Answer {
        let headers =
            format!("{}content-type: application/json\r\nx-nominal-csrf: {}\r\n", login.cookie(), login.csrf);
        self.send("POST", path, &headers, &body.to_string())
    }

    /// Tries to log in.
    pub fn try_login(&self, role: &str, name: &str, password: &str) -> Answer {
        let body = json!({"role": role, "name": name, "password": password});
        self.send("POST", "/api/login", "content-type: application/json\r\n", &body.to_string())
    }

    pub fn login(&self, role: &str, name: &str) -> Login {
        let password = if role == "operator" { OPERATOR } else { ENGINEER };
        let answer = self.try_login(role, name, password);
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        let token = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        Login { token, csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }
}

/// A session, as a browser keeps it.
#[derive(Debug, Clone)]
pub struct Login {
    pub token: String,
    pub csrf: String,
}

impl Login {
    pub fn cookie(&self) -> String {
        format!("cookie: other=1; nominal={}\r\n", self.token)
    }
}

/// An answer of the page. Status 0: none, or not in HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head, body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// What a refused request says.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"].as_str().unwrap_or_default().to_owned())
    }
}

/// Sets a password as a user does.
pub fn set_password(file: &Path, role: &str, password: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .args(["password", role])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A picture that every browser can show: a grey pixel.
pub const PICTURE: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\
    \x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\x68\x00\x00\x00\
    \x82\x00\x81\x77\xcd\x72\xb6\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

/// Writes a record as the line does, and returns its name.
pub fn record(folder: &Path, part: u32) -> String {
    let name = format!("20261125-030101-000007-{part:08}");
    let record = folder.join(&name);
    std::fs::create_dir_all(&record).unwrap();
    let description = json!({
        "line": "line 1", "run": 7, "part": part, "product": "cap", "verdict": "reject", "part_verdict": "reject",
        "score": 1.5, "threshold": 1.0, "region": {"x": 3, "y": 4, "width": 30, "height": 20}, "fault": null,
        "captured_at": "2026-11-25T03:01:01Z", "model_sha256": "00",
    });
    std::fs::write(record.join("record.json"), description.to_string()).unwrap();
    for picture in ["overlay.png", "frame.png"] {
        std::fs::write(record.join(picture), PICTURE).unwrap();
    }
    name
}
