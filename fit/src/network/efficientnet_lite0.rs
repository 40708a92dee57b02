//! EfficientNet-Lite0 up to its fifth stage (Tan, Le: *EfficientNet*, 2019; the Lite variants of the TPU repository:
//! no squeeze-and-excitation, ReLU6). Names are those of the PyTorch port. Levels for 256²: 24×64², 40×32², 112×16².

use super::{Activation, Conv, Layer, Network};

/// Repeats, kernel, stride of the first block, expansion, channels out.
const STAGES: [(usize, usize, usize, usize, usize); 5] =
    [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112)];
/// The stages whose results are the levels.
const LEVELS: [usize; 3] = [1, 2, 4];
const STEM: usize = 32;

/// The description; weights come from an import.
#[must_use]
pub fn efficientnet_lite0() -> Network {
    let mut net = Network {
        name: "efficientnet-lite0",
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
    for (stage, (repeats, kernel, first_stride, expansion, outputs)) in STAGES.into_iter().enumerate() {
        for repeat in 0..repeats {
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

/// Pushes a convolution; `shape` is channels in, channels out, kernel, stride, groups.
fn conv(
    net: &mut Network,
    from: usize,
    name: &str,
    norm: &str,
    shape: [usize; 5],
    activation: Activation,
) -> usize {
    let [inputs, outputs, kernel, stride, groups] = shape;
    // TensorFlow's SAME padding, for even input sides: what doesn't divide evenly goes to the end.
    let total = kernel - stride;
    let pads = if stride == 1 { (kernel / 2, kernel / 2) } else { (total / 2, total - total / 2) };
    let (name, norm) = (name.to_owned(), norm.to_owned());
    net.push_conv(from, Conv { name, norm, inputs, outputs, kernel, stride, pads, groups, activation })
}
