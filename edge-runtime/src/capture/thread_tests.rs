use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use shared_format::Size;

use super::*;
use crate::capture::{FrameData, RawFormat};

const SIZE: Size = Size { width: 8, height: 8 };

/// A camera that delivers what its script returns for the number of the call.
struct Scripted<S>(S, u64);

impl<S: FnMut(u64) -> Result<FrameData, CaptureError> + Send> FrameSource for Scripted<S> {
    fn describe(&self) -> String {
        "a script".to_owned()
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        std::thread::sleep(Duration::from_millis(1));
        self.1 += 1;
        Ok(CapturedFrame::new((self.0)(self.1)?, Moment::now(), self.1))
    }

    fn warnings(&mut self) -> Vec<String> {
        vec![format!("after {}", self.1)]
    }
}

type Script = fn(u64) -> Result<FrameData, CaptureError>;

fn start(script: Script, health: &HealthConfig) -> Capture {
    Capture::start(move || Ok(Box::new(Scripted(script, 0))), health, |_, _| {}).unwrap()
}

fn grey(value: u8) -> Result<FrameData, CaptureError> {
    Ok(FrameData::Raw { format: RawFormat::Grey, size: SIZE, bytes: vec![value; 64] })
}

fn moving(n: u64) -> Result<FrameData, CaptureError> {
    grey(100 + (n % 50) as u8)
}

fn lost() -> Result<FrameData, CaptureError> {
    Err(CaptureError::Lost { reason: "unplugged".to_owned() })
}

/// Waits up to ten seconds for a state: the machine may be busy.
fn reaches(capture: &Capture, wanted: impl Fn(&CameraState) -> bool) -> bool {
    (0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        wanted(&capture.state())
    })
}

fn patient() -> HealthConfig {
    HealthConfig { silent_s: 60.0, ..HealthConfig::default() }
}

#[test]
fn frames_reach_the_ring_and_the_listener() {
    let (sender, frames) = mpsc::channel();
    let open = || Ok(Box::new(Scripted(moving, 0)) as Box<dyn FrameSource>);
    let listener = move |captured: &Arc<CapturedFrame>, _: u64| _ = sender.send(captured.sequence());
    let capture = Capture::start(open, &patient(), listener).unwrap();
    assert_eq!(frames.iter().take(20).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    let now = Moment::now();
    let first = capture.ring().first_after(now, now + Duration::from_secs(10)).unwrap();
    assert!(first.captured_at() >= now);
    assert!(reaches(&capture, |state| *state == CameraState::Live));
    let stats = capture.stats();
    assert!(stats.frames.captured >= 20);
    assert_eq!((stats.reopened, stats.description.as_str()), (0, "a script"));
    assert_eq!(stats.warnings, ["after 1"]);
    assert!(capture.stop());
    // The thread's end of the channel is gone.
    assert!(frames.iter().count() < 10_000);
}

#[test]
fn a_lost_camera_is_opened_again() {
    let opened = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&opened);
    let open = move || match count.fetch_add(1, Ordering::SeqCst) {
        1 => Err(CaptureError::Open { camera: "it".to_owned(), reason: "not there".to_owned() }),
        _ => Ok(Box::new(Scripted(|n| if n > 3 { lost() } else { moving(n) }, 0)) as Box<dyn FrameSource>),
    };
    let capture = Capture::start(open, &patient(), |_, _| {}).unwrap();
    assert!(reaches(&capture, |state| matches!(state, CameraState::Lost(why) if why.contains("unplugged"))));
    let waiting = capture.ring().first_after(Moment::now(), Moment::now() + Duration::from_secs(9));
    assert!(matches!(waiting, Err(FrameWaitError::Lost(_))), "{waiting:?}");
    assert!(reaches(&capture, |state| matches!(state, CameraState::Lost(why) if why.contains("not there"))));
    assert!(reaches(&capture, |_| capture.stats().reopened >= 1 && capture.stats().frames.captured >= 6));
}

#[test]
fn a_panic_in_the_camera_or_the_listener_is_a_lost_camera() {
    let capture = start(|_| panic!("in the driver"), &patient());
    assert!(reaches(
        &capture,
        |state| matches!(state, CameraState::Lost(why) if why.contains("in the driver"))
    ));
    assert!(reaches(&capture, |_| capture.stats().reopened >= 1));

    let open = || Ok(Box::new(Scripted(moving, 0)) as Box<dyn FrameSource>);
    let capture = Capture::start(open, &patient(), |_, _| panic!("in the listener")).unwrap();
    assert!(reaches(&capture, |state| matches!(state, CameraState::Lost(why) if why.contains("listener"))));
    assert!(reaches(&capture, |_| capture.stats().reopened >= 1));
}

/// A panic payload that panics again when dropped.
struct FailsTwice;

impl Drop for FailsTwice {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[test]
fn a_thread_that_ends_by_itself_is_a_lost_camera() {
    let capture = start(|_| std::panic::panic_any(FailsTwice), &patient());
    assert!(reaches(
        &capture,
        |state| matches!(state, CameraState::Lost(why) if why.contains("unexpectedly"))
    ));
}

/// A camera with two frames missing before every third.
struct Gaps(u64);

impl FrameSource for Gaps {
    fn describe(&self) -> String {
        "one with gaps".to_owned()
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        std::thread::sleep(Duration::from_millis(1));
        self.0 += 1;
        Ok(CapturedFrame::new(moving(self.0)?, Moment::now(), self.0 + 2 * (self.0 / 3)))
    }

    fn warnings(&mut self) -> Vec<String> {
        vec![]
    }
}

#[test]
fn the_listener_is_told_of_frames_that_the_driver_dropped() {
    let (sender, dropped) = mpsc::channel();
    let listener = move |_: &Arc<CapturedFrame>, dropped: u64| _ = sender.send(dropped);
    let capture =
        Capture::start(|| Ok(Box::new(Gaps(0)) as Box<dyn FrameSource>), &patient(), listener).unwrap();
    assert_eq!(dropped.iter().take(6).collect::<Vec<_>>(), [0, 0, 2, 0, 0, 2]);
    assert!(capture.stats().frames.lost >= 4);
}

#[test]
fn the_end_of_the_frames_is_no_loss() {
    let capture = start(|n| if n > 2 { Err(CaptureError::End) } else { moving(n) }, &patient());
    assert!(reaches(&capture, |state| *state == CameraState::Ended));
    let next = capture.ring().first_after(Moment::now(), Moment::now() + Duration::from_secs(9));
    assert_eq!(next.unwrap_err(), FrameWaitError::Ended);
    assert_eq!(capture.ring().newest().unwrap().sequence(), 2);
    assert!(capture.stop());
}

#[test]
fn frozen_black_and_burnt_out_pictures_are_told() {
    let health = HealthConfig { frozen_s: 0.1, ..patient() };
    assert!(reaches(&start(|_| grey(100), &health), |state| *state == CameraState::Frozen));
    assert!(reaches(&start(|n| grey((n % 4) as u8), &health), |state| *state == CameraState::Black));
    assert!(reaches(&start(|n| grey(252 + (n % 4) as u8), &health), |state| *state == CameraState::BurntOut));
}

#[test]
fn a_hanging_camera_is_silent_and_does_not_hold_up_the_end() {
    let (sender, heard) = mpsc::channel();
    let hang = |n| {
        if n == 2 {
            std::thread::sleep(Duration::from_secs(3));
        }
        moving(n)
    };
    let open = move || Ok(Box::new(Scripted(hang, 0)) as Box<dyn FrameSource>);
    let listener = move |captured: &Arc<CapturedFrame>, _: u64| _ = sender.send(captured.sequence());
    let health = HealthConfig { silent_s: 0.1, ..HealthConfig::default() };
    let capture = Capture::start(open, &health, listener).unwrap();
    assert!(reaches(&capture, |state| *state == CameraState::Silent));
    let asked = std::time::Instant::now();
    assert!(!capture.stop());
    assert!(asked.elapsed() < Duration::from_millis(2500));
    // The frame that arrives late is discarded.
    assert_eq!(heard.iter().collect::<Vec<_>>(), [1]);
}
