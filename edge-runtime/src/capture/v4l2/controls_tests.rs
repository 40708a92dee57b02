use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::line_file::PixelFormat;

/// A camera with these controls (range and value), which rounds exposures to multiples of `rounds_to`.
#[derive(Default)]
struct Double {
    controls: RefCell<BTreeMap<u32, (ControlRange, i64)>>,
    rounds_to: i64,
    set: RefCell<Vec<(u32, i64)>>,
    refuses: Option<u32>,
}

impl Double {
    fn webcam() -> Self {
        let double = Self { rounds_to: 1, ..Self::default() };
        for (id, low, high, value) in [
            (CAMERA + 1, 0, 3, 3),
            (CAMERA + 2, 3, 2047, 250),
            (USER + 19, 0, 255, 64),
            (USER + 12, 0, 1, 1),
            (USER + 26, 2800, 6500, 4000),
        ] {
            double.controls.borrow_mut().insert(id, (ControlRange { low, high, step: 1 }, value));
        }
        double
    }

    fn drift(&self, id: u32, value: i64) {
        self.controls.borrow_mut().get_mut(&id).unwrap().1 = value;
    }
}

impl Controls for Double {
    fn range(&self, id: u32) -> Option<ControlRange> {
        self.controls.borrow().get(&id).map(|control| control.0)
    }

    fn get(&self, id: u32) -> io::Result<i64> {
        self.controls.borrow().get(&id).map(|control| control.1).ok_or_else(|| io::Error::other("none"))
    }

    fn set(&self, id: u32, value: i64) -> io::Result<()> {
        if self.refuses == Some(id) {
            return Err(io::Error::other("busy"));
        }
        self.set.borrow_mut().push((id, value));
        let rounds_to = if id == CAMERA + 2 { self.rounds_to } else { 1 };
        self.drift(id, value / rounds_to * rounds_to);
        Ok(())
    }
}

fn settings() -> V4l2Config {
    V4l2Config {
        device: PathBuf::from("/dev/video0"),
        format: PixelFormat::Mjpeg,
        width: 640,
        height: 480,
        fps: 30.0,
        exposure_ms: Some(5.0),
        gain: Some(10),
        white_balance_k: None,
        focus: None,
    }
}

#[test]
fn the_automatic_goes_off_before_the_value_is_set() {
    let camera = Double::webcam();
    let locked = lock(&camera, &settings()).unwrap();
    assert_eq!(*camera.set.borrow(), [(CAMERA + 1, 1), (CAMERA + 2, 50), (USER + 19, 10)]);
    assert_eq!(
        locked.iter().map(|l| (l.key, l.value)).collect::<Vec<_>>(),
        [("exposure_ms", 50), ("gain", 10)]
    );
}

#[test]
fn what_drifts_or_is_automatic_is_told_with_its_effect() {
    let camera = Double::webcam();
    let locked = lock(&camera, &settings()).unwrap();
    let white_balance = "automatic white balance is on: it changes colours, and thus the scores; lock it in the line file \
         (camera.white_balance_k)";
    assert_eq!(warnings(&camera, &locked), [white_balance]);
    camera.drift(CAMERA + 2, 80);
    camera.drift(CAMERA + 1, 3);
    let found = warnings(&camera, &locked);
    assert_eq!(found.len(), 3);
    assert!(found[0].starts_with("automatic exposure is on"), "{found:?}");
    assert!(found[1].starts_with("exposure is 8 but was locked to 5: that changes brightness"), "{found:?}");
    camera.controls.borrow_mut().remove(&(CAMERA + 2));
    assert!(warnings(&camera, &locked)[1].contains("can't be read back"));
}

#[test]
fn a_refusal_names_control_and_range() {
    let error = |camera: &Double, change: &dyn Fn(&mut V4l2Config)| {
        let mut settings = settings();
        change(&mut settings);
        lock(camera, &settings).unwrap_err().to_string()
    };
    let camera = Double::webcam();
    assert_eq!(
        error(&camera, &|settings| settings.exposure_ms = Some(500.0)),
        "the camera refuses camera.exposure_ms = 500: the value is out of range; give a value from 0.3 to 204.7 in steps of 0.1"
    );
    assert_eq!(
        error(&camera, &|settings| settings.focus = Some(3)),
        "the camera refuses camera.focus = 3: it has no such control; remove camera.focus"
    );
    let busy = Double { refuses: Some(USER + 19), ..Double::webcam() };
    assert!(error(&busy, &|_| {}).contains("camera.gain = 10: busy; give a value from 0 to 255"));
    let stuck = Double { refuses: Some(CAMERA + 1), ..Double::webcam() };
    assert!(error(&stuck, &|_| {}).contains("automatic adjustment can't be switched off"));
    let coarse = Double { rounds_to: 40, ..Double::webcam() };
    assert!(error(&coarse, &|_| {}).contains("the camera keeps it at 4;"));
}

#[test]
fn a_value_that_is_rounded_by_a_step_is_held_as_rounded() {
    let camera = Double { rounds_to: 3, ..Double::webcam() };
    camera.controls.borrow_mut().get_mut(&(CAMERA + 2)).unwrap().0.step = 3;
    let only = V4l2Config { gain: None, ..settings() };
    let locked = lock(&camera, &only).unwrap();
    assert_eq!(locked[0].value, 48);
    assert_eq!(warnings(&camera, &locked).len(), 1);
}
