//! A generated moving picture, for dry runs.

use judge::{Frame, Pixels};
use shared_format::Size;

use super::frame_pacer::FramePacer;
use super::{CaptureError, CapturedFrame, FrameData, FrameSource};

/// Frames from one part to the next; the belt is empty for half of them.
const PERIOD: u64 = 48;
const BELT: i32 = 70;
const PART: [i32; 3] = [190, 160, 90];

/// A belt with a bright disc crossing it, with sensor-like noise.
#[derive(Debug)]
pub struct Pattern {
    size: Size,
    fps: f64,
    pacer: FramePacer,
    delivered: u64,
}

impl Pattern {
    /// Creates a pattern with pictures of this size at this frame rate.
    #[must_use]
    pub fn new(size: Size, fps: f64) -> Self {
        Self { size, fps, pacer: FramePacer::new(fps), delivered: 0 }
    }

    /// Generates the `number`th picture, always the same for the same number.
    fn picture(&self, number: u64) -> Vec<u8> {
        let (width, height) = (i64::from(self.size.width), i64::from(self.size.height));
        let radius = (width.min(height) / 4).max(1);
        let step = number % PERIOD * 2;
        // The disc starts outside on the left, is outside on the right after half of the period, and stays there.
        let x0 = -radius + i64::try_from(step).unwrap_or(0) * (width + 2 * radius) / PERIOD as i64;
        // Each part differs from the one before it.
        let part = (number / PERIOD) as i64;
        let y0 = height / 2 + (part * 7 % 11 - 5) * height / 40;
        let shade = (part * 5 % 13) as i32 - 6;
        let mut noise = (number as u32).wrapping_mul(0x9E37_79B9) | 1;
        let mut rgb = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let grain = (noise >> 30) as i32;
                let (dx, dy) = (x - x0, y - y0);
                let base = if dx * dx + dy * dy < radius * radius {
                    PART.map(|value| value + shade)
                } else {
                    [BELT; 3]
                };
                rgb.extend(base.map(|value| (value + grain).clamp(0, 255) as u8));
            }
        }
        rgb
    }
}

impl FrameSource for Pattern {
    fn describe(&self) -> String {
        format!(
            "a pattern of {}×{} pixels at {} frames per second",
            self.size.width, self.size.height, self.fps
        )
    }

    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        let frame = Frame::new(self.size, Pixels::Rgb8(self.picture(self.delivered)));
        let frame =
            frame.map_err(|e| CaptureError::Open { camera: "pattern".to_owned(), reason: e.to_string() })?;
        let captured = CapturedFrame::new(FrameData::Frame(frame), self.pacer.wait(), self.delivered);
        self.delivered += 1;
        Ok(captured)
    }

    fn may_repeat(&self) -> bool {
        true
    }

    fn warnings(&mut self) -> Vec<String> {
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_crosses_and_the_belt_is_empty_for_half_of_the_time() {
        let pattern = Pattern::new(Size { width: 40, height: 32 }, 1000.0);
        let bright = |n| pattern.picture(n).iter().filter(|&&value| value > 140).count();
        assert_eq!(bright(0), 0);
        assert!(bright(12) > 200);
        assert!((25..48).all(|n| bright(n) == 0));
        // The next part is at another height.
        let first = |n| pattern.picture(n).iter().position(|&value| value > 140);
        assert_ne!(first(12), first(12 + PERIOD));
        assert_ne!(pattern.picture(30), pattern.picture(31));
    }

    #[test]
    fn a_size_without_pixels_is_an_error() {
        let mut pattern = Pattern::new(Size { width: 0, height: 32 }, 1000.0);
        assert!(matches!(pattern.next(), Err(CaptureError::Open { .. })));
    }
}
