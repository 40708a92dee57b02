//! EfficientAD's student on a trunk shared with its teacher, a backbone: it starts from the backbone's first level.

use super::chain::{Chain, ChainConv, ChainStep};

const WIDTH: usize = 128;
const BLOCKS: usize = 3;

/// Returns the student for a backbone whose first level has `inputs` channels: from there, by a stride of 2 and residual
/// blocks, to `outputs` features on the second level's grid.
#[must_use]
pub fn trunk_student(inputs: usize, outputs: usize) -> Chain {
    let mut convs = 0;
    let mut conv = |inputs, outputs, kernel, stride, padding, relu| {
        convs += 1;
        let name = format!("conv{convs}");
        ChainStep::Conv(ChainConv { name, inputs, outputs, kernel: [kernel; 2], stride, padding, relu })
    };
    let mut steps = vec![conv(inputs, WIDTH, 4, 2, 1, true)];
    for _ in 0..BLOCKS {
        steps.push(ChainStep::Fork);
        steps.push(conv(WIDTH, WIDTH, 3, 1, 1, true));
        steps.push(conv(WIDTH, WIDTH, 3, 1, 1, false));
        steps.push(ChainStep::Join);
    }
    steps.push(conv(WIDTH, outputs, 1, 1, 0, false));
    Chain { steps }
}

#[cfg(test)]
mod tests {
    use super::super::{AutoencoderGrid, autoencoder};
    use super::*;

    #[test]
    fn on_a_small_backbone_it_takes_less_than_patches_do() {
        // EfficientNet-Lite0: levels of 24, 40 and 112 channels; the backbone itself takes 0.33 billion.
        let student = trunk_student(24, 2 * (40 + 112)).multiplications([64, 64]);
        let autoencoder =
            autoencoder([256, 256], 40 + 112, AutoencoderGrid::Eighth).multiplications([256, 256]);
        assert!(student < 1_000_000_000, "{student}");
        assert!(autoencoder < 400_000_000, "{autoencoder}");
    }
}
