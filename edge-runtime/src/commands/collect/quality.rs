//! Detects blurred, badly exposed and repeated pictures.

use std::collections::VecDeque;

use judge::Frame;

use crate::capture::luma::{Exposure, LumaGrid, colour, luma};

/// Each cell of a thumbnail is the mean of 64 points, so that noise doesn't hide a repeated picture.
const THUMBNAIL: LumaGrid = LumaGrid { columns: 32, rows: 24, samples: 8 };
/// Mean difference of two thumbnails, in grey levels, below which they show the same picture. Two pictures of a stopped
/// belt differ only by noise: by less than this for noise of up to three levels per pixel in frames of at least
/// 256 × 192 pixels.
const REPEATED_BELOW: f32 = 0.5;
/// Number of kept pictures that a new one is compared with.
const COMPARED: usize = 32;
/// A picture with less than this fraction of the usual sharpness counts as blurred.
const BLURRED_BELOW: f32 = 0.5;
/// Number of pictures from which the usual sharpness is known.
const USUAL_FROM: usize = 5;
/// Below this mean brightness (0 to 255) a picture is too dark to show defects; above this share of saturated pixels, light
/// hides them.
const DARK_BELOW: f32 = 25.0;
const SATURATED_ABOVE: f32 = 0.05;
/// Maximum number of rows used for sharpness, so that photos of many megapixels aren't read in full.
const ROWS: u32 = 480;

/// Thumbnails and sharpness of the pictures kept in this run.
#[derive(Debug, Default)]
pub(super) struct Quality {
    thumbnails: VecDeque<Vec<f32>>,
    /// In ascending order.
    sharpness: Vec<f32>,
}

impl Quality {
    /// Whether the picture repeats one of those kept last; if not, it counts as kept.
    pub(super) fn is_repeated(&mut self, frame: &Frame) -> bool {
        let thumbnail = THUMBNAIL.lumas(frame, None);
        if self.thumbnails.iter().any(|kept| difference(kept, &thumbnail) < REPEATED_BELOW) {
            return true;
        }
        self.thumbnails.push_back(thumbnail);
        if self.thumbnails.len() > COMPARED {
            self.thumbnails.pop_front();
        }
        false
    }

    /// Returns what is wrong with the picture, as phrases that continue "it is …".
    pub(super) fn warnings(&mut self, frame: &Frame) -> Vec<String> {
        let mut warnings = vec![];
        let exposure = Exposure::of(frame);
        if exposure.mean < DARK_BELOW {
            warnings.push(format!(
                "dark (mean brightness {:.0} of 255): add light, or increase camera.exposure_ms",
                exposure.mean
            ));
        }
        if exposure.saturated > SATURATED_ABOVE {
            warnings.push(format!(
                "saturated in {:.0} % of its pixels: reduce camera.exposure_ms, or dim the light",
                100.0 * exposure.saturated
            ));
        }
        let sharpness = sharpness(frame);
        if let (true, Some(usual)) = (self.sharpness.len() >= USUAL_FROM, self.usual_sharpness())
            && sharpness < BLURRED_BELOW * usual
        {
            warnings.push(format!(
                "blurred (sharpness {sharpness:.0}, usually {usual:.0}): check the focus, or reduce camera.exposure_ms"
            ));
        }
        let index = self.sharpness.partition_point(|&other| other < sharpness);
        self.sharpness.insert(index, sharpness);
        warnings
    }

    fn usual_sharpness(&self) -> Option<f32> {
        self.sharpness.get(self.sharpness.len() / 2).copied()
    }
}

/// Computes the mean absolute difference.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
    sum / a.len().max(1) as f32
}

/// Computes the variance of the luma's Laplacian, which defocus and motion blur reduce.
fn sharpness(frame: &Frame) -> f32 {
    let size = frame.size();
    let at = |x: u32, y: u32| luma(colour(frame, x, y)) as f32;
    let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0u32);
    let step = size.height.div_ceil(ROWS).max(1) as usize;
    for y in (1..size.height.saturating_sub(1)).step_by(step) {
        for x in 1..size.width.saturating_sub(1) {
            let laplacian = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y);
            sum += f64::from(laplacian);
            squares += f64::from(laplacian * laplacian);
            count += 1;
        }
    }
    let count = f64::from(count.max(1));
    (squares / count - (sum / count).powi(2)) as f32
}

#[cfg(test)]
mod tests {
    use judge::Pixels;
    use shared_format::Size;

    use super::*;

    const SIZE: Size = Size { width: 256, height: 192 };

    /// Stripes whose edges are `soft` pixels wide, with noise seeded by `number`.
    fn stripes(shift: u32, soft: u32, number: u32) -> Frame {
        let mut noise = number.wrapping_mul(2_654_435_761) | 1;
        let pixels = (0..SIZE.width * SIZE.height).map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = (n % SIZE.width + shift) % 24;
            let level = if x < 12 { (x * 12 / soft).min(12) } else { 12 - ((x - 12) * 12 / soft).min(12) };
            (60 + level * 8 + (noise >> 29)) as u8
        });
        Frame::new(SIZE, Pixels::Grey8(pixels.collect())).unwrap()
    }

    #[test]
    fn the_same_picture_with_other_noise_is_repeated_and_a_shifted_one_is_not() {
        let mut quality = Quality::default();
        assert!(!quality.is_repeated(&stripes(0, 1, 1)));
        assert!(quality.is_repeated(&stripes(0, 1, 2)));
        assert!(!quality.is_repeated(&stripes(1, 1, 3)));
        assert!(quality.is_repeated(&stripes(0, 1, 4)));
    }

    #[test]
    fn a_blurred_picture_is_told_once_there_is_a_usual_one() {
        let mut quality = Quality::default();
        assert!(quality.warnings(&stripes(0, 12, 0)).is_empty());
        for number in 0..9 {
            assert!(quality.warnings(&stripes(number, 1, number)).is_empty());
        }
        let warnings = quality.warnings(&stripes(0, 12, 9));
        assert!(warnings.len() == 1 && warnings[0].starts_with("blurred"), "{warnings:?}");
    }

    #[test]
    fn dark_and_saturated_pictures_are_told() {
        let flat = |value| Frame::new(SIZE, Pixels::Grey8(vec![value; 256 * 192])).unwrap();
        let mut quality = Quality::default();
        assert!(quality.warnings(&flat(10))[0].starts_with("dark (mean brightness 10"));
        assert!(quality.warnings(&flat(255))[0].starts_with("saturated in 100 %"));
        assert!(quality.warnings(&flat(128)).is_empty());
    }
}
