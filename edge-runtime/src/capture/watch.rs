//! Frozen, black and burnt-out pictures: a camera that gives frames and yet shows nothing.

use std::time::Duration;

use super::Captured;
use crate::line_file::Health;
use crate::luma::Exposure;
use crate::moment::Moment;

/// Light changes slowly, and looking at it decodes a frame that nobody else may ask for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How the camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraState {
    /// Opened, without a frame yet.
    Starting,
    /// Its frames can be judged.
    Live,
    /// No frame for `health.silent_s`, for whatever reason.
    Silent,
    /// The same bytes for `health.frozen_s`.
    Frozen,
    /// Darker than `health.black_below`.
    Black,
    /// More saturated pixels than `health.burnt_above`.
    BurntOut,
    /// It failed and is being opened again.
    Lost(String),
    /// It has given all its frames.
    Ended,
}

impl std::fmt::Display for CameraState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "the camera is starting",
            Self::Live => "the camera is live",
            Self::Silent => "the camera gives no frames; check its cable and power",
            Self::Frozen => "the camera gives the same picture again and again; connect it anew",
            Self::Black => "the camera's picture is black; check light, lens cap and exposure",
            Self::BurntOut => "the camera's picture is burnt out; check light and exposure",
            Self::Lost(reason) => return write!(f, "the camera is lost: {reason}"),
            Self::Ended => "the camera has no more frames",
        })
    }
}

/// Looks at every frame.
#[derive(Debug)]
pub(super) struct Watch {
    frozen_after: Duration,
    black_below: f64,
    burnt_above: f64,
    /// Fingerprint of the last frame and since when it is the same.
    same: Option<(u32, Moment)>,
    /// When light was looked at, and what was found.
    light: Option<(Moment, CameraState)>,
}

impl Watch {
    pub(super) fn new(health: &Health) -> Self {
        Self {
            frozen_after: Duration::try_from_secs_f64(health.frozen_s).unwrap_or(Duration::MAX),
            black_below: health.black_below,
            burnt_above: health.burnt_above,
            same: None,
            light: None,
        }
    }

    /// The camera's state by this frame and those before it. A frame that can't be decoded says nothing about light.
    pub(super) fn see(&mut self, captured: &Captured) -> CameraState {
        let at = captured.captured_at();
        if self.is_frozen(captured.fingerprint(), at) {
            return CameraState::Frozen;
        }
        let due = self.light.as_ref().is_none_or(|(looked, _)| at.since(*looked) >= LOOK_EVERY);
        // In this order: decoding each frame of a camera that runs freely would take a board's time.
        if due && let Ok(frame) = captured.frame() {
            self.light = Some((at, self.judge(Exposure::of(frame))));
        }
        self.light.as_ref().map_or(CameraState::Live, |(_, state)| state.clone())
    }

    fn is_frozen(&mut self, fingerprint: u32, at: Moment) -> bool {
        match self.same {
            Some((same, since)) if same == fingerprint => at.since(since) >= self.frozen_after,
            _ => {
                self.same = Some((fingerprint, at));
                false
            }
        }
    }

    fn judge(&self, exposure: Exposure) -> CameraState {
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
    use crate::capture::Data;

    fn grey(value: u8, ms: u64) -> Captured {
        let size = Size { width: 8, height: 4 };
        // A pixel of noise: a live camera never gives the same picture twice.
        let mut bytes = vec![value; 32];
        bytes[5] = (ms % 16) as u8;
        Captured::new(Data::Grey { size, bytes }, Moment(ms * 1_000_000), ms)
    }

    #[test]
    fn a_frame_that_nobody_asks_for_is_not_decoded() {
        let mut watch = Watch::new(&Health::default());
        watch.see(&grey(100, 1));
        let next = grey(100, 2);
        watch.see(&next);
        assert!(!next.is_decoded());
    }

    #[test]
    fn light_is_judged_four_times_a_second() {
        let mut watch = Watch::new(&Health::default());
        assert_eq!(watch.see(&grey(100, 1)), CameraState::Live);
        assert_eq!(watch.see(&grey(0, 2)), CameraState::Live);
        assert_eq!(watch.see(&grey(0, 252)), CameraState::Black);
        assert_eq!(watch.see(&grey(255, 503)), CameraState::BurntOut);
        assert_eq!(watch.see(&grey(100, 754)), CameraState::Live);
    }

    #[test]
    fn the_first_frame_is_looked_at() {
        assert_eq!(Watch::new(&Health::default()).see(&grey(1, 0)), CameraState::Black);
    }

    #[test]
    fn the_same_bytes_for_long_are_a_frozen_camera() {
        let mut watch = Watch::new(&Health { frozen_s: 0.5, ..Health::default() });
        let still = |ms| {
            let size = Size { width: 8, height: 4 };
            Captured::new(Data::Grey { size, bytes: vec![99; 32] }, Moment(ms * 1_000_000), ms)
        };
        assert_eq!(watch.see(&still(0)), CameraState::Live);
        assert_eq!(watch.see(&still(499)), CameraState::Live);
        assert_eq!(watch.see(&still(500)), CameraState::Frozen);
        assert_eq!(watch.see(&grey(99, 510)), CameraState::Live);
        assert_eq!(watch.see(&still(520)), CameraState::Live);
    }

    #[test]
    fn damaged_frames_say_nothing_about_light() {
        let mut watch = Watch::new(&Health::default());
        for ms in [0, 3000, 6000] {
            let damaged = Data::Refused(judge::DecodeError::UnknownFormat);
            assert_eq!(watch.see(&Captured::new(damaged, Moment(ms * 1_000_000), ms)), CameraState::Live);
        }
    }
}
