//! Augments the images of a step, so that more is learned from few photos.

use bundle::seeded::Seeded;
use tch::{Kind, Tensor};

/// Maximum shift of an image in pixels, each way.
const SHIFT: usize = 8;
/// Maximum change of its brightness, in thousandths.
const BRIGHTNESS: usize = 100;
const STREAM: u64 = 0x5717;

/// Shifts images (N×3×H×W, normalised by `mean` and `std`, 1×3×1×1 each) and changes their brightness, each differently. Pixels
/// that come in at an edge repeat the edge. Depends only on its arguments, so a resumed run sees the same images as an
/// uninterrupted one.
pub fn augment(images: &Tensor, (mean, std): (&Tensor, &Tensor), seed: u64, step: u64) -> Tensor {
    let [mean, std] = [mean, std].map(|values| values.to_device(images.device()));
    let mut random = Seeded::new(seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15), STREAM);
    let size = images.size();
    let margin = SHIFT as i64;
    let padded = images.to_kind(Kind::Float).replication_pad2d([margin; 4]);
    let changed: Vec<Tensor> = (0..size[0])
        .map(|sample| {
            let mut offset = || random.below(2 * SHIFT + 1) as i64;
            let (row, column) = (offset(), offset());
            let gain = 1.0 + (random.below(2 * BRIGHTNESS + 1) as f64 - BRIGHTNESS as f64) / 1000.0;
            let image = padded.narrow(0, sample, 1).narrow(2, row, size[2]).narrow(3, column, size[3]);
            image * gain + &mean / &std * (gain - 1.0)
        })
        .collect();
    Tensor::cat(&changed, 0)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn channels(values: [f32; 3]) -> Tensor {
        Tensor::from_slice(&values).reshape([1, 3, 1, 1])
    }

    #[test]
    fn images_move_and_brighten_and_a_step_repeats_itself() {
        let (mean, std) = (channels([0.5, 0.4, 0.3]), channels([0.2, 0.25, 0.3]));
        // A ramp: a shift by n pixels changes its middle by n hundredths.
        let ramp = Tensor::arange(64, (Kind::Float, Device::Cpu)).reshape([1, 1, 1, 64]) / 100.0;
        let images = (ramp.expand([4, 3, 32, 64], false) - &mean) / &std;
        let augmented = |seed, step| augment(&images, (&mean, &std), seed, step);
        let one = augmented(1, 7);
        assert_eq!(one.size(), images.size());
        assert!(one.equal(&augmented(1, 7)));
        assert!(!one.equal(&augmented(1, 8)) && !one.equal(&augmented(2, 7)));
        let light = &one * &std + &mean;
        let middle: Vec<f64> = (0..4).map(|n| light.double_value(&[n, 0, 16, 32])).collect();
        for value in &middle {
            assert!((0.24 * 0.9 - 1e-5..=0.40 * 1.1 + 1e-5).contains(value), "{middle:?}");
        }
        assert!(middle.iter().any(|value| (value - middle[0]).abs() > 1e-3), "{middle:?}");
    }
}
