//! A stand-in for the line: the real protocol, real signed folders that are exchanged as the real line does it, and parts without pictures.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bundle::atomic::{replace_folder, write_file};
use judge::file_sha256;
use serde_json::{Value, json};
use shared_format::gateway::{
    Answer, Camera, CommandKind, Counters, Decoder, GatewayMessage, Hello, LineMessage, LineStatus, MAX_LEN,
    Message, Outcome, PartMessage, Product, Task, TaskRequest, cut,
};
use shared_format::{Disposition, Reason, Telegram, Verdict};
use signing::verify::Extent;
use signing::{Trust, verify_bundle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{MissedTickBehavior, interval};

use super::workshop::NAME;

/// How often the line says how it is, and reports its parts.
const TICK: Duration = Duration::from_millis(500);

/// A line.
pub struct Line {
    folder: PathBuf,
    trust: Trust,
    run: AtomicU64,
    next_part: AtomicU64,
    /// Parts that wait for the gateway, as the real line keeps up to 256.
    waiting: Mutex<Vec<PartMessage>>,
    /// The number of parts in each tick.
    pub parts_per_tick: AtomicU64,
    pub is_ended: AtomicBool,
}

impl Line {
    /// Starts a line in a folder, with a signed bundle in use.
    pub fn start(folder: &Path, bundle: &Path, trust: &Trust) -> Arc<Self> {
        for name in ["inbox", "records/tasks", "gateway", "store", "bundles"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        copy(bundle, &folder.join("bundles").join(NAME));
        let line = Arc::new(Self {
            folder: folder.to_owned(),
            trust: trust.clone(),
            run: AtomicU64::new(1),
            next_part: AtomicU64::new(1),
            waiting: Mutex::default(),
            parts_per_tick: AtomicU64::new(0),
            is_ended: AtomicBool::new(false),
        });
        line.write_state(&Value::Null);
        let listener = UnixListener::bind(folder.join("line.sock")).unwrap();
        let serving = Arc::clone(&line);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // One gateway at a time: the next connects when the last is gone.
                let _ = serving.serve(stream).await;
            }
        });
        line
    }

    /// Returns the number of parts so far.
    pub fn parts(&self) -> u64 {
        self.next_part.load(Ordering::Relaxed) - 1
    }

    /// Returns what identifies the bundle in use, after checking that it is whole.
    pub fn in_use(&self) -> String {
        let signed = verify_bundle(&self.bundle(), NAME, &self.trust, Extent::All).unwrap();
        hex(&signed.manifest.files["model.threshold"].sha256)
    }

    fn bundle(&self) -> PathBuf {
        self.folder.join("bundles").join(NAME)
    }

    fn behaviour(&self) -> String {
        std::fs::read_to_string(self.bundle().join("model.threshold")).unwrap()
    }

    fn write_state(&self, task: &Value) {
        let identity = hex(&file_sha256(self.behaviour().as_bytes()));
        let state = json!({"thresholds": [{"product": NAME, "bundle": identity}], "task": task});
        let path = self.folder.join("records/tasks/state.json");
        write_file(&path, state.to_string().as_bytes()).unwrap();
    }

    async fn serve(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let hello = Hello {
            line: cut("line"),
            version: cut("0.1.0"),
            run: self.run.load(Ordering::Relaxed) as u32,
            products: 1,
            accepts: CommandKind::Install.bit(),
        };
        send(&mut stream, &LineMessage::Hello(hello)).await?;
        send(&mut stream, &LineMessage::Product(Product { index: 0, name: cut(NAME) })).await?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut decoder, mut bytes, mut is_subscribed) = (Decoder::default(), [0; 1024], false);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    send(&mut stream, &LineMessage::Status(self.status())).await?;
                    self.make_parts();
                    if is_subscribed {
                        let parts = std::mem::take(&mut *self.waiting.lock().unwrap());
                        for part in parts {
                            send(&mut stream, &LineMessage::Part(part)).await?;
                        }
                    }
                }
                read = stream.read(&mut bytes) => {
                    let read = read?;
                    if read == 0 {
                        return Ok(());
                    }
                    for byte in &bytes[..read] {
                        match decoder.push(*byte) {
                            Some(Ok(GatewayMessage::Subscribe)) => is_subscribed = true,
                            Some(Ok(GatewayMessage::Task(task))) => self.carry_out(&mut stream, task).await?,
                            Some(other) => panic!("{other:?}"),
                            None => {}
                        }
                    }
                }
            }
        }
    }

    async fn carry_out(&self, stream: &mut UnixStream, request: TaskRequest) -> std::io::Result<()> {
        let word = match request.task {
            Task::Install => "install",
            Task::RollBack => "roll_back",
            other => panic!("{other:?}"),
        };
        self.write_state(&json!({"task": word, "product": 0, "status": "running"}));
        let answer = Answer { number: request.number, outcome: Outcome::Begun };
        send(stream, &LineMessage::Answer(answer)).await?;
        // The real line takes seconds.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let done = if word == "install" { self.install() } else { self.roll_back() };
        let (status, report) = match done {
            Ok(()) => ("done", json!({"golden": 1e-6})),
            Err(e) => ("failed", json!({"error": e})),
        };
        self.write_state(&json!({"task": word, "product": 0, "status": status, "report": report}));
        Ok(())
    }

    fn install(&self) -> Result<(), String> {
        let (from, next) = (self.folder.join("inbox").join(NAME), self.folder.join("bundles/.next"));
        let _ = std::fs::remove_dir_all(&next);
        if !from.is_dir() {
            return Err("the inbox has no such bundle".to_owned());
        }
        copy(&from, &next);
        verify_bundle(&next, NAME, &self.trust, Extent::All).map_err(|e| e.to_string())?;
        if std::fs::read_to_string(next.join("model.threshold")).unwrap().contains("golden fails") {
            return Err("golden frame a.png scores 1 here but 2 where the bundle was made".to_owned());
        }
        replace_folder(&next, &self.bundle()).map_err(|e| e.to_string())
    }

    fn roll_back(&self) -> Result<(), String> {
        replace_folder(&self.folder.join("bundles/.next"), &self.bundle()).map_err(|e| e.to_string())
    }

    fn status(&self) -> LineStatus {
        LineStatus {
            uptime_s: 60,
            product: 0,
            camera: Camera::Live,
            alarms: 0,
            under_way: 0,
            challenge_left: 0,
            memory_kib: 100,
            problems: 0,
            counters: Counters { triggered: self.parts(), ..Counters::default() },
        }
    }

    fn make_parts(&self) {
        if self.is_ended.load(Ordering::Relaxed) {
            return;
        }
        let behaviour = self.behaviour();
        let rejects = behaviour.split_once("rejects ").map_or(0, |(_, share)| share.parse::<u64>().unwrap());
        let mut waiting = self.waiting.lock().unwrap();
        for _ in 0..self.parts_per_tick.load(Ordering::Relaxed) {
            let number = self.next_part.fetch_add(1, Ordering::Relaxed);
            let is_rejected = number % 100 < rejects;
            let (verdict, disposition) = match is_rejected {
                true => (Verdict::Reject, Disposition::Reject),
                false => (Verdict::Pass, Disposition::Pass),
            };
            let telegram = Telegram {
                run: self.run.load(Ordering::Relaxed) as u32,
                part: number,
                product: 0,
                verdict: Some(verdict),
                disposition,
                reason: Reason::Verdict,
                score: Some(0.5),
                threshold: Some(1.0),
            };
            waiting.push(PartMessage {
                telegram,
                frames: 1,
                capture_to_release_us: Some(31_000),
                trigger_to_release_us: 400_012,
                lateness_us: 12,
            });
        }
    }
}

async fn send(stream: &mut UnixStream, message: &LineMessage) -> std::io::Result<()> {
    let bytes = message.encode(&mut [0; MAX_LEN]).unwrap().to_vec();
    stream.write_all(&bytes).await
}

/// Copies a bundle's files and folders.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn hex(hash: &[u8; 32]) -> String {
    signing::listed_files::to_hex(hash)
}
