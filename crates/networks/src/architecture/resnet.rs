//! ResNets up to their third stage (He et al.: *Deep Residual Learning for Image Recognition*, 2016; the wide one:
//! Zagoruyko, Komodakis: *Wide Residual Networks*, 2016), with torchvision's names. Levels for 256²: 64², 32² and 16²
//! positions of 64, 128, 256 channels, or four times as many with bottleneck blocks.

use super::{Activation, Conv, Layer, Network};

/// A member of the family; weights come from an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResNet {
    name: &'static str,
    /// Number of blocks in each stage.
    blocks: [usize; 3],
    /// The width of the first stage's bottleneck: 1×1, 3×3, 1×1 convolutions instead of two of 3×3.
    bottleneck: Option<usize>,
}

/// Ratio of the output channels of a bottleneck block to those of a plain one.
const EXPANSION: usize = 4;

impl ResNet {
    /// All members, smallest first.
    pub const ALL: [Self; 4] = [
        Self { name: "resnet18", blocks: [2, 2, 2], bottleneck: None },
        Self { name: "resnet34", blocks: [3, 4, 6], bottleneck: None },
        Self { name: "resnet50", blocks: [3, 4, 6], bottleneck: Some(64) },
        Self { name: "wide-resnet50-2", blocks: [3, 4, 6], bottleneck: Some(128) },
    ];

    /// Returns the network's description.
    #[must_use]
    pub fn network(self) -> Network {
        let mut net = Network {
            name: self.name,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            norm_epsilon: 1e-5,
            layers: Vec::new(),
            levels: Vec::new(),
        };
        let stem = conv(&mut net, 0, ["conv1", "bn1"], [3, 64, 7, 2], Activation::Relu);
        let mut x = net.push(Layer::MaxPool { from: stem, kernel: 3, stride: 2, padding: 1 });
        let mut channels = 64;
        for (stage, blocks) in self.blocks.into_iter().enumerate() {
            let plain = 64 << stage;
            let outputs = if self.bottleneck.is_some() { EXPANSION * plain } else { plain };
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let at = format!("layer{}.{block}", stage + 1);
                let mut part = |from: usize, conv_name: &str, norm: &str, shape, activation| {
                    let names = [conv_name, norm].map(|part| format!("{at}.{part}"));
                    conv(&mut net, from, names.each_ref().map(String::as_str), shape, activation)
                };
                let y = match self.bottleneck {
                    None => {
                        let y = part(x, "conv1", "bn1", [channels, outputs, 3, stride], Activation::Relu);
                        part(y, "conv2", "bn2", [outputs, outputs, 3, 1], Activation::None)
                    }
                    Some(width) => {
                        let width = width << stage;
                        let y = part(x, "conv1", "bn1", [channels, width, 1, 1], Activation::Relu);
                        // torchvision's variant has the stride here, not in the first 1×1.
                        let y = part(y, "conv2", "bn2", [width, width, 3, stride], Activation::Relu);
                        part(y, "conv3", "bn3", [width, outputs, 1, 1], Activation::None)
                    }
                };
                let skip = if channels == outputs {
                    x
                } else {
                    let shape = [channels, outputs, 1, stride];
                    part(x, "downsample.0", "downsample.1", shape, Activation::None)
                };
                x = net.push(Layer::Add { a: y, b: skip, activation: Activation::Relu });
                channels = outputs;
            }
            net.levels.push(x);
        }
        net
    }
}

/// Pushes a convolution; `names` are its name and its BatchNorm's, `shape` is input channels, output channels, kernel,
/// stride.
fn conv(
    net: &mut Network,
    from: usize,
    names: [&str; 2],
    shape: [usize; 4],
    activation: Activation,
) -> usize {
    let [inputs, outputs, kernel, stride] = shape;
    let pads = (kernel / 2, kernel / 2);
    let [name, norm] = names.map(str::to_owned);
    net.push_conv(from, Conv { name, norm, inputs, outputs, kernel, stride, pads, groups: 1, activation })
}
