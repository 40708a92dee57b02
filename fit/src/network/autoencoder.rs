//! EfficientAD's autoencoder (Batzner et al., WACV 2024): from the image through one position of 64 channels to the
//! teacher's features. What it can't reproduce breaks a rule that spans the whole part.

use super::chain::{Chain, ChainConv, Step};

const WIDTH: usize = 64;
const DROPOUT: f64 = 0.2;

/// The autoencoder for images of height and width `input` (multiples of 32 from 128 to 512), with `outputs` features on
/// the grid of an unpadded patch description network.
#[must_use]
pub fn autoencoder(input: [usize; 2], outputs: usize) -> Chain {
    let mut steps = Vec::new();
    let mut inputs = 3;
    for (index, outputs) in [32, 32, WIDTH, WIDTH, WIDTH].into_iter().enumerate() {
        let name = format!("encoder.conv{}", index + 1);
        steps.push(conv(name, [inputs, outputs], [4, 4], 2, 1, true));
        inputs = outputs;
    }
    // Over the whole of what is left: one position remains.
    steps.push(conv("encoder.conv6".into(), [WIDTH; 2], input.map(|n| n / 32), 1, 0, false));
    let sides: [fn(usize) -> usize; 6] =
        [|n| n / 64 - 1, |n| n / 32, |n| n / 16 - 1, |n| n / 8, |n| n / 4 - 1, |n| n / 2 - 1];
    for (index, side) in sides.into_iter().enumerate() {
        steps.push(Step::Resize { to: input.map(side) });
        steps.push(conv(format!("decoder.conv{}", index + 1), [WIDTH; 2], [4, 4], 1, 2, true));
        steps.push(Step::Dropout(DROPOUT));
    }
    steps.push(Step::Resize { to: input.map(|n| n / 4 - 8) });
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
) -> Step {
    let [inputs, outputs] = channels;
    Step::Conv(ChainConv { name, inputs, outputs, kernel, stride, padding, relu })
}
