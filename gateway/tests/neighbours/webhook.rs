//! Alarms to an HTTP server that is slow, broken or gone.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::line::Line;
use super::process::{Gateway, LONG, free_port};

/// A server that answers the requests it gets with these, one after the other, and then with success.
fn server(port: u16, answers: &'static [&'static str]) -> Receiver<String> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        let answers = answers.iter().copied().chain(std::iter::repeat("HTTP/1.1 204 No Content\r\n\r\n"));
        for (stream, answer) in listener.incoming().zip(answers) {
            let mut stream = stream.unwrap();
            let request = read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    requests
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut bytes = [0; 1024];
    while !request.ends_with('}') {
        match stream.read(&mut bytes) {
            Ok(read @ 1..) => request += std::str::from_utf8(&bytes[..read]).unwrap(),
            _ => break,
        }
    }
    request
}

fn alarm(requests: &Receiver<String>) -> (String, Value) {
    let request = requests.recv_timeout(LONG).expect("no request");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn an_alarm_is_posted_until_the_server_takes_it_and_then_no_more() {
    let line = Line::start(0);
    let port = free_port();
    let requests =
        server(port, &["HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "nonsense"]);
    let url =
        format!("[webhook]\nurl = \"http://127.0.0.1:{port}/hook?key=1\"\nalarms = [\"blind\", \"missed\"]");
    let gateway = Gateway::start(&line, &url);
    line.set(|status| status.alarms = 0b1010);
    for _ in 0..3 {
        let (head, alarm) = alarm(&requests);
        assert!(
            head.starts_with("POST /hook?key=1 HTTP/1.1\r\n") && head.contains("application/json"),
            "{head}"
        );
        assert_eq!(
            (&alarm["alarm"], &alarm["active"], &alarm["line"]),
            (&"blind".into(), &true.into(), &"line 1".into())
        );
    }
    // The other alarm was not asked for.
    line.set(|status| status.alarms = 0b100_0000);
    let both = [alarm(&requests).1, alarm(&requests).1];
    assert_eq!((&both[0]["alarm"], &both[0]["active"]), (&"blind".into(), &false.into()));
    assert_eq!((&both[1]["alarm"], &both[1]["active"]), (&"missed".into(), &true.into()));
    // The path may be secret.
    assert!(!gateway.log().contains("key=1"), "{}", gateway.log());
}

#[test]
fn a_lost_line_is_an_alarm() {
    let line = Line::start(0);
    let port = free_port();
    let requests = server(port, &[]);
    let _gateway = Gateway::start(&line, &format!("[webhook]\nurl = \"http://127.0.0.1:{port}\""));
    assert_eq!(alarm(&requests).1["active"], false);
    line.hang_up();
    let lost = alarm(&requests).1;
    assert_eq!((&lost["alarm"], &lost["active"]), (&"line_lost".into(), &true.into()));
    assert_eq!(alarm(&requests).1["active"], false);
}
