//! Encoders and decoders of the reconstruction methods: from a picture, or from a backbone's features, to few channels and back.

use super::chain::{Chain, ChainConv, ChainStep};

/// Channels after each convolution of stride 2 of a picture's encoder.
const PICTURE_WIDTHS: [usize; 5] = [16, 32, 64, 128, 128];
/// Channels between a feature's encoder and its decoder's ends.
const FEATURE_WIDTH: usize = 128;

/// Returns an encoder of pictures of `inputs` channels: `halvings` (1 to 5) convolutions of stride 2, then 1×1 to `latent` channels on a
/// grid whose sides are 2^`halvings` times shorter.
#[must_use]
pub fn picture_encoder(inputs: usize, latent: usize, halvings: usize) -> Chain {
    let mut steps = vec![];
    let mut from = inputs;
    for (index, &outputs) in PICTURE_WIDTHS.iter().take(halvings).enumerate() {
        steps.push(conv(format!("conv{}", index + 1), [from, outputs], 4, 2, true));
        from = outputs;
    }
    steps.push(conv("latent".to_owned(), [from, latent], 1, 1, false));
    Chain { steps }
}

/// Returns the decoder from the grid of [`picture_encoder`] with these `halvings`: `doublings` times bilinear to twice the sides, with a
/// convolution except at the picture's own size, then `outputs` channels. `input` are the picture's height and width.
#[must_use]
pub fn picture_decoder(
    input: [usize; 2],
    [latent, outputs]: [usize; 2],
    halvings: usize,
    doublings: usize,
) -> Chain {
    let mut steps = vec![];
    let mut from = latent;
    for step in 0..doublings {
        let level = halvings.saturating_sub(step + 1);
        steps.push(ChainStep::Resize { to: input.map(|side| side >> level) });
        // The widths of the encoder, backwards. At the picture's size only the last convolution is affordable.
        if let Some(&width) = level.checked_sub(1).and_then(|at| PICTURE_WIDTHS.get(at)) {
            steps.push(conv(format!("conv{}", step + 1), [from, width], 3, 1, true));
            from = width;
        }
    }
    steps.push(conv("picture".to_owned(), [from, outputs], 3, 1, false));
    Chain { steps }
}

/// Returns an encoder of features of `inputs` channels to `latent` channels on the same grid.
#[must_use]
pub fn feature_encoder(inputs: usize, latent: usize) -> Chain {
    Chain {
        steps: vec![
            conv("conv1".to_owned(), [inputs, FEATURE_WIDTH], 1, 1, true),
            conv("conv2".to_owned(), [FEATURE_WIDTH; 2], 3, 1, true),
            conv("latent".to_owned(), [FEATURE_WIDTH, latent], 1, 1, false),
        ],
    }
}

/// Returns the decoder of [`feature_encoder`].
#[must_use]
pub fn feature_decoder(latent: usize, outputs: usize) -> Chain {
    Chain {
        steps: vec![
            conv("conv1".to_owned(), [latent, FEATURE_WIDTH], 1, 1, true),
            conv("conv2".to_owned(), [FEATURE_WIDTH; 2], 3, 1, true),
            conv("features".to_owned(), [FEATURE_WIDTH, outputs], 1, 1, false),
        ],
    }
}

/// Returns a head of 1×1 convolutions with ReLU between them, `widths` channels wide from input to output.
#[must_use]
pub fn head(widths: &[usize]) -> Chain {
    let pairs = widths.windows(2).enumerate();
    let steps = pairs.map(|(index, pair)| {
        let is_last = index + 2 == widths.len();
        conv(format!("conv{}", index + 1), [pair[0], pair[1]], 1, 1, !is_last)
    });
    Chain { steps: steps.collect() }
}

/// Returns a convolution with a square kernel whose result has the sides of its input, divided by the stride.
fn conv(name: String, [inputs, outputs]: [usize; 2], kernel: usize, stride: usize, relu: bool) -> ChainStep {
    let padding = (kernel - 1) / 2;
    ChainStep::Conv(ChainConv { name, inputs, outputs, kernel: [kernel; 2], stride, padding, relu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_cost_about_as_much_as_a_small_backbone() {
        let picture = picture_encoder(3, 16, 5).multiplications([256, 256])
            + picture_decoder([256, 256], [16, 3], 5, 5).multiplications([8, 8]);
        assert!((300_000_000..500_000_000).contains(&picture), "{picture}");
        let features = feature_encoder(152, 16).multiplications([32, 32])
            + feature_decoder(16, 152).multiplications([32, 32]);
        assert!((100_000_000..400_000_000).contains(&features), "{features}");
        assert_eq!(head(&[10, 4, 2]).multiplications([3, 5]), 15 * (40 + 8));
    }
}
