//! The masks that hide a part of each picture: together they hide every pixel once.

use shared_format::Size;
use tch::{Device, Kind, Tensor};

/// Number of masks: of each square of 2×2 patches, each mask hides one, so a hidden patch has visible ones on all sides.
pub const MASKS: usize = 4;

/// The masks for pictures of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masks {
    /// The picture's size.
    pub input: Size,
    /// Side of a hidden patch in pixels.
    pub patch: usize,
}

impl Masks {
    /// Returns mask number `mask` on a grid of one position for `stride` pixels, row-major: 1 where it hides, 0 elsewhere. `stride` divides
    /// the patches' side.
    #[must_use]
    pub fn values(self, mask: usize, stride: usize) -> Vec<f32> {
        let [rows, columns] = self.grid(stride);
        let patch = self.patch / stride;
        let parity = |position: usize| position / patch % 2;
        let hides = |at: usize| parity(at / columns) * 2 + parity(at % columns) == mask;
        (0..rows * columns).map(|at| f32::from(u8::from(hides(at)))).collect()
    }

    /// Returns rows and columns of a grid of one position for `stride` pixels.
    #[must_use]
    pub fn grid(self, stride: usize) -> [usize; 2] {
        [self.input.height as usize / stride, self.input.width as usize / stride]
    }

    /// Returns [`Self::values`] as 1×1×h×w.
    pub fn tensor(self, mask: usize, stride: usize, device: Device) -> Tensor {
        let [rows, columns] = self.grid(stride).map(|side| side as i64);
        let values = Tensor::from_slice(&self.values(mask, stride)).to_kind(Kind::Float);
        values.reshape([1, 1, rows, columns]).to_device(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_hidden_once_and_its_neighbours_are_seen() {
        let masks = Masks { input: Size { width: 160, height: 96 }, patch: 32 };
        for stride in [1, 4, 8] {
            let all: Vec<Vec<f32>> = (0..MASKS).map(|mask| masks.values(mask, stride)).collect();
            let [rows, columns] = masks.grid(stride);
            assert!((0..rows * columns).all(|at| all.iter().map(|mask| mask[at]).sum::<f32>() == 1.0));
            // The patch beside, below or diagonally below a hidden one is visible.
            let step = 32 / stride;
            let hidden = all[0][0] == 1.0;
            let seen = [step, step * columns, step * columns + step].map(|at| all[0][at] == 0.0);
            assert!(hidden && seen == [true; 3], "{stride}");
        }
        assert_eq!(masks.tensor(1, 8, Device::Cpu).size(), [1, 1, 12, 20]);
    }
}
