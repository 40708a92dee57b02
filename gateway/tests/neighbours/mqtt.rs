//! MQTT, with Debian's mosquitto and a broker that stops reading.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use shared_format::Disposition;
use shared_format::gateway::Command as LineCommand;

use super::line::Line;
use super::process::{Gateway, LONG, Process, free_port, get, program, wait_until};

/// A broker on loopback.
struct Broker {
    _process: Process,
    port: u16,
}

impl Broker {
    /// Starts mosquitto with these settings; `None`, with a line that says so, if it is not installed.
    fn start(line: &Line, port: u16, settings: &str) -> Option<Self> {
        let mut mosquitto = program("mosquitto", "mosquitto")?;
        let file = line.path("mosquitto.conf");
        std::fs::write(
            &file,
            format!("listener {port} 127.0.0.1\nuser root\npersistence false\n{settings}\n"),
        )
        .unwrap();
        let child = mosquitto.arg("-c").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let broker = Self { _process: Process(child), port };
        wait_until("the broker listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(broker)
    }

    /// Subscribes to everything.
    fn subscribe(&self, more: &[&str]) -> Subscriber {
        let mut command = Command::new("mosquitto_sub");
        let port = self.port.to_string();
        command.args(["-p", &port, "-t", "#", "-v", "-q", "1", "-F", "%r %t %p"]).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, messages) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Subscriber { _process: Process(child), messages }
    }

    fn publish(&self, arguments: &[&str]) {
        let port = self.port.to_string();
        let mut command = Command::new("mosquitto_pub");
        assert!(command.args(["-p", &port, "-q", "1"]).args(arguments).status().unwrap().success());
    }
}

struct Subscriber {
    _process: Process,
    messages: Receiver<String>,
}

impl Subscriber {
    /// Returns the next message on a topic: whether it was retained, and its payload.
    fn next(&self, topic: &str) -> (bool, String) {
        loop {
            let message = self.messages.recv_timeout(LONG).unwrap_or_else(|_| panic!("nothing on {topic}"));
            let mut words = message.splitn(3, ' ');
            let (retained, found) = (words.next() == Some("1"), words.next());
            if found == Some(topic) {
                return (retained, words.next().unwrap_or_default().to_owned());
            }
        }
    }

    fn next_json(&self, topic: &str) -> Value {
        serde_json::from_str(&self.next(topic).1).unwrap()
    }

    /// Returns the numbers of the next parts.
    fn parts(&self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next_json("a/parts")["part"].as_u64().unwrap()).collect()
    }
}

fn start(line: &Line, port: u16, more: &str) -> (Gateway, u16) {
    let metrics = free_port();
    let neighbours = format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\ntopic = \"a\"\nkeep_alive_s = 5\n{more}\n\
         [metrics]\nlisten = \"127.0.0.1:{metrics}\""
    );
    (Gateway::start(line, &neighbours), metrics)
}

fn metric(port: u16, name: &str) -> f64 {
    let page = get(port, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

fn wait_for_metric(port: u16, name: &str, value: f64) {
    wait_until(&format!("{name} is {value}"), || metric(port, name) == value);
}

const CONNECTED: &str = "nominal_gateway_mqtt_connected";

#[test]
fn a_broker_gets_birth_status_parts_alarms_and_the_last_will() {
    let line = Line::start(0);
    let Some(broker) = Broker::start(&line, free_port(), "allow_anonymous true") else { return };
    let subscriber = broker.subscribe(&[]);
    let (gateway, metrics) = start(&line, broker.port, "");
    assert_eq!(subscriber.next("a/state").1, "online");
    wait_for_metric(metrics, CONNECTED, 1.0);
    line.part(41, Disposition::Reject);
    let part = subscriber.next_json("a/parts");
    assert_eq!(
        (&part["part"], &part["product"], &part["disposition"]),
        (&41.into(), &"cap-500".into(), &"reject".into())
    );
    assert_eq!(part["ms"]["capture_to_release"], 31.0);
    line.set(|status| status.alarms = 0b10);
    let alarm = subscriber.next_json("a/alarm");
    assert_eq!((&alarm["alarm"], &alarm["active"]), (&"blind".into(), &true.into()));
    // Status and birth are retained: whoever comes later gets them.
    assert_eq!(broker.subscribe(&[]).next("a/state"), (true, "online".to_owned()));
    wait_until("the status has the alarm", || {
        let (retained, status) = broker.subscribe(&[]).next("a/status");
        let status: Value = serde_json::from_str(&status).unwrap();
        retained && status["alarms"] == serde_json::json!(["blind"])
    });
    gateway.process.signal("KILL");
    assert_eq!(subscriber.next("a/state").1, "offline");
}

#[test]
fn a_gateway_that_goes_on_purpose_says_so() {
    let line = Line::start(0);
    let Some(broker) = Broker::start(&line, free_port(), "allow_anonymous true") else { return };
    let subscriber = broker.subscribe(&[]);
    let (gateway, _) = start(&line, broker.port, "");
    assert_eq!(subscriber.next("a/state").1, "online");
    gateway.process.signal("TERM");
    assert_eq!(subscriber.next("a/state").1, "offline");
}

#[test]
fn no_part_is_lost_while_the_broker_is_killed_and_started_again() {
    let line = Line::start(0);
    let port = free_port();
    let Some(mut broker) = Broker::start(&line, port, "allow_anonymous true") else { return };
    let (_gateway, metrics) = start(&line, port, "");
    wait_for_metric(metrics, CONNECTED, 1.0);
    let mut found = vec![];
    for round in 0..2 {
        drop(broker);
        wait_for_metric(metrics, CONNECTED, 0.0);
        for part in 1..=200 {
            line.part(1000 * round + part, Disposition::Pass);
        }
        wait_until("the parts wait", || metric(metrics, "nominal_gateway_mqtt_waiting") >= 200.0);
        broker = Broker::start(&line, port, "allow_anonymous true").unwrap();
        // The gateway waits a moment before it connects again.
        let subscriber = broker.subscribe(&[]);
        found.extend(subscriber.parts(200));
    }
    let expected: Vec<u64> = (1..=200).chain(1001..=1200).collect();
    assert_eq!(found, expected);
    wait_for_metric(metrics, "nominal_gateway_mqtt_waiting", 0.0);
    assert_eq!(metric(metrics, "nominal_gateway_mqtt_dropped_total"), 0.0);
}

#[test]
fn a_wrong_password_is_named_and_the_right_one_works() {
    let line = Line::start(0);
    let passwords = line.path("passwords");
    let Some(mut tool) = program("mosquitto_passwd", "mosquitto") else { return };
    assert!(tool.args(["-b", "-c"]).arg(&passwords).args(["line1", "secret"]).status().unwrap().success());
    let settings = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let Some(broker) = Broker::start(&line, free_port(), &settings) else { return };
    std::fs::write(line.path("password"), "wrong\n").unwrap();
    let login = "user = \"line1\"\npassword_file = \"password\"";
    let (gateway, metrics) = start(&line, broker.port, login);
    wait_until("it says so", || {
        gateway.log().contains("refuses the login") && gateway.log().contains("mqtt.password_file")
    });
    assert_eq!(metric(metrics, CONNECTED), 0.0);
    drop(gateway);
    std::fs::write(line.path("password"), "secret\n").unwrap();
    line.hang_up();
    let (_gateway, metrics) = start(&line, broker.port, login);
    wait_for_metric(metrics, CONNECTED, 1.0);
}

#[test]
fn a_broker_that_stops_reading_costs_bounded_memory_and_no_result() {
    let line = Line::start(0);
    // It accepts the login, and then reads nothing any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut deaf = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = std::io::Write::write_all(&mut stream, &[0x20, 2, 0, 0]);
            deaf.push(stream);
        }
    });
    let (gateway, metrics) = start(&line, port, "store_mib = 1");
    wait_for_metric(metrics, CONNECTED, 1.0);
    for part in 1..=8000 {
        line.part(part, Disposition::Pass);
    }
    wait_until("the oldest are dropped", || metric(metrics, "nominal_gateway_mqtt_dropped_total") > 1000.0);
    assert!(metric(metrics, "nominal_gateway_mqtt_waiting_bytes") <= f64::from(1 << 20));
    assert!(gateway.process.memory_mib() < 60.0, "{}", gateway.process.memory_mib());
    // It is given up, and tried again.
    wait_until("it is given up", || metric(metrics, "nominal_gateway_mqtt_connections_total") >= 2.0);
}

#[test]
fn a_broker_that_talks_nonsense_is_given_up() {
    let line = Line::start(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let nonsense: [&[u8]; 5] = [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            &[0x20, 2, 0, 99],
            &[0x20, 0xff, 0xff, 0xff, 0x7f],
            &[0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 0],
            &[0; 64],
        ];
        for (stream, nonsense) in listener.incoming().zip(nonsense.into_iter().cycle()) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = std::io::Write::write_all(&mut stream, nonsense);
        }
    });
    let (mut gateway, metrics) = start(&line, port, "");
    wait_until("it says so", || gateway.log().contains("breaks the rules"));
    std::thread::sleep(Duration::from_secs(3));
    assert!(gateway.is_running());
    assert_eq!(metric(metrics, "nominal_line_connected"), 1.0);
}

#[test]
fn commands_are_taken_if_they_may_be_and_retained_ones_never() {
    let line = Line::start(31);
    let Some(broker) = Broker::start(&line, free_port(), "allow_anonymous true") else { return };
    broker.publish(&["-t", "a/command/challenge", "-n", "-r"]);
    let (gateway, metrics) = start(&line, broker.port, "commands = true");
    wait_for_metric(metrics, CONNECTED, 1.0);
    let subscriber = broker.subscribe(&[]);
    subscriber.next("a/state");
    broker.publish(&["-t", "a/command/product", "-m", "cap-5000"]);
    broker.publish(&["-t", "a/command/product", "-m", "cap-500"]);
    assert_eq!(line.next_command(), LineCommand::Product { index: 1 });
    broker.publish(&["-t", "a/command/acknowledge", "-n"]);
    assert_eq!(line.next_command(), LineCommand::Acknowledge);
    assert!(gateway.log().contains("not a command"), "{}", gateway.log());
    drop(gateway);
    line.hang_up();
    let (_gateway, metrics) = start(&line, broker.port, "commands = false");
    wait_for_metric(metrics, CONNECTED, 1.0);
    broker.publish(&["-t", "a/command/acknowledge", "-n"]);
    assert!(line.has_no_command());
}

#[test]
fn tls_needs_a_certificate_that_is_trusted() {
    let line = Line::start(0);
    let Some(mut openssl) = program("openssl", "openssl") else { return };
    let (key, certificate) = (line.path("key.pem"), line.path("cert.pem"));
    let made = openssl
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let settings =
        format!("allow_anonymous true\ncertfile {}\nkeyfile {}", certificate.display(), key.display());
    let Some(broker) = Broker::start(&line, free_port(), &settings) else { return };
    let metrics = free_port();
    let neighbours = |more: &str| {
        format!(
            "[mqtt]\nhost = \"localhost\"\nport = {}\ntopic = \"a\"\ntls = true\n{more}\n[metrics]\nlisten = \"127.0.0.1:{metrics}\"",
            broker.port
        )
    };
    let gateway = Gateway::start(&line, &neighbours(""));
    // Without trusted certificates on this machine, it ends and says so; with some, it refuses the broker's.
    wait_until("it refuses the certificate", || gateway.log().contains("certificate"));
    drop(gateway);
    line.hang_up();
    let _gateway = Gateway::start(&line, &neighbours("ca_file = \"cert.pem\""));
    wait_for_metric(metrics, CONNECTED, 1.0);
}

/// Runs `gateway check` with these settings of the broker, and returns what it says about that.
fn check(line: &Line, settings: &str) -> (bool, String) {
    let file = line.path("check.toml");
    std::fs::write(&file, format!("[line]\nsocket = \"line.sock\"\n[mqtt]\ntopic = \"a\"\n{settings}"))
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gateway")).arg("check").arg(&file).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let about = said.lines().find(|line| line.starts_with("mqtt")).unwrap_or(&said).to_owned();
    (output.status.success(), about)
}

#[test]
fn a_check_says_what_to_do_about_a_broker_that_is_gone_or_refuses_the_login() {
    let line = Line::start(0);
    let passwords = line.path("passwords");
    std::fs::write(&passwords, "").unwrap();
    let Some(mut mosquitto_passwd) = program("mosquitto_passwd", "mosquitto") else { return };
    assert!(mosquitto_passwd.arg("-b").arg(&passwords).args(["gate", "right"]).status().unwrap().success());
    let settings = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let port = free_port();
    let own = |password: &str| {
        std::fs::write(line.path("own"), password).unwrap();
        format!("host = \"127.0.0.1\"\nport = {port}\nuser = \"gate\"\npassword_file = \"own\"\n")
    };
    let (ok, said) = check(&line, &own("right"));
    assert!(
        !ok && said.contains("nothing listens there; start it, or correct mqtt.host and mqtt.port"),
        "{said}"
    );
    let Some(_broker) = Broker::start(&line, port, &settings) else { return };
    assert_eq!(
        check(&line, &own("right")),
        (true, format!("mqtt      the broker 127.0.0.1:{port} accepts the login"))
    );
    let refused = |settings: &str| {
        let (ok, said) = check(&line, settings);
        assert!(!ok && said.contains("correct mqtt.user or mqtt.password_file"), "{said}");
    };
    refused(&own("wrong"));
    refused(&own("right").replace("\"gate\"", "\"gates\""));
    refused(&format!("host = \"127.0.0.1\"\nport = {port}\n"));
    let (ok, said) = check(&line, &own("right").replace("127.0.0.1", "no-such-host.invalid"));
    assert!(!ok && said.contains("mqtt.host") && said.contains("name server"), "{said}");
    // TLS where the broker has none.
    let (ok, said) = check(&line, &format!("{}tls = true\n", own("right")));
    assert!(!ok && said.contains("mqtt.tls") || said.contains("ca-certificates"), "{said}");
}

#[test]
fn a_check_says_what_to_do_about_a_certificate() {
    let line = Line::start(0);
    let make = |name: &str, subject: &str| {
        let mut openssl = program("openssl", "openssl")?;
        let made = openssl
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"])
            .args([
                "-addext",
                &format!("subjectAltName={subject}"),
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .arg("-keyout")
            .arg(line.path(&format!("{name}.key")))
            .arg("-out")
            .arg(line.path(&format!("{name}.pem")))
            .stderr(Stdio::null())
            .status();
        made.unwrap().success().then_some(())
    };
    if make("broker", "DNS:localhost").is_none() || make("other", "DNS:localhost").is_none() {
        return;
    }
    let [certificate, key] = ["broker.pem", "broker.key"].map(|name| line.path(name));
    let settings =
        format!("allow_anonymous true\ncertfile {}\nkeyfile {}", certificate.display(), key.display());
    let Some(broker) = Broker::start(&line, free_port(), &settings) else { return };
    let of =
        |host: &str, more: &str| check(&line, &format!("host = \"{host}\"\nport = {}\n{more}", broker.port));
    let (ok, said) = of("localhost", "tls = true\nca_file = \"broker.pem\"\n");
    assert!(ok, "{said}");
    let (ok, said) = of("localhost", "tls = true\nca_file = \"other.pem\"\n");
    assert!(!ok && said.contains("mqtt.ca_file"), "{said}");
    let (ok, said) = of("127.0.0.1", "tls = true\nca_file = \"broker.pem\"\n");
    assert!(!ok && said.contains("for another name"), "{said}");
    let (ok, said) = of("localhost", "");
    assert!(!ok && said.contains("mqtt.tls"), "{said}");
}
