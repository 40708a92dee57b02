//! A stand-in for the line.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared_format::gateway::{
    Answer, Camera, Command, Counters, Decide, Decoder, GatewayMessage, Hello, LineMessage, LineStatus,
    MAX_LEN, Message, Outcome, PartMessage, Product, Task, TaskRequest, cut,
};
use shared_format::{Disposition, Reason, Telegram, Verdict};

pub struct Line {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    decisions: Receiver<Decide>,
    tasks: Receiver<TaskRequest>,
}

/// Where what the gateway asks for goes.
#[derive(Clone)]
struct Asked {
    commands: Sender<Command>,
    decisions: Sender<Decide>,
    tasks: Sender<TaskRequest>,
}

struct Shared {
    accepts: u16,
    status: Mutex<LineStatus>,
    gateway: Mutex<Option<UnixStream>>,
}

impl Line {
    /// Starts a line with two products that accepts these commands, one bit each.
    pub fn start(accepts: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let status = LineStatus {
            uptime_s: 60,
            product: 0,
            camera: Camera::Live,
            alarms: 0,
            under_way: 0,
            challenge_left: 0,
            memory_kib: 100,
            problems: 0,
            counters: Counters::default(),
        };
        let shared = Arc::new(Shared { accepts, status: Mutex::new(status), gateway: Mutex::default() });
        let listener = UnixListener::bind(folder.path().join("line.sock")).unwrap();
        let (sender, commands) = channel();
        let (decided, decisions) = channel();
        let (asked, tasks) = channel();
        let asked = Asked { commands: sender, decisions: decided, tasks: asked };
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serving.serve(stream.unwrap(), asked.clone());
            }
        });
        let line = Self { folder, shared: Arc::clone(&shared), commands, decisions, tasks };
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(300));
                shared.send_status();
            }
        });
        line
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the gateway has connected.
    pub fn wait(&self) {
        let is_there = || self.shared.gateway.lock().unwrap().is_some();
        super::process::wait_until("the gateway connects", is_there);
    }

    /// Reports a part.
    pub fn part(&self, part: u64, disposition: Disposition) {
        let verdict = match disposition {
            Disposition::Pass => Verdict::Pass,
            Disposition::Reject => Verdict::Reject,
        };
        let telegram = Telegram {
            run: 7,
            part,
            product: 1,
            verdict: Some(verdict),
            disposition,
            reason: Reason::Verdict,
            score: Some(0.875),
            threshold: Some(0.5),
        };
        let message = PartMessage {
            telegram,
            frames: 1,
            capture_to_release_us: Some(31_000),
            trigger_to_release_us: 400_012,
            lateness_us: 12,
        };
        self.shared.send(&LineMessage::Part(message));
    }

    /// Changes the status and reports it.
    pub fn set(&self, change: impl Fn(&mut LineStatus)) {
        change(&mut self.shared.status.lock().unwrap());
        self.shared.send_status();
    }

    /// Hangs up on the gateway.
    pub fn hang_up(&self) {
        if let Some(stream) = self.shared.gateway.lock().unwrap().take() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    pub fn next_command(&self) -> Command {
        self.commands.recv_timeout(Duration::from_secs(10)).expect("no command")
    }

    pub fn next_decision(&self) -> Decide {
        self.decisions.recv_timeout(Duration::from_secs(10)).expect("no decision")
    }

    /// Returns the next task, with the product's index.
    pub fn next_task(&self) -> (u16, Task) {
        let asked = self.tasks.recv_timeout(Duration::from_secs(10)).expect("no task");
        assert!(!asked.by.is_empty());
        (asked.product, asked.task)
    }

    pub fn has_no_task(&self) -> bool {
        self.tasks.recv_timeout(Duration::from_millis(200)).is_err()
    }

    /// Says how far tasks are, as the line does.
    pub fn write_tasks(&self, state: &serde_json::Value) {
        let folder = self.path("records/tasks");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("new"), state.to_string()).unwrap();
        std::fs::rename(folder.join("new"), folder.join("state.json")).unwrap();
    }

    pub fn has_no_decision(&self) -> bool {
        self.decisions.try_recv().is_err()
    }

    pub fn has_no_command(&self) -> bool {
        self.commands.recv_timeout(Duration::from_millis(200)).is_err()
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, stream: UnixStream, asked: Asked) {
        let name = |index, name| LineMessage::Product(Product { index, name: cut(name) });
        let hello =
            Hello { line: cut("line 1"), version: cut("0.1.0"), run: 7, products: 2, accepts: self.accepts };
        let mut reading = stream.try_clone().unwrap();
        for message in [LineMessage::Hello(hello), name(0, "cap"), name(1, "cap-500")] {
            let _ = (&stream).write_all(message.encode(&mut [0; MAX_LEN]).unwrap());
        }
        let status = LineMessage::Status(*self.status.lock().unwrap());
        let _ = (&stream).write_all(status.encode(&mut [0; MAX_LEN]).unwrap());
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let mut decoder = Decoder::default();
            let mut bytes = [0; 1024];
            while let Ok(read @ 1..) = reading.read(&mut bytes) {
                for byte in &bytes[..read] {
                    match decoder.push(*byte) {
                        Some(Ok(GatewayMessage::Subscribe)) => {
                            *shared.gateway.lock().unwrap() = Some(reading.try_clone().unwrap());
                        }
                        Some(Ok(GatewayMessage::Command { number, command })) => {
                            let outcome = Outcome::Done;
                            shared.send(&LineMessage::Answer(Answer { number, outcome }));
                            let _ = asked.commands.send(command);
                        }
                        Some(Ok(GatewayMessage::Decide(decide))) => {
                            let (number, outcome) = (decide.number, Outcome::Done);
                            shared.send(&LineMessage::Answer(Answer { number, outcome }));
                            let _ = asked.decisions.send(decide);
                        }
                        Some(Ok(GatewayMessage::Task(task))) => {
                            let outcome = match task.task {
                                Task::SetThreshold { value } if value > 1.0 => Outcome::Refused,
                                Task::SetThreshold { .. } | Task::ResetThreshold | Task::LeaveOut { .. } => {
                                    Outcome::Done
                                }
                                _ => Outcome::Begun,
                            };
                            shared.send(&LineMessage::Answer(Answer { number: task.number, outcome }));
                            let _ = asked.tasks.send(task);
                        }
                        Some(Err(e)) => panic!("{e}"),
                        None => {}
                    }
                }
            }
        });
    }

    fn send_status(&self) {
        let status = *self.status.lock().unwrap();
        self.send(&LineMessage::Status(status));
    }

    fn send(&self, message: &LineMessage) {
        let bytes = message.encode(&mut [0; MAX_LEN]).unwrap().to_vec();
        if let Some(stream) = &mut *self.gateway.lock().unwrap() {
            let _ = stream.write_all(&bytes);
        }
    }
}
