//! `gateway init`, `check` and `run` as a user sees them.

use std::path::Path;
use std::process::{Command, Output};

use super::line::Line;
use super::process::{Gateway, free_port};

fn gateway(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let Output { status, stdout, stderr } = command.current_dir(folder).args(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_file_is_written_once_and_does_nothing_until_it_names_a_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (code, said) = gateway(here, &["init"]);
    assert!(code == 0 && said.contains("gateway check gateway.toml"), "{said}");
    let (code, said) = gateway(here, &["init"]);
    assert!(code == 1 && said.contains("already exists"), "{said}");
    for arguments in [&["run", "gateway.toml"][..], &["check", "--file-only", "gateway.toml"]] {
        let (code, said) = gateway(here, arguments);
        assert!(code == 1 && said.contains("names no neighbour"), "{said}");
    }
    let (code, said) = gateway(here, &["run", "nowhere.toml"]);
    assert!(code == 1 && said.contains("gateway init"), "{said}");
    assert_eq!(gateway(here, &[]).0, 2);
}

#[test]
fn a_check_tries_each_neighbour_and_says_what_is_wrong_with_which() {
    let line = Line::start(0b10100);
    let here = line.path("");
    let (free, closed) = (free_port(), free_port());
    let neighbours = format!(
        "[line]\nsocket = \"line.sock\"\n[modbus]\nlisten = \"127.0.0.1:{free}\"\n[mqtt]\nhost = \"127.0.0.1\"\nport = {closed}\n\
         [metrics]\nlisten = \"192.0.2.1:9\"\n[webhook]\nurl = \"http://127.0.0.1:{closed}/x\"\n"
    );
    std::fs::write(line.path("gateway.toml"), &neighbours).unwrap();
    let (code, said) = gateway(&here, &["check", "gateway.toml"]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(code, 1, "{said}");
    assert!(
        lines[0].starts_with("line      line 1, version 0.1.0, 2 product(s), accepts product, acknowledge"),
        "{said}"
    );
    assert!(
        lines[1].starts_with(&format!("modbus    127.0.0.1:{free} is free; no client may write")),
        "{said}"
    );
    for (line, named) in lines[2..5].iter().zip(["mqtt", "metrics", "webhook"]) {
        assert!(
            line.starts_with(&format!("{named:<9} problem: cannot")) && line.contains(&format!("{named}.")),
            "{said}"
        );
    }
    std::fs::write(line.path("gateway.toml"), neighbours.replace("line.sock", "nowhere.sock")).unwrap();
    let (_, said) = gateway(&here, &["check", "gateway.toml"]);
    assert!(said.contains("line      problem: cannot use the line's socket"), "{said}");
}

#[test]
fn a_check_beside_a_running_gateway_finds_its_ports_in_use() {
    let line = Line::start(0);
    let port = free_port();
    let _running = Gateway::start(&line, &format!("[modbus]\nlisten = \"127.0.0.1:{port}\""));
    let (code, said) = gateway(&line.path(""), &["check", "gateway.toml"]);
    assert!(code == 0 && said.contains("in use, presumably by the running gateway"), "{said}");
    let (code, said) = gateway(&line.path(""), &["run", "gateway.toml"]);
    assert!(code == 1 && said.contains("cannot listen for Modbus clients"), "{said}");
}
