//! The fake camera, the capture process, and a line's end of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use frame_channel::{CameraRequest, ChannelError, FrameInfo, FrameReceiver, Greeting, Received};
use serde_json::{Value, json};

/// A frame of this size fits into the socket's buffer as the system has it, so that a busy machine loses few packets.
pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 240;
const CAMERA: &str = "arv-fake-gv-camera-0.8";
/// Longer than anything takes, however busy the machine is.
pub const LONG: Duration = Duration::from_secs(60);

pub fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The port of GigE Vision cameras is one: the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A turn with the camera's port; `None` if a program is missing.
pub fn turn() -> Option<MutexGuard<'static, ()>> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let listed = Command::new(env!("CARGO_BIN_EXE_capture-aravis")).arg("--list").output().unwrap();
    let has_camera = Command::new(CAMERA).arg("--help").stdout(Stdio::null()).status().is_ok();
    if listed.status.success() && has_camera {
        return Some(turn);
    }
    eprintln!("skipped: {CAMERA} or Aravis is missing: {}", String::from_utf8_lossy(&listed.stderr));
    None
}

/// A process that is killed when this is dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command for a program that ends with these tests, even if they are killed: a camera that is left behind would answer in place of
/// the next run's.
fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Starts the camera; `lost` of a thousand of its packets are lost.
pub fn camera(lost: u32) -> Process {
    let lost = lost.to_string();
    let arguments = ["--interface", "127.0.0.1", "--serial", "NOMINAL", "--gvsp-lost-ratio", &lost];
    let child = bound(CAMERA).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Process(child)
}

/// The capture process and its socket.
pub struct Capture {
    pub process: Process,
    pub folder: tempfile::TempDir,
}

impl Capture {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::in_folder(folder.path());
        Self { process, folder }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("frames.sock")
    }

    /// Kills the process and starts another one.
    pub fn restart(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        self.process = Self::in_folder(self.folder.path());
    }

    fn in_folder(folder: &Path) -> Process {
        let child = bound(env!("CARGO_BIN_EXE_capture-aravis"))
            .args(["--socket", "frames.sock"])
            .current_dir(folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    /// Asks for a camera once.
    pub fn ask(&self, camera: Value) -> Result<(FrameReceiver, Greeting), ChannelError> {
        let request = serde_json::to_value(CameraRequest::new(camera, None)).unwrap();
        let socket = frame_channel::connect(&self.socket())?;
        FrameReceiver::open(socket, request, 3 * (WIDTH * HEIGHT) as u64 + 65_536, Duration::from_secs(15))
    }

    /// As [`Self::open_as`], with a camera that is soon free again after a kill.
    pub fn open(&self, fps: u32) -> (FrameReceiver, FrameInfo, Vec<u8>) {
        let mut camera = wanted(fps);
        camera["heartbeat_ms"] = json!(1500);
        self.open_as(&camera)
    }

    /// Asks for the camera until it is there and has sent a whole frame, as a line does.
    pub fn open_as(&self, camera: &Value) -> (FrameReceiver, FrameInfo, Vec<u8>) {
        let started = Instant::now();
        loop {
            match self.ask(camera.clone()).and_then(|(receiver, _)| first_whole_frame(receiver)) {
                Ok(found) => return found,
                Err(e) => assert!(started.elapsed() < LONG, "{e}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn first_whole_frame(
    mut receiver: FrameReceiver,
) -> Result<(FrameReceiver, FrameInfo, Vec<u8>), ChannelError> {
    loop {
        let (info, bytes) = frame(&mut receiver)?;
        if info.damage.is_none() {
            return Ok((receiver, info, bytes));
        }
    }
}

/// The fake camera in a line file.
pub fn wanted(fps: u32) -> Value {
    json!({
        "source": "aravis", "id": "127.0.0.1", "format": "grey", "width": WIDTH, "height": HEIGHT, "fps": fps,
        "exposure_ms": 10.0, "packet_bytes": 1500
    })
}

/// Waits for the next frame.
pub fn frame(receiver: &mut FrameReceiver) -> Result<(FrameInfo, Vec<u8>), ChannelError> {
    loop {
        match receiver.next(Duration::from_secs(5))? {
            Received::Frame(info, bytes) => return Ok((info, bytes)),
            Received::Warnings(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Checks that a picture is as the camera makes it, and returns how far its ramp has moved: by one pixel in each frame, and again from the start after
/// 255 frames.
pub fn moved_by(bytes: &[u8]) -> u64 {
    assert_eq!(bytes.len(), WIDTH * HEIGHT);
    // Each row and each column is one step further, so the picture is constant along diagonals.
    for (above, below) in bytes.chunks(WIDTH).zip(bytes.chunks(WIDTH).skip(1)) {
        assert_eq!(above[1..], below[..WIDTH - 1]);
    }
    // Where the ramp falls back to 0 and stays for the values that are scaled to 0, and then climbs.
    let fall = bytes[..WIDTH].windows(2).position(|pair| pair[0] > pair[1]).unwrap();
    254 - (fall as u64 % 255)
}
