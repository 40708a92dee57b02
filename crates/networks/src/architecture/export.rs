//! Exports a network with folded weights as ONNX nodes.

use super::{Activation, Layer, Network, without_negligible};
use crate::array::Weights;
use crate::onnx::{GraphBuilder, Value};

/// Adds `network` to `graph` and returns its levels. `input` comes from [`normalise`] and `weights` from
/// [`super::fold`]; `prefix` separates the names of two networks in one graph.
///
/// # Panics
/// If `weights` lacks a tensor of `network`; [`super::fold`] returns all of them.
#[must_use]
pub fn to_onnx(
    network: &Network,
    weights: &Weights,
    graph: &mut GraphBuilder,
    input: &Value,
    prefix: &str,
) -> Vec<Value> {
    let mut values = vec![input.clone()];
    for layer in &network.layers {
        let value = match layer {
            Layer::Conv { from, conv } => {
                let mut constant = |part: &str| {
                    let array = &weights[&format!("{}.{part}", conv.name)];
                    let values = without_negligible(&array.data);
                    graph.constant(&format!("{prefix}{}.{part}", conv.name), &array.shape, &values)
                };
                let (weight, bias) = (constant("weight"), constant("bias"));
                let y = graph.conv(&values[*from], &weight, &bias, conv.stride, conv.pads, conv.groups);
                activate(graph, y, conv.activation)
            }
            Layer::MaxPool { from, kernel, stride, padding } => {
                graph.max_pool(&values[*from], *kernel, *stride, *padding)
            }
            Layer::AveragePool { from, padding } => graph.average_pool(&values[*from], *padding),
            Layer::Add { a, b, activation } => {
                let y = graph.add(&values[*a], &values[*b]);
                activate(graph, y, *activation)
            }
        };
        values.push(value);
    }
    network.levels.iter().map(|&level| values[level].clone()).collect()
}

/// Adds `network`'s normalisation of `image` (1×3×H×W, RGB 0..1) to `graph`.
#[must_use]
pub fn normalise(network: &Network, graph: &mut GraphBuilder, image: &Value) -> Value {
    // Not folded into the first convolution, whose zero padding means the mean colour after normalisation, but
    // black before it.
    let mean = graph.constant("mean", &[1, 3, 1, 1], &network.mean);
    let scale = graph.constant("scale", &[1, 3, 1, 1], &network.std.map(|s| 1.0 / s));
    let centred = graph.sub(image, &mean);
    graph.mul(&centred, &scale)
}

fn activate(graph: &mut GraphBuilder, x: Value, activation: Activation) -> Value {
    match activation {
        Activation::None => x,
        Activation::Relu => graph.relu(&x),
        Activation::Relu6 => graph.clip(&x, 0.0, 6.0),
    }
}
