//! Windows of photos: positions within a photo are similar, so a step learns nearly as much from a part of each.

use bundle::seeded::Seeded;
use tch::Tensor;

/// Side of a window in pixels.
const SIDE: i64 = 160;
/// Pixels from one of a patch description network's positions to the next.
const STRIDE: i64 = 4;
/// Positions at each edge that exist only with padding.
const EDGE: i64 = 4;
/// Positions on a window's side without padding.
const POSITIONS: i64 = SIDE / STRIDE - 2 * EDGE;
/// Positions on the side of a photo of 256² with padding.
const TARGET: i64 = 64;

/// A window of a photo of 256².
#[derive(Debug, Clone, Copy)]
pub struct CropWindow {
    /// The corner, in positions.
    corner: [i64; 2],
}

impl CropWindow {
    /// Draws a window anywhere in the photo.
    pub fn draw(random: &mut Seeded) -> Self {
        let mut start = || random.below((TARGET - SIDE / STRIDE + 1) as usize) as i64;
        Self { corner: [start(), start()] }
    }

    /// Crops a photo (1×3×256×256) to the window, 1×3×160×160.
    pub fn of_photo(&self, photo: &Tensor) -> Tensor {
        let [top, left] = self.corner.map(|corner| corner * STRIDE);
        photo.narrow(2, top, SIDE).narrow(3, left, SIDE)
    }

    /// Crops a photo's target (1×C×64×64) to the network's output, without padding, for [`Self::of_photo`], 1×C×32×32.
    pub fn of_target(&self, target: &Tensor) -> Tensor {
        let [top, left] = self.corner.map(|corner| corner + EDGE);
        target.narrow(2, top, POSITIONS).narrow(3, left, POSITIONS)
    }
}

#[cfg(test)]
mod tests {
    use networks::{PdnSize, Weights};
    use tch::{Device, Kind};

    use super::*;
    use crate::torch::{Compute, TrainableChain};

    #[test]
    fn a_window_gives_what_the_padded_network_gives_for_the_whole_photo() {
        tch::set_num_threads(1);
        tch::manual_seed(3);
        let compute =
            Compute::resolve(crate::compute::DeviceChoice::Cpu, crate::compute::Precision::F32).unwrap();
        let chain = |padded| TrainableChain::random(PdnSize::Xs.chain(8, padded), compute);
        let (padded, mut plain) = (chain(true), chain(false));
        let mut weights = Weights::new();
        padded.add_to(&mut weights, "");
        plain.load(&weights, "").unwrap();
        let photo = Tensor::rand([1, 3, 256, 256], (Kind::Float, Device::Cpu));
        let whole = padded.forward(&photo, false);
        let mut random = Seeded::new(1, 2);
        for window in
            [CropWindow { corner: [0, 0] }, CropWindow { corner: [24, 24] }, CropWindow::draw(&mut random)]
        {
            let difference = plain.forward(&window.of_photo(&photo), false) - window.of_target(&whole);
            let largest = difference.abs().max().double_value(&[]);
            assert!(largest < 1e-5, "{window:?}: {largest}");
        }
    }
}
