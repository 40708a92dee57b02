//! Tests what people ask of a running line through its gateway: thresholds, learning and teaching, without a restart.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use judge::encode_png;
use serde_json::Value;
use shared_format::gateway::{
    Answer, CommandKind, Decide, Decision, Decoder, GatewayMessage, LineMessage, MAX_LEN, Message, Outcome,
    PartMessage, Task, TaskRequest, cut,
};
use shared_format::{Size, Verdict};
use tests::images::{part, striped_part, write_parts};
use tests::workshop::{TEACHER, Workshop};
use tests::{LONG, program, run, succeed};

const SIZE: Size = Size { width: 160, height: 128 };
const LINE: &str = r#"
name = "a"
[[product]]
name = "cap"
bundle = "taught"
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
accept = ["decide", "threshold", "learn", "teach"]
[records]
folder = "records"
[health]
state = "state"
[threshold]
lowest = 0.5
highest = 2.0
"#;

/// A line with a taught bundle, whose parts are good ones and two unusual ones, again and again.
struct Shop(Workshop);

impl Shop {
    fn new() -> Self {
        let shop = Self(Workshop::default());
        write_parts(&shop.0.path("photos"), SIZE, 16, false);
        let teach = ["teach", "--teacher", TEACHER, "--size", "128", "--method", "padim", "--from", "photos"];
        succeed(&mut shop.edge(&[&teach[..], &["--out", "taught"]].concat()));
        shop.write_line(LINE);
        std::fs::create_dir(shop.0.path("shots")).unwrap();
        let frames =
            (0..14).map(|n| part(SIZE, 900 + n, false)).chain((0..2).map(|n| striped_part(SIZE, 700 + n)));
        for (index, frame) in frames.enumerate() {
            let path = shop.0.path(&format!("shots/{index:02}.png"));
            std::fs::write(path, encode_png(&frame).unwrap()).unwrap();
        }
        shop
    }

    fn write_line(&self, text: &str) {
        std::fs::write(self.0.path("line.toml"), text).unwrap();
    }

    fn edge(&self, arguments: &[&str]) -> Command {
        let mut command = program("edge-runtime");
        command.env("NOMINAL_HOME", self.0.path("home")).current_dir(self.0.path("")).args(arguments);
        command
    }

    fn start(&self) -> Line<'_> {
        let child = self
            .edge(&["run", "line.toml"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.0.path("line.log")).unwrap())
            .spawn()
            .unwrap();
        let end = Instant::now() + LONG;
        let stream = loop {
            match UnixStream::connect(self.0.path("line.sock")) {
                Ok(stream) => break stream,
                Err(e) => assert!(Instant::now() < end, "{e}: {}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut line = Line { shop: self, child, stream, decoder: Decoder::default(), number: 0, run: 0 };
        let LineMessage::Hello(hello) = line.next() else { panic!("no hello") };
        line.run = hello.run;
        line.send(&GatewayMessage::Subscribe);
        line
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.0.path("line.log")).unwrap()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.path(path)).unwrap()).unwrap()
    }

    /// How far tasks are; null before the line has said so.
    fn state(&self) -> Value {
        let bytes = std::fs::read(self.0.path("records/tasks/state.json"));
        bytes.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    }

    fn thresholds(&self) -> Vec<u8> {
        std::fs::read(self.0.path("taught/model.threshold")).unwrap()
    }
}

/// A running line, which is killed when dropped.
struct Line<'s> {
    shop: &'s Shop,
    child: Child,
    stream: UnixStream,
    decoder: Decoder,
    number: u32,
    run: u32,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Line<'_> {
    fn send(&mut self, message: &GatewayMessage) {
        self.stream.write_all(message.encode(&mut [0; MAX_LEN]).unwrap()).unwrap();
    }

    fn next(&mut self) -> LineMessage {
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e}: {}", self.shop.log()));
            if let Some(message) = self.decoder.push(byte[0]) {
                return message.unwrap();
            }
        }
    }

    fn ask(&mut self, task: Task) -> Outcome {
        self.ask_of(0, task)
    }

    fn ask_of(&mut self, product: u16, task: Task) -> Outcome {
        self.number += 1;
        let (number, by) = (self.number, cut("anna"));
        self.send(&GatewayMessage::Task(TaskRequest { number, product, by, task }));
        self.outcome()
    }

    fn outcome(&mut self) -> Outcome {
        loop {
            match self.next() {
                LineMessage::Answer(Answer { number, outcome }) if number == self.number => return outcome,
                _ => {}
            }
        }
    }

    /// Returns the next part for which this holds.
    fn part_with(&mut self, what: &str, is: impl Fn(&PartMessage) -> bool) -> PartMessage {
        let end = Instant::now() + LONG;
        loop {
            if let LineMessage::Part(part) = self.next() {
                assert_eq!(part.telegram.run, self.run, "the line was restarted");
                if is(&part) {
                    return part;
                }
            }
            assert!(Instant::now() < end, "{what}: {}", self.shop.log());
        }
    }

    /// Waits until parts are judged with this threshold.
    fn wait_for_threshold(&mut self, threshold: f32) {
        self.part_with("the threshold", |part| part.telegram.threshold == Some(threshold));
    }

    /// Reads messages until the state of tasks says this.
    fn wait_for_state(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LONG;
        loop {
            let state = self.shop.state();
            if is(&state) {
                return state;
            }
            assert!(Instant::now() < end, "{what}: {state:#} {}", self.shop.log());
            self.next();
        }
    }

    /// Asks for a task that takes a while, and returns what came of it.
    fn carry_out(&mut self, task: Task) -> Value {
        assert_eq!(self.ask(task), Outcome::Begun, "{task:?}: {}", self.shop.log());
        self.wait_for_state("it ends", |state| state["task"]["status"] != "running")["task"].clone()
    }
}

/// Returns a number that was written as one of 32 bits.
fn number(value: &Value) -> f32 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number")) as f32
}

fn own_threshold(state: &Value) -> f32 {
    number(&state["thresholds"][0]["own"])
}

#[test]
fn a_threshold_moves_within_its_limits_and_is_kept_over_a_kill() {
    let shop = Shop::new();
    let mut line = shop.start();
    let state = line.wait_for_state("the limits", |state| state["thresholds"][0]["own"].is_number());
    let of = |name: &str| number(&state["thresholds"][0][name]);
    let (own, lowest, highest) = (of("own"), of("lowest"), of("highest"));
    assert!(lowest < own && own < highest, "{state}");
    line.wait_for_threshold(own);
    let bundle = shop.thresholds();
    for value in [lowest - 0.01 * own.abs(), highest + 0.01 * own.abs(), f32::MAX] {
        assert_eq!(line.ask(Task::SetThreshold { value }), Outcome::Refused, "{value}");
    }
    assert_eq!(line.ask_of(1, Task::SetThreshold { value: own }), Outcome::Refused, "no such product");
    let moved = 0.5 * (own + lowest);
    assert_eq!(line.ask(Task::SetThreshold { value: moved }), Outcome::Done);
    let state = shop.state();
    assert_eq!(number(&state["thresholds"][0]["used"]), moved);
    assert_eq!(state["thresholds"][0]["by"], "anna");
    line.wait_for_threshold(moved);
    // The record says which threshold judged, and the status that it was moved.
    let rejected = line.part_with("a reject", |part| {
        part.telegram.verdict == Some(Verdict::Reject) && part.telegram.threshold == Some(moved)
    });
    let ending = format!("{:08}", rejected.telegram.part);
    let record = || {
        let names =
            std::fs::read_dir(shop.0.path("records")).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).find(|name| name.ends_with(&ending))
    };
    while record().is_none() {
        line.next();
    }
    let described = shop.json(&format!("records/{}/record.json", record().unwrap()));
    assert_eq!(number(&described["threshold"]), moved);
    drop(line);

    let mut line = shop.start();
    line.wait_for_threshold(moved);
    let status = || std::fs::read_to_string(shop.0.path("state/status.json")).unwrap_or_default();
    while !status().contains("set by anna") {
        line.next();
    }
    assert_eq!(line.ask(Task::ResetThreshold), Outcome::Done);
    line.wait_for_threshold(own);
    assert_eq!(shop.thresholds(), bundle, "the bundle is as it was");
    assert_eq!(line.ask(Task::SetThreshold { value: moved }), Outcome::Done);
    drop(line);

    // A damaged file is named, and the bundle's own threshold holds.
    std::fs::write(shop.0.path("state/thresholds.json"), b"{\"version\": 1, \"thresholds\": [").unwrap();
    let mut line = shop.start();
    line.wait_for_threshold(own);
    assert!(shop.log().contains("thresholds.json"), "{}", shop.log());
    drop(line);
    // Switched off in the line file, nothing is moved.
    shop.write_line(&LINE.replace("\"threshold\", ", ""));
    let mut line = shop.start();
    assert_eq!(line.ask(Task::SetThreshold { value: own }), Outcome::SwitchedOff);
    line.wait_for_threshold(own);
}

#[test]
fn a_line_is_taught_and_learns_while_it_runs_and_goes_back() {
    let shop = Shop::new();
    let mut line = shop.start();
    let own =
        own_threshold(&line.wait_for_state("the limits", |state| state["thresholds"][0]["own"].is_number()));
    let before = shop.thresholds();

    // Photos of the parts that come, all but one of which are taught.
    assert_eq!(line.ask(Task::TakePhotos { parts: 14 }), Outcome::Begun);
    let count = |state: &Value| state["photos"]["taught"].as_array().map_or(0, Vec::len);
    line.wait_for_state("photos come", |state| count(state) > 2 && state["photos"]["taking"] == true);
    let state = line.wait_for_state("all photos", |state| count(state) == 14);
    assert_eq!(
        (&state["photos"]["taking"], &state["photos"]["claim"]),
        (&false.into(), &(1.0 / 15.0).into())
    );
    assert_eq!(line.ask(Task::LeaveOut { photo: 99, out: true }), Outcome::Gone);
    assert_eq!(line.ask(Task::LeaveOut { photo: 1, out: true }), Outcome::Done);
    // One thing at a time, and it can be stopped.
    assert_eq!(line.ask(Task::TryTeaching), Outcome::Begun);
    assert_eq!(line.ask(Task::TryTeaching), Outcome::Busy);
    assert_eq!(line.ask(Task::Stop), Outcome::Done);
    assert_eq!(shop.state()["task"]["status"], "stopped");
    let tried = line.carry_out(Task::TryTeaching);
    assert_eq!((&tried["status"], &tried["report"]["parts"]), (&"done".into(), &13.into()), "{tried:#}");
    assert!(tried["report"]["claim"].as_str().unwrap().contains("13 normals"), "{tried:#}");
    assert_eq!(shop.thresholds(), before, "trying changes nothing");

    // The line takes the bundle up between two parts.
    let taught = line.carry_out(Task::Teach);
    assert_eq!((&taught["status"], &taught["in_use"]), (&"done".into(), &true.into()), "{taught:#}");
    assert_ne!(shop.thresholds(), before);
    let threshold = own_threshold(&shop.state());
    assert_ne!(threshold, own);
    line.wait_for_threshold(threshold);
    assert_eq!(shop.state()["thresholds"][0]["can_roll_back"], true);
    let lesson = shop.json("taught/lesson.json");
    assert!(lesson["photos"].as_str().unwrap().contains("records/taught/cap/"), "{lesson:#}");
    assert_eq!(line.ask(Task::DiscardPhotos), Outcome::Done);
    assert_eq!(std::fs::read_dir(lesson["photos"].as_str().unwrap()).unwrap().count(), 13);

    let back = line.carry_out(Task::RollBack);
    assert_eq!((&back["status"], &back["in_use"]), (&"done".into(), &true.into()), "{back:#}");
    assert_eq!(shop.thresholds(), before);
    line.wait_for_threshold(own);
    let none = line.carry_out(Task::RollBack);
    assert!(
        none["status"] == "failed" && none["report"]["error"].as_str().unwrap().contains("roll back"),
        "{none:#}"
    );

    // Nothing was decided yet.
    let none = line.carry_out(Task::TryLearning);
    assert!(none["report"]["error"].as_str().unwrap().contains("marked as a false alarm"), "{none:#}");
    let rejected = line.part_with("a reject", |part| part.telegram.verdict == Some(Verdict::Reject)).telegram;
    let ending = format!("{:06}-{:08}", rejected.run, rejected.part);
    let listed = loop {
        let listed = succeed(&mut shop.edge(&["review", "list", "--line", "line.toml"]));
        if listed.contains(&ending) {
            break listed;
        }
        line.next();
    };
    let name = listed.lines().filter_map(|line| line.split(' ').next()).find(|name| name.ends_with(&ending));
    line.number += 1;
    let [record, kind, by] = [name.unwrap(), "", "anna"].map(cut);
    let decision = Decision::FalseAlarm;
    line.send(&GatewayMessage::Decide(Decide {
        number: line.number,
        record,
        decision,
        kind,
        by,
        replace: false,
    }));
    assert_eq!(line.outcome(), Outcome::Done);
    let tried = line.carry_out(Task::TryLearning);
    assert_eq!(
        (&tried["status"], &tried["report"]["false_alarms"]["of"]),
        (&"done".into(), &1.into()),
        "{tried:#}"
    );
    assert!(tried["report"]["changes"].as_str().unwrap().contains("of 1 false alarms would pass (0 now)"));
    let learned = line.carry_out(Task::Learn);
    assert_eq!((&learned["status"], &learned["in_use"]), (&"done".into(), &true.into()), "{learned:#}");
    line.wait_for_threshold(own_threshold(&shop.state()));
    // Nothing is left lying about.
    let hidden = std::fs::read_dir(shop.0.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let hidden: Vec<_> = hidden.filter(|name| name.to_str().unwrap().starts_with('.')).collect();
    assert_eq!(hidden, [".taught.beside"]);
}

#[test]
fn what_the_line_file_does_not_accept_or_can_not_bear_is_refused() {
    let shop = Shop::new();
    let check = |text: &str| {
        shop.write_line(text);
        let (code, stdout, stderr) = run(&mut shop.edge(&["check", "line.toml"]));
        (code, stdout + &stderr)
    };
    for (text, said) in [
        (LINE.replace("[health]\nstate = \"state\"", ""), "\"threshold\" in socket.accept needs"),
        (LINE.replace("folder = \"records\"", "frames = true"), "\"learn\" in socket.accept needs"),
        (format!("{LINE}\n[votes]\nframes = 2"), "\"teach\" in socket.accept needs votes.frames = 1"),
        (LINE.replace("lowest = 0.5", "lowest = 0.0"), "threshold.lowest = 0 is not allowed"),
        (LINE.replace("highest = 2.0", "highest = nan"), "threshold.highest = NaN is not allowed"),
    ] {
        let (code, output) = check(&text);
        assert!(code == 1 && output.contains(said), "{said}: {output}");
    }
    for (kind, task) in [
        (CommandKind::Threshold, Task::ResetThreshold),
        (CommandKind::Learn, Task::TryLearning),
        (CommandKind::Teach, Task::TakePhotos { parts: 5 }),
    ] {
        shop.write_line(&LINE.replace(&format!("\"{}\"", kind.as_str()), "\"acknowledge\""));
        assert_eq!(shop.start().ask(task), Outcome::SwitchedOff, "{kind:?}");
    }
    shop.write_line(LINE);
    let mut line = shop.start();
    assert_eq!(line.ask(Task::TakePhotos { parts: 1001 }), Outcome::Refused);
    // Too few photos: the reason is a sentence.
    assert_eq!(line.ask(Task::TakePhotos { parts: 1 }), Outcome::Begun);
    line.wait_for_state("a photo", |state| {
        state["photos"]["taught"].as_array().is_some_and(|taught| taught.len() == 1)
    });
    let failed = line.carry_out(Task::Teach);
    let said = failed["report"]["error"].as_str().unwrap();
    assert!(failed["status"] == "failed" && said.contains("good part"), "{failed:#}");
    let kept = std::fs::read_dir(shop.0.path("records/taught/cap")).map_or(0, Iterator::count);
    assert_eq!(kept, 0, "photos of a bundle that was not made");
}

#[test]
fn a_kill_while_the_line_is_taught_leaves_one_of_the_two_bundles() {
    let shop = Shop::new();
    let mut line = shop.start();
    assert_eq!(line.ask(Task::TakePhotos { parts: 14 }), Outcome::Begun);
    line.wait_for_state("photos", |state| state["photos"]["taking"] == false && state["photos"].is_object());
    let before = shop.thresholds();
    for wait in [0, 400, 900] {
        assert_eq!(line.ask(Task::Teach), Outcome::Begun);
        std::thread::sleep(Duration::from_millis(wait));
        drop(line);
        // The line that is started next finds a whole bundle, and the photos.
        line = shop.start();
        let state = line.wait_for_state("the photos", |state| state["photos"].is_object());
        assert_eq!(state["photos"]["taught"].as_array().unwrap().len(), 14);
        line.part_with("a verdict", |part| part.telegram.score.is_some());
    }
    // What was killed with the line, or went on without it, stands in nobody's way for long.
    let end = Instant::now() + LONG;
    while line.ask(Task::Stop) != Outcome::Done || line.carry_out(Task::Teach)["status"] != "done" {
        assert!(Instant::now() < end, "{:#} {}", shop.state(), shop.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_ne!(shop.thresholds(), before);
}
