//! ResNet-18 up to its third stage (He et al.: *Deep Residual Learning for Image Recognition*, 2016), with
//! torchvision's names. Levels for 256²: 64×64², 128×32², 256×16².

use super::{Activation, Conv, Layer, Network};

/// The description; weights come from an import.
#[must_use]
pub fn resnet18() -> Network {
    let mut net = Network {
        name: "resnet18",
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
        norm_epsilon: 1e-5,
        layers: Vec::new(),
        levels: Vec::new(),
    };
    let stem = conv(&mut net, 0, "conv1", "bn1", [3, 64, 7, 2], Activation::Relu);
    let mut x = net.push(Layer::MaxPool { from: stem, kernel: 3, stride: 2, padding: 1 });
    let mut channels = 64;
    for (stage, outputs) in [(1, 64), (2, 128), (3, 256)] {
        for block in 0..2 {
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let at = format!("layer{stage}.{block}");
            let name = |part: &str| format!("{at}.{part}");
            let y = conv(
                &mut net,
                x,
                &name("conv1"),
                &name("bn1"),
                [channels, outputs, 3, stride],
                Activation::Relu,
            );
            let y =
                conv(&mut net, y, &name("conv2"), &name("bn2"), [outputs, outputs, 3, 1], Activation::None);
            let skip = if channels == outputs {
                x
            } else {
                let shape = [channels, outputs, 1, stride];
                conv(&mut net, x, &name("downsample.0"), &name("downsample.1"), shape, Activation::None)
            };
            x = net.push(Layer::Add { a: y, b: skip, activation: Activation::Relu });
            channels = outputs;
        }
        net.levels.push(x);
    }
    net
}

/// Pushes a convolution; `shape` is channels in, channels out, kernel, stride.
fn conv(
    net: &mut Network,
    from: usize,
    name: &str,
    norm: &str,
    shape: [usize; 4],
    activation: Activation,
) -> usize {
    let [inputs, outputs, kernel, stride] = shape;
    let pads = (kernel / 2, kernel / 2);
    let (name, norm) = (name.to_owned(), norm.to_owned());
    net.push_conv(from, Conv { name, norm, inputs, outputs, kernel, stride, pads, groups: 1, activation })
}
