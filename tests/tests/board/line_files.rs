//! The line files of the scenarios.

/// Outputs of the board's GPIO chip.
pub const REJECT: u32 = 5;
/// See [`REJECT`].
pub const PASS: u32 = 6;
/// See [`REJECT`].
pub const FAULT: u32 = 4;
/// See [`REJECT`].
pub const HEARTBEAT: u32 = 7;

const CELL: &str = r#"
[[product]]
name = "cell"
bundle = "/bundles/cell"
"#;

const STRICT: &str = r#"
[[product]]
name = "strict"
bundle = "/bundles/strict"
"#;

/// Taught on the board.
const TAUGHT: &str = r#"
[[product]]
name = "taught"
bundle = "/data/taught"
"#;

const LOOPBACK: &str = r#"
[camera]
source = "v4l2"
device = "/dev/video1"
format = "mjpeg"
width = 300
height = 300
fps = 8
"#;

/// vivid's image doesn't show this line's product: what matters is that each part is judged.
const VIVID: &str = r#"
[camera]
source = "v4l2"
device = "/dev/video0"
format = "yuyv"
width = 320
height = 180
fps = 10
gain = 77
"#;

/// The same image through nokhwa, which locks no settings.
const WEBCAM: &str = r#"
[camera]
source = "nokhwa"
index = 0
format = "yuyv"
width = 320
height = 180
fps = 10
"#;

/// An emulated processor is slow, so the gate is far from the camera, and a part may be served many milliseconds late.
const BY_TIME: &str = "
[gate]
delay_ms = 4000
pulse_ms = 100
gap_ms = 5
";

const BY_ENCODER: &str = "
[gate]
distance_ticks = 200
pulse_ms = 100
gap_ms = 5
";

fn line(products: &[&str], camera: &str, gate: &str, encoder: &str, records: &str) -> String {
    let products = products.concat();
    format!(
        r#"
name = "board"
threads = 2
stdout = true
{products}
{camera}
[trigger]
kind = "gpio"
{gate}
[gpio]
chip = "/dev/gpiochip0"
input_chip = "/dev/inputs"
reject = {{ line = {REJECT} }}
pass = {{ line = {PASS} }}
fault = {{ line = {FAULT} }}
heartbeat = {{ line = {HEARTBEAT} }}
trigger = {{ line = 0 }}
{encoder}
[serial]
device = "/dev/ttyUSB0"
[records]
folder = "{records}"
max_mib = 16
[health]
state = "/data/state"
every_s = 1
# A repeated frame is a fault by itself; the camera's state must not change.
frozen_s = 3600
"#
    )
}

/// Returns the names and contents of all line files.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("cell", line(&[CELL, STRICT], LOOPBACK, BY_TIME, "", "/data/records")),
        ("encoder", line(&[CELL], LOOPBACK, BY_ENCODER, "encoder = { line = 1 }", "/data/records")),
        ("vivid", line(&[CELL], VIVID, BY_TIME, "", "/data/records")),
        ("webcam", line(&[CELL], WEBCAM, BY_TIME, "", "/data/records")),
        ("taught", line(&[TAUGHT], LOOPBACK, BY_TIME, "", "/data/records")),
        ("full", line(&[CELL], LOOPBACK, BY_TIME, "", "/small/records")),
    ]
}
