//! What a line asks for and can't have.

use std::process::Command;

use frame_channel::{ChannelError, Received};
use serde_json::json;

use crate::support::{Capture, LONG, camera, frame, turn, wanted};

#[test]
fn a_camera_that_is_not_as_asked_for_is_refused_with_the_key() {
    let Some(_turn) = turn() else { return };
    let _camera = camera(0);
    let capture = Capture::start();
    // It is up.
    drop(capture.open(50));
    for (key, value, said) in [
        ("id", json!("Aravis-Fake-OTHER"), "--list"),
        ("id", json!(""), "camera.id is empty"),
        ("id", json!("a\u{0}b"), "has a zero in it"),
        ("format", json!("yuyv"), "camera.format = \"yuyv\""),
        ("format", json!("mjpeg"), "camera.format = \"mjpeg\""),
        ("format", json!("h264"), "unknown variant"),
        ("width", json!(0), "region"),
        ("height", json!(3_000_000_000_u32), "is too large"),
        ("exposure_ms", json!(99_999_999.0), "camera.exposure_ms"),
        ("trigger", json!("Line77"), "camera.trigger = \"Line77\""),
        ("brightness", json!(1), "unknown field"),
        ("source", json!("v4l2"), "opens only cameras with source = \"aravis\""),
    ] {
        let mut camera = wanted(50);
        camera[key] = value;
        let refused = capture.ask(camera).unwrap_err();
        let ChannelError::Refused(refusal) = &refused else { panic!("{key}: {refused}") };
        assert!(refusal.reason.contains(said), "{key}: {refusal}");
    }
    // After all of these it still serves.
    let (mut receiver, greeting) = capture.ask(wanted(50)).unwrap();
    assert!(greeting.description.contains("Aravis Fake (127.0.0.1), 320 × 240 grey"), "{greeting:?}");
    frame(&mut receiver).unwrap();
}

#[test]
fn a_camera_that_waits_for_its_trigger_is_not_lost() {
    let Some(_turn) = turn() else { return };
    let _camera = camera(0);
    let capture = Capture::start();
    drop(capture.open(50));
    let mut triggered = wanted(50);
    triggered["trigger"] = json!("Line0");
    let mut receiver = capture.ask(triggered).unwrap().0;
    // Without inputs, the fake camera is never triggered. The process says that it is there, for longer than a free-running camera may be silent.
    for _ in 0..8 {
        assert!(matches!(receiver.next(LONG).unwrap(), Received::Warnings(warnings) if warnings.is_empty()));
    }
}

#[test]
fn connected_cameras_are_listed() {
    let Some(_turn) = turn() else { return };
    let _camera = camera(0);
    let list = || {
        let listed = Command::new(env!("CARGO_BIN_EXE_capture-aravis")).arg("--list").output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let found = (0..20).map(|_| list()).find(|listed| !listed.is_empty()).unwrap();
    assert!(found.contains("Aravis-Fake-NOMINAL  127.0.0.1  GigEVision"), "{found}");
}

#[test]
fn wrong_usage_is_told() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_capture-aravis")).args(arguments).output().unwrap()
    };
    for arguments in [&[][..], &["--socket"], &["--list", "--socket", "x"], &["x"]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    if turn().is_some() {
        let output = run(&["--socket", "/nowhere/frames.sock"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("check the folder and its permissions"));
    }
}
