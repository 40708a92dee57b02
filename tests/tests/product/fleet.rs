//! A bundle comes to a running line from a fleet's folder: published, fetched by the gateway, checked and taken up by the line, and given up
//! again because it rejects too much.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use judge::{encode_png, file_sha256};
use serde_json::Value;
use shared_format::Size;
use tests::images::{part, striped_part, write_parts};
use tests::workshop::{TEACHER, Workshop};
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 160, height: 128 };
const LINE: &str = r#"
name = "a"
trust = ["KEY office"]
[[product]]
name = "red-cap"
bundle = "cap"
[camera]
source = "folder"
path = "shots"
fps = 5
repeat = true
[trigger]
kind = "frame"
[gate]
delay_ms = 3000
pulse_ms = 10
[socket]
path = "line.sock"
accept = ["install"]
inbox = "inbox"
[records]
folder = "records"
[health]
state = "state"
"#;
const GATEWAY: &str = r#"
[line]
socket = "line.sock"
[fleet]
source = "fleet"
trust = ["KEY office"]
board = "line1"
inbox = "inbox"
records = "records"
folder = "gateway"
every_s = 1
"#;

/// A program that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line whose parts are good ones, with a key that signs bundles.
struct Plant(Workshop);

impl Plant {
    fn new() -> Self {
        let plant = Self(Workshop::default());
        for folder in ["shots", "inbox", "gateway"] {
            std::fs::create_dir(plant.0.path(folder)).unwrap();
        }
        write_parts(&plant.0.path("photos"), SIZE, 16, false);
        std::fs::create_dir(plant.0.path("striped")).unwrap();
        for n in 0..16 {
            let path = plant.0.path(&format!("striped/{n:02}.png"));
            std::fs::write(path, encode_png(&striped_part(SIZE, 300 + n)).unwrap()).unwrap();
            let path = plant.0.path(&format!("shots/{n:02}.png"));
            std::fs::write(path, encode_png(&part(SIZE, 900 + n, false)).unwrap()).unwrap();
        }
        succeed(plant.0.trainer().args(["key", "new", "--no-password"]).arg(plant.0.path("office.key")));
        let public = std::fs::read_to_string(plant.0.path("office.pub")).unwrap();
        let key = public.lines().nth(1).unwrap();
        std::fs::write(plant.0.path("line.toml"), LINE.replace("KEY", key)).unwrap();
        std::fs::write(plant.0.path("gateway.toml"), GATEWAY.replace("KEY", key)).unwrap();
        plant
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = program(name);
        command.env("NOMINAL_HOME", self.0.path("home")).current_dir(self.0.path("")).args(arguments);
        command
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let log = std::fs::File::create(self.0.path(&format!("{name}.log"))).unwrap();
        Running(self.command(name, arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Teaches a bundle from photos and signs it.
    fn teach(&self, photos: &str, out: &str, serial: &str) {
        let teach = [
            "teach",
            "--teacher",
            TEACHER,
            "--size",
            "128",
            "--method",
            "padim",
            "--from",
            photos,
            "--out",
            out,
        ];
        succeed(&mut self.command("edge-runtime", &teach));
        self.sign(out, "cap", serial);
    }

    fn sign(&self, bundle: &str, name: &str, serial: &str) {
        let arguments = ["sign", bundle, "--name", name, "--serial", serial, "--key", "office.key"];
        succeed(&mut self.command("trainer", &arguments));
    }

    fn publish(&self, bundle: &str) {
        let arguments = [
            "publish",
            "fleet",
            "--bundle",
            bundle,
            "--product",
            "red-cap",
            "--percent",
            "100",
            "--key",
            "office.key",
        ];
        succeed(&mut self.command("nominal-fleet", &arguments));
    }

    fn json(&self, path: &str) -> Value {
        let bytes = std::fs::read(self.0.path(path));
        bytes.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    }

    /// What parts are judged with, as the line says.
    fn in_use(&self) -> Value {
        self.json("records/tasks/state.json")["thresholds"][0]["bundle"].clone()
    }

    fn wait_until(&self, what: &str, is: impl Fn() -> bool) {
        let what = || {
            let log = |name: &str| std::fs::read_to_string(self.0.path(name)).unwrap_or_default();
            let state = self.json("records/tasks/state.json");
            format!("{what}: {state:#} {} {}", log("edge-runtime.log"), log("gateway.log"))
        };
        tests::wait_until(is, what);
    }
}

fn identity(bundle: &Path) -> Value {
    let hash = file_sha256(&std::fs::read(bundle.join("model.threshold")).unwrap());
    hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

#[test]
fn a_running_line_takes_up_what_its_fleet_publishes_and_goes_back_from_what_rejects_good_parts() {
    let plant = Plant::new();
    plant.teach("photos", "cap", "1");
    plant.teach("photos", "second", "2");
    succeed(&mut plant.command(
        "edge-runtime",
        &[
            "teach",
            "--teacher",
            TEACHER,
            "--size",
            "128",
            "--method",
            "mahalanobis",
            "--from",
            "photos",
            "--out",
            "third",
        ],
    ));
    plant.sign("third", "cap", "3");
    plant.teach("striped", "bad", "4");
    let [first, third, bad] = ["cap", "third", "bad"].map(|name| identity(&plant.0.path(name)));
    let mut line = plant.start("edge-runtime", &["run", "line.toml"]);
    plant.wait_until("the line listens", || UnixStream::connect(plant.0.path("line.sock")).is_ok());
    plant.wait_until("the line says what it runs", || plant.in_use() == first);
    plant.publish("third");
    let _gateway = plant.start("gateway", &["run", "gateway.toml"]);
    plant.wait_until("the line takes it up", || plant.in_use() == third);
    let state = plant.json("records/tasks/state.json");
    assert_eq!(
        (&state["task"]["task"], &state["task"]["in_use"]),
        (&"install".into(), &true.into()),
        "{state:#}"
    );
    assert!(state["task"]["report"]["golden"].as_f64().unwrap() < 1e-3, "{state:#}");

    // Every good part is unlike what this one was taught.
    plant.publish("bad");
    plant.wait_until("the line takes it up", || plant.in_use() == bad);
    plant.wait_until("the line goes back", || plant.in_use() == third);
    plant.wait_until("the gateway remembers", || {
        plant.json("gateway/fleet.json")["refused"][0]["identity"] == bad
    });
    let reason = plant.json("gateway/fleet.json")["refused"][0]["reason"].clone();
    assert!(
        reason.as_str().unwrap().contains("rejected") || reason.as_str().unwrap().contains("alarm"),
        "{reason}"
    );

    // One that is older than what has run changes nothing.
    let failed = || std::fs::read_to_string(plant.0.path("gateway.log")).unwrap();
    plant.publish("second");
    plant.wait_until("the line refuses an older one", || failed().contains("this line has run 3"));
    assert_eq!((plant.in_use(), identity(&plant.0.path("cap"))), (third.clone(), third));
    assert!(line.0.try_wait().unwrap().is_none(), "the line was restarted");
}

#[test]
fn what_a_line_needs_to_install_is_named() {
    let plant = Plant::new();
    plant.teach("photos", "cap", "1");
    let text = std::fs::read_to_string(plant.0.path("line.toml")).unwrap();
    let check = |text: &str| {
        std::fs::write(plant.0.path("line.toml"), text).unwrap();
        let (code, stdout, stderr) = run(&mut plant.command("edge-runtime", &["check", "line.toml"]));
        (code, stdout + &stderr)
    };
    let trust = text.lines().find(|line| line.starts_with("trust")).unwrap();
    for (wrong, said) in [
        (text.replace("inbox = \"inbox\"", ""), "needs socket.inbox"),
        (text.replace("folder = \"records\"", ""), "needs socket.inbox and records.folder"),
        (text.replace(trust, ""), "add `trust` or signing.root"),
    ] {
        let (code, output) = check(&wrong);
        assert!(code == 1 && output.contains(said), "{said}: {output}");
    }
    std::fs::write(plant.0.path("line.toml"), &text).unwrap();
    let install = |from: &str| {
        let (code, stdout, stderr) =
            run(&mut plant.command("edge-runtime", &["install", "--line", "line.toml", "--from", from]));
        (code, stdout + &stderr)
    };
    let before = identity(&plant.0.path("cap"));
    // Of another product, unsigned, with a link, with a pipe, and nothing at all.
    plant.teach("photos", "next", "5");
    plant.sign("next", "lid", "5");
    assert!(install("next").1.contains("was signed as \"lid\""));
    plant.sign("next", "cap", "5");
    std::fs::remove_file(plant.0.path("next/manifest.json.minisig")).unwrap();
    assert!(install("next").1.contains("not signed"));
    plant.sign("next", "cap", "5");
    std::os::unix::fs::symlink("/etc/hostname", plant.0.path("next/link")).unwrap();
    assert!(install("next").1.contains("no place in a signed bundle"));
    std::fs::remove_file(plant.0.path("next/link")).unwrap();
    succeed(Command::new("mkfifo").arg(plant.0.path("next/pipe")));
    assert!(install("next").1.contains("no place in a signed bundle"));
    std::fs::remove_file(plant.0.path("next/pipe")).unwrap();
    assert_eq!((install("nothing").0, install("photos").0), (1, 1));
    assert_eq!(identity(&plant.0.path("cap")), before);
    let (code, said) = install("next");
    assert!(code == 0 && (said.contains("golden frames hold") || said.contains("in use already")), "{said}");
}
