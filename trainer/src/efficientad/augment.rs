//! Augments the autoencoder's images and the natural photos, drawn for each step from the run's seed.

use bundle::seeded::Seeded;
use tch::{Kind, Tensor};

/// Colours of the autoencoder's image are scaled by 1 ± this.
const JITTER: f64 = 0.2;
/// Share of the natural photos that are shown in grey.
const GREY: f64 = 0.3;
/// ITU-R BT.601.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
/// Separates these random numbers from the run's others.
const STREAM: u64 = 0xeff1_c1e7;

/// A step's augmentation; it depends only on seed and step, so a resumed run does the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// The property of the autoencoder's image that is changed.
    pub property: ColourProperty,
    /// The factor.
    pub factor: f64,
    /// Index of the natural photo on which the student must not imitate the teacher.
    pub photo: usize,
    /// Whether the photo is shown in grey.
    pub grey: bool,
}

/// A property of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourProperty {
    /// Distance from black.
    Brightness,
    /// Distance from the image's mean luma.
    Contrast,
    /// Distance from each pixel's luma.
    Saturation,
}

impl Augmentation {
    /// Draws the augmentation of a step, with `photos` natural photos available.
    #[must_use]
    pub fn new(seed: u64, step: u64, photos: usize) -> Self {
        let mut random = Seeded::new(seed, STREAM.wrapping_add(step));
        let property = [ColourProperty::Brightness, ColourProperty::Contrast, ColourProperty::Saturation]
            [random.below(3)];
        let mut unit = || random.below(1 << 30) as f64 / f64::from(1 << 30);
        let (factor, grey) = (1.0 + JITTER * (2.0 * unit() - 1.0), unit() < GREY);
        Self { property, factor, photo: random.below(photos.max(1)), grey }
    }

    /// Changes images (N×3×H×W, RGB 0..1) as drawn.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        let luma = || {
            let weights = Tensor::from_slice(&LUMA).reshape([1, 3, 1, 1]).to_device(images.device());
            (images * weights).sum_dim_intlist([1i64].as_slice(), true, Kind::Float)
        };
        let from = match self.property {
            ColourProperty::Brightness => images.zeros_like(),
            ColourProperty::Contrast => luma().mean_dim([2i64, 3].as_slice(), true, Kind::Float),
            ColourProperty::Saturation => luma(),
        };
        ((images - &from) * self.factor + from).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(property: ColourProperty, factor: f64, rgb: [f32; 6]) -> Vec<f32> {
        let image = Tensor::from_slice(&rgb).reshape([1, 3, 1, 2]);
        let augmentation = Augmentation { property, factor, photo: 0, grey: false };
        Vec::try_from(augmentation.apply(&image).flatten(0, -1)).unwrap()
    }

    fn close(a: &[f32], b: &[f32]) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
    }

    #[test]
    fn colours_change_as_torchvision_changes_them() {
        let grey = [0.2, 0.6, 0.2, 0.6, 0.2, 0.6];
        close(&changed(ColourProperty::Brightness, 1.2, grey), &[0.24, 0.72, 0.24, 0.72, 0.24, 0.72]);
        close(&changed(ColourProperty::Contrast, 0.8, grey), &[0.24, 0.56, 0.24, 0.56, 0.24, 0.56]);
        close(&changed(ColourProperty::Saturation, 0.8, grey), &grey);
        let red = changed(ColourProperty::Saturation, 0.8, [1.0, 0.5, 0.0, 0.5, 0.0, 0.5]);
        close(&red, &[0.8 + 0.2 * 0.299, 0.5, 0.2 * 0.299, 0.5, 0.2 * 0.299, 0.5]);
        assert_eq!(changed(ColourProperty::Brightness, 1.2, [0.9; 6]), [1.0; 6]);
    }

    #[test]
    fn draws_are_spread_and_repeatable() {
        let draws: Vec<Augmentation> = (0..3000).map(|step| Augmentation::new(4, step, 7)).collect();
        assert_eq!(draws[5], Augmentation::new(4, 5, 7));
        let share =
            |of: &dyn Fn(&Augmentation) -> bool| draws.iter().filter(|d| of(d)).count() as f64 / 3000.0;
        assert!((share(&|d| d.grey) - GREY).abs() < 0.03);
        assert!((share(&|d| d.property == ColourProperty::Contrast) - 1.0 / 3.0).abs() < 0.03);
        assert!((share(&|d| d.photo == 6) - 1.0 / 7.0).abs() < 0.03);
        assert!((share(&|d| d.factor > 1.0) - 0.5).abs() < 0.03);
        assert!(draws.iter().all(|d| (0.8..1.2).contains(&d.factor)));
    }
}
