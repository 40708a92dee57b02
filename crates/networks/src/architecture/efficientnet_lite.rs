//! EfficientNet-Lite up to its fifth stage (Tan, Le: *EfficientNet*, 2019; the Lite variants of the TPU repository: no
//! squeeze-and-excitation, ReLU6, an unscaled stem). Names are those of the PyTorch port. Levels for 256²: 64², 32² and
//! 16² positions; Lite0's have 24, 40 and 112 channels.

use super::{Activation, Conv, Layer, Network};

/// A member of the family; weights come from an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfficientNetLite {
    name: &'static str,
    /// Channels, in tenths of Lite0's.
    width: usize,
    /// Repeats of blocks, in tenths of Lite0's.
    depth: usize,
}

/// Lite0's repeats, kernel, stride of the first block, expansion, output channels.
const STAGES: [(usize, usize, usize, usize, usize); 5] =
    [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112)];
/// The stages whose outputs are the levels.
const LEVELS: [usize; 3] = [1, 2, 4];
const STEM: usize = 32;

impl EfficientNetLite {
    /// All members, smallest first.
    pub const ALL: [Self; 5] = [
        Self { name: "efficientnet-lite0", width: 10, depth: 10 },
        Self { name: "efficientnet-lite1", width: 10, depth: 11 },
        Self { name: "efficientnet-lite2", width: 11, depth: 12 },
        Self { name: "efficientnet-lite3", width: 12, depth: 14 },
        Self { name: "efficientnet-lite4", width: 14, depth: 18 },
    ];

    /// Returns the scaled channels, rounded to the nearest multiple of 8, or up if that would be less than nine tenths
    /// of the exact number.
    fn channels(self, lite0: usize) -> usize {
        let tenths = lite0 * self.width;
        let nearest = (tenths + 40) / 80 * 8;
        if 100 * nearest < 9 * tenths { nearest + 8 } else { nearest }
    }

    /// Returns the scaled repeats. The first stage, like the stem, isn't scaled.
    fn repeats(self, stage: usize, lite0: usize) -> usize {
        if stage == 0 { lite0 } else { (lite0 * self.depth).div_ceil(10) }
    }

    /// Returns the network's description.
    #[must_use]
    pub fn network(self) -> Network {
        let mut net = Network {
            name: self.name,
            // The published weights expect (x − 127) / 128 for x in 0..255.
            mean: [127.0 / 255.0; 3],
            std: [128.0 / 255.0; 3],
            norm_epsilon: 1e-3,
            layers: Vec::new(),
            levels: Vec::new(),
        };
        let mut x = conv(&mut net, 0, "_conv_stem", "_bn0", [3, STEM, 3, 2, 1], Activation::Relu6);
        let mut channels = STEM;
        let mut block = 0;
        for (stage, (repeats, kernel, first_stride, expansion, lite0)) in STAGES.into_iter().enumerate() {
            let outputs = self.channels(lite0);
            for repeat in 0..self.repeats(stage, repeats) {
                let stride = if repeat == 0 { first_stride } else { 1 };
                let name = |part: &str| format!("_blocks.{block}.{part}");
                let wide = channels * expansion;
                let mut y = x;
                if expansion > 1 {
                    let shape = [channels, wide, 1, 1, 1];
                    y = conv(&mut net, y, &name("_expand_conv"), &name("_bn0"), shape, Activation::Relu6);
                }
                let shape = [wide, wide, kernel, stride, wide];
                y = conv(&mut net, y, &name("_depthwise_conv"), &name("_bn1"), shape, Activation::Relu6);
                let shape = [wide, outputs, 1, 1, 1];
                y = conv(&mut net, y, &name("_project_conv"), &name("_bn2"), shape, Activation::None);
                x = if stride == 1 && channels == outputs {
                    net.push(Layer::Add { a: y, b: x, activation: Activation::None })
                } else {
                    y
                };
                channels = outputs;
                block += 1;
            }
            if LEVELS.contains(&stage) {
                net.levels.push(x);
            }
        }
        net
    }
}

/// Pushes a convolution; `shape` is input channels, output channels, kernel, stride, groups.
fn conv(
    net: &mut Network,
    from: usize,
    name: &str,
    norm: &str,
    shape: [usize; 5],
    activation: Activation,
) -> usize {
    let [inputs, outputs, kernel, stride, groups] = shape;
    // TensorFlow's SAME padding for even input sides: an odd remainder goes to the end.
    let total = kernel - stride;
    let pads = if stride == 1 { (kernel / 2, kernel / 2) } else { (total / 2, total - total / 2) };
    let (name, norm) = (name.to_owned(), norm.to_owned());
    net.push_conv(from, Conv { name, norm, inputs, outputs, kernel, stride, pads, groups, activation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_depths_are_the_published_ones() {
        let expected: [([usize; 5], [usize; 5]); 5] = [
            ([16, 24, 40, 80, 112], [1, 2, 2, 3, 3]),
            ([16, 24, 40, 80, 112], [1, 3, 3, 4, 4]),
            ([16, 24, 48, 88, 120], [1, 3, 3, 4, 4]),
            ([24, 32, 48, 96, 136], [1, 3, 3, 5, 5]),
            ([24, 32, 56, 112, 160], [1, 4, 4, 6, 6]),
        ];
        for (lite, (channels, repeats)) in EfficientNetLite::ALL.into_iter().zip(expected) {
            assert_eq!(STAGES.map(|(.., lite0)| lite.channels(lite0)), channels, "{}", lite.name);
            let found: Vec<usize> =
                STAGES.iter().enumerate().map(|(stage, of)| lite.repeats(stage, of.0)).collect();
            assert_eq!(found, repeats, "{}", lite.name);
        }
    }
}
