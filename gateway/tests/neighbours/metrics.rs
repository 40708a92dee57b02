//! Metrics, checked with Prometheus' own tool.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use shared_format::Disposition;

use super::line::Line;
use super::process::{Gateway, LONG, free_port, get, program, wait_until};

fn start(line: &Line) -> (Gateway, u16) {
    let port = free_port();
    (Gateway::start(line, &format!("[metrics]\nlisten = \"127.0.0.1:{port}\"")), port)
}

fn page(port: u16) -> String {
    let answer = get(port, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    page.to_owned()
}

#[test]
fn promtool_accepts_every_metric() {
    let line = Line::start(0);
    let (_gateway, port) = start(&line);
    line.set(|status| (status.counters.passed, status.alarms) = (12, 1));
    line.part(1, Disposition::Reject);
    wait_until("the part is counted", || page(port).contains("nominal_gate_lateness_seconds_count 1\n"));
    let page = page(port);
    assert!(page.contains("nominal_parts_total{disposition=\"pass\"} 12\n"), "{page}");
    let Some(mut promtool) = program("promtool", "prometheus") else { return };
    let mut child = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_dashboard_asks_only_for_metrics_that_exist() {
    let line = Line::start(0);
    let (_gateway, port) = start(&line);
    line.part(1, Disposition::Pass);
    wait_until("the part is counted", || page(port).contains("nominal_gate_lateness_seconds_count 1\n"));
    let page = page(port);
    let dashboard: Value = serde_json::from_str(include_str!("../../src/metrics/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() >= 8);
    for query in queries {
        let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for name in query.split(|c| !is_part_of_name(c)).filter(|word| word.starts_with("nominal_")) {
            // Stages appear with the first latencies.
            let known = page.lines().any(|line| line.split(['{', ' ']).next() == Some(name));
            assert!(known || name.starts_with("nominal_stage_"), "{name} in {query}");
        }
    }
}

#[test]
fn other_requests_and_garbage_get_nothing_and_stop_nothing() {
    let line = Line::start(0);
    let (mut gateway, port) = start(&line);
    assert!(get(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(
        get(port, "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            .starts_with("HTTP/1.1 405")
    );
    for garbage in
        [&b"\0\x01\0\0\0\x06\x01\x04"[..], b"GET", &[b'x'; 100_000], b"GET /metrics HTTP/9\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(LONG)).unwrap();
        let _ = stream.read_to_end(&mut vec![]);
    }
    // More clients than there is room for, none of which says anything.
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(silent);
    wait_until("it is served again", || {
        get(port, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").starts_with("HTTP/1.1 200")
    });
    assert!(gateway.is_running() && gateway.process.memory_mib() < 60.0);
}
