//! EfficientAD's autoencoder (Batzner et al., WACV 2024): from the image through a single position of 64 channels to
//! the teacher's features. What it can't reproduce violates a rule that spans the whole part.

use super::chain::{Chain, ChainConv, ChainStep};

const WIDTH: usize = 64;
const DROPOUT: f64 = 0.2;

/// The grid of an autoencoder's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoencoderGrid {
    /// That of an unpadded patch description network: sides of n/4 − 8.
    Patches,
    /// That of a backbone's second level: sides of n/8.
    Eighth,
}

impl AutoencoderGrid {
    /// Returns the number of positions along a side of `n` pixels.
    #[must_use]
    pub const fn side(self, n: usize) -> usize {
        match self {
            Self::Patches => n / 4 - 8,
            Self::Eighth => n / 8,
        }
    }

    /// Returns how many of the decoder's sizes precede the grid's.
    const fn enlargements(self) -> usize {
        match self {
            Self::Patches => 6,
            Self::Eighth => 4,
        }
    }
}

/// Returns the autoencoder for images of height and width `input` (multiples of 32 from 128 to 512), with `outputs`
/// features on `grid`.
#[must_use]
pub fn autoencoder(input: [usize; 2], outputs: usize, grid: AutoencoderGrid) -> Chain {
    let mut steps = Vec::new();
    let mut inputs = 3;
    for (index, outputs) in [32, 32, WIDTH, WIDTH, WIDTH].into_iter().enumerate() {
        let name = format!("encoder.conv{}", index + 1);
        steps.push(conv(name, [inputs, outputs], [4, 4], 2, 1, true));
        inputs = outputs;
    }
    // The kernel covers everything that is left, so one position remains.
    steps.push(conv("encoder.conv6".into(), [WIDTH; 2], input.map(|n| n / 32), 1, 0, false));
    let sides: [fn(usize) -> usize; 6] =
        [|n| n / 64 - 1, |n| n / 32, |n| n / 16 - 1, |n| n / 8, |n| n / 4 - 1, |n| n / 2 - 1];
    for (index, side) in sides.into_iter().take(grid.enlargements()).enumerate() {
        steps.push(ChainStep::Resize { to: input.map(side) });
        steps.push(conv(format!("decoder.conv{}", index + 1), [WIDTH; 2], [4, 4], 1, 2, true));
        steps.push(ChainStep::Dropout(DROPOUT));
    }
    steps.push(ChainStep::Resize { to: input.map(|n| grid.side(n)) });
    steps.push(conv("decoder.conv7".into(), [WIDTH; 2], [3, 3], 1, 1, true));
    steps.push(conv("decoder.conv8".into(), [WIDTH, outputs], [3, 3], 1, 1, false));
    Chain { steps }
}

fn conv(
    name: String,
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    relu: bool,
) -> ChainStep {
    let [inputs, outputs] = channels;
    ChainStep::Conv(ChainConv { name, inputs, outputs, kernel, stride, padding, relu })
}
