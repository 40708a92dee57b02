//! Detects repeated, frozen, black and burnt-out pictures: a camera that delivers frames and yet shows nothing.

use std::collections::VecDeque;
use std::time::Duration;

use super::CapturedFrame;
use crate::capture::luma::Exposure;
use crate::clock::Moment;
use crate::line_file::HealthConfig;

/// Light changes slowly, and checking it decodes a frame that may not be needed otherwise.
const LIGHT_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How many earlier frames each new one is compared with, unless the line file sets it: the four buffers that the driver is
/// asked for, any of which it may hand out again, and one more. Files stand in for a camera, so they are compared, too.
pub const DEFAULT_EQUAL_FRAMES: u16 = 5;

/// State of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CameraState {
    /// Opened, but no frame has arrived yet.
    Starting,
    /// Its frames can be judged.
    Live,
    /// No frame for `health.silent_s`, for whatever reason.
    Silent,
    /// No new picture for `health.frozen_s`.
    Frozen,
    /// Darker than `health.black_below`.
    Black,
    /// More saturated pixels than `health.burnt_above`.
    BurntOut,
    /// It failed and is being reopened.
    Lost(String),
    /// It has delivered all its frames.
    Ended,
}

impl std::fmt::Display for CameraState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "the camera is starting",
            Self::Live => "the camera is live",
            Self::Silent => "the camera delivers no frames; check its cable and power",
            Self::Frozen => "the camera keeps delivering the same picture; reconnect it",
            Self::Black => "the camera's picture is black; check lighting, lens cap and exposure",
            Self::BurntOut => "the camera's picture is burnt out; check lighting and exposure",
            Self::Lost(reason) => return write!(f, "the camera is lost: {reason}"),
            Self::Ended => "the camera has no more frames",
        })
    }
}

/// Checks every frame.
#[derive(Debug)]
pub(super) struct CameraMonitor {
    frozen_after: Duration,
    black_below: f64,
    burnt_above: f64,
    /// `health.equal_frames`.
    equal_frames: Option<u16>,
    /// How many earlier frames each frame of this camera is compared with; with 0, a repeated frame is not a fault.
    compared: usize,
    /// Fingerprints of the last frames, oldest first; at least one is kept.
    last: VecDeque<u32>,
    /// When the picture last differed from the ones before it.
    renewed: Option<Moment>,
    is_frozen: bool,
    /// Whether it may repeat a picture, as the test pattern does.
    may_repeat: bool,
    /// When a frame could last be decoded or, if none could, when the first one came.
    decoded: Option<Moment>,
    /// When brightness was last checked, and the result.
    light: Option<(Moment, CameraState)>,
}

impl CameraMonitor {
    pub(super) fn new(health: &HealthConfig) -> Self {
        Self {
            frozen_after: Duration::try_from_secs_f64(health.frozen_s).unwrap_or(Duration::MAX),
            black_below: health.black_below,
            burnt_above: health.burnt_above,
            equal_frames: health.equal_frames,
            compared: 0,
            last: VecDeque::new(),
            renewed: None,
            is_frozen: false,
            may_repeat: false,
            decoded: None,
            light: None,
        }
    }

    /// Starts over with a newly opened or reopened camera; `may_repeat` says whether it may repeat a picture.
    pub(super) fn opened(&mut self, may_repeat: bool) {
        let usual = if may_repeat { 0 } else { DEFAULT_EQUAL_FRAMES };
        self.compared = self.equal_frames.unwrap_or(usual).into();
        self.last.clear();
        self.renewed = None;
        (self.may_repeat, self.decoded) = (may_repeat, None);
    }

    /// Compares a new frame with those before it, and marks it if it repeats one of them. Must be called before the frame is
    /// judged.
    pub(super) fn compare(&mut self, mut captured: CapturedFrame) -> CapturedFrame {
        let (at, fingerprint) = (captured.captured_at(), captured.fingerprint());
        let is_repeated = self.last.contains(&fingerprint);
        let renewed = self.renewed.filter(|_| is_repeated).unwrap_or(at);
        self.renewed = Some(renewed);
        self.is_frozen = is_repeated && at.since(renewed) >= self.frozen_after;
        if is_repeated && self.compared > 0 {
            captured.set_repeated();
        }
        while self.last.len() >= self.compared.max(1) {
            self.last.pop_front();
        }
        self.last.push_back(fingerprint);
        captured
    }

    /// Returns the camera's state, based on the last compared frame and those before it. A frame that can't be decoded says
    /// nothing about light; a live camera that delivers no others shows nothing.
    pub(super) fn assess(&mut self, captured: &CapturedFrame) -> CameraState {
        let at = captured.captured_at();
        if self.is_frozen {
            return CameraState::Frozen;
        }
        let due = self.light.as_ref().is_none_or(|(looked, _)| at.since(*looked) >= LIGHT_CHECK_INTERVAL);
        // In this order: decoding every frame of a free-running camera would cost too much of the board's time.
        if due {
            let decoded = self.decoded.get_or_insert(at);
            if let Ok(frame) = captured.frame() {
                *decoded = at;
                self.light = Some((at, self.classify(Exposure::of(frame))));
            } else if !self.may_repeat && at.since(*decoded) >= self.frozen_after {
                let reason = "none of its frames can be decoded; check its cable, format and size";
                return CameraState::Lost(reason.to_owned());
            }
        }
        self.light.as_ref().map_or(CameraState::Live, |(_, state)| state.clone())
    }

    fn classify(&self, exposure: Exposure) -> CameraState {
        if f64::from(exposure.mean) < self.black_below {
            CameraState::Black
        } else if f64::from(exposure.saturated) > self.burnt_above {
            CameraState::BurntOut
        } else {
            CameraState::Live
        }
    }
}

#[cfg(test)]
mod tests {
    use shared_format::Size;

    use super::*;
    use crate::capture::{FrameData, RawFormat};

    fn grey(value: u8, ms: u64) -> CapturedFrame {
        let size = Size { width: 8, height: 4 };
        // A pixel of noise: a live camera never gives the same picture twice.
        let mut bytes = vec![value; 32];
        bytes[5] = (ms % 16) as u8;
        CapturedFrame::new(
            FrameData::Raw { format: RawFormat::Grey, size, bytes },
            Moment(ms * 1_000_000),
            ms,
        )
    }

    #[test]
    fn a_frame_that_nobody_asks_for_is_not_decoded() {
        let mut monitor = CameraMonitor::new(&HealthConfig::default());
        monitor.assess(&grey(100, 1));
        let next = grey(100, 2);
        monitor.assess(&next);
        assert!(!next.is_decoded());
    }

    #[test]
    fn a_live_camera_without_a_frame_that_can_be_decoded_shows_nothing() {
        let health = HealthConfig { frozen_s: 0.5, ..HealthConfig::default() };
        let damaged = |ms: u64| {
            let error = judge::DecodeError::UnknownFormat;
            CapturedFrame::new(FrameData::Refused(error), Moment(ms * 1_000_000), ms)
        };
        for may_repeat in [false, true] {
            let mut monitor = CameraMonitor::new(&health);
            monitor.opened(may_repeat);
            assert_eq!(monitor.assess(&grey(100, 1)), CameraState::Live);
            assert_eq!(monitor.assess(&damaged(300)), CameraState::Live);
            let is_lost = matches!(monitor.assess(&damaged(600)), CameraState::Lost(_));
            assert_eq!(is_lost, !may_repeat, "files may be damaged");
            assert_eq!(monitor.assess(&grey(100, 700)), CameraState::Live);
        }
    }

    #[test]
    fn light_is_judged_four_times_a_second() {
        let mut monitor = CameraMonitor::new(&HealthConfig::default());
        assert_eq!(monitor.assess(&grey(100, 1)), CameraState::Live);
        assert_eq!(monitor.assess(&grey(0, 2)), CameraState::Live);
        assert_eq!(monitor.assess(&grey(0, 252)), CameraState::Black);
        assert_eq!(monitor.assess(&grey(255, 503)), CameraState::BurntOut);
        assert_eq!(monitor.assess(&grey(100, 754)), CameraState::Live);
    }

    #[test]
    fn the_first_frame_is_looked_at() {
        assert_eq!(CameraMonitor::new(&HealthConfig::default()).assess(&grey(1, 0)), CameraState::Black);
    }

    fn still(value: u8, ms: u64) -> CapturedFrame {
        let size = Size { width: 8, height: 4 };
        CapturedFrame::new(
            FrameData::Raw { format: RawFormat::Grey, size, bytes: vec![value; 32] },
            Moment(ms * 1_000_000),
            ms,
        )
    }

    fn assess(monitor: &mut CameraMonitor, captured: CapturedFrame) -> (CameraState, bool) {
        let captured = monitor.compare(captured);
        (monitor.assess(&captured), captured.is_repeated())
    }

    #[test]
    fn the_same_bytes_for_long_are_a_frozen_camera() {
        let mut monitor = CameraMonitor::new(&HealthConfig { frozen_s: 0.5, ..HealthConfig::default() });
        monitor.opened(true);
        for (captured, state) in [
            (still(99, 0), CameraState::Live),
            (still(99, 499), CameraState::Live),
            (still(99, 500), CameraState::Frozen),
            (grey(99, 510), CameraState::Live),
            (still(99, 520), CameraState::Live),
        ] {
            assert_eq!(assess(&mut monitor, captured), (state, false), "no fault if pictures may repeat");
        }
    }

    #[test]
    fn a_live_camera_that_gives_a_picture_again_is_told_at_once_and_is_frozen_in_time() {
        let mut monitor = CameraMonitor::new(&HealthConfig { frozen_s: 0.5, ..HealthConfig::default() });
        monitor.opened(false);
        let two = |ms: u64| still(90 + (ms / 100 % 2) as u8, ms);
        let seen: Vec<_> = (0..8).map(|n| assess(&mut monitor, two(n * 100))).collect();
        assert_eq!(
            seen[..3],
            [(CameraState::Live, false), (CameraState::Live, false), (CameraState::Live, true)]
        );
        // Two stale buffers in turn: no new picture since the one at 100 ms.
        assert_eq!(
            seen[5..],
            [(CameraState::Live, true), (CameraState::Frozen, true), (CameraState::Frozen, true)]
        );
        assert_eq!(assess(&mut monitor, still(95, 800)), (CameraState::Live, false));
        // A reopened camera starts without history.
        monitor.opened(false);
        assert_eq!(assess(&mut monitor, still(95, 900)), (CameraState::Live, false));
    }

    #[test]
    fn as_many_frames_are_compared_as_the_line_file_says() {
        for (equal_frames, may_repeat, repeated) in [
            (None, false, [true, true, false]),
            (None, true, [false; 3]),
            (Some(0), false, [false; 3]),
            (Some(1), true, [true, false, false]),
            (Some(6), true, [true; 3]),
        ] {
            let mut monitor = CameraMonitor::new(&HealthConfig { equal_frames, ..HealthConfig::default() });
            monitor.opened(may_repeat);
            // The first, fifth or sixth frame after it repeats the picture.
            let found = [1, 5, 6].map(|after| {
                monitor.opened(may_repeat);
                assess(&mut monitor, still(99, 0));
                for n in 1..after {
                    assess(&mut monitor, still(99 + n as u8, n));
                }
                assess(&mut monitor, still(99, after)).1
            });
            assert_eq!(found, repeated, "{equal_frames:?} {may_repeat}");
        }
    }

    #[test]
    fn damaged_frames_say_nothing_about_light() {
        let mut monitor = CameraMonitor::new(&HealthConfig::default());
        monitor.opened(true);
        for ms in [0, 3000, 6000] {
            let damaged = FrameData::Refused(judge::DecodeError::UnknownFormat);
            assert_eq!(
                monitor.assess(&CapturedFrame::new(damaged, Moment(ms * 1_000_000), ms)),
                CameraState::Live
            );
        }
    }
}
