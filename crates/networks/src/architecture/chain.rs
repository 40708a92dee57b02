//! Sequential networks without BatchNorm, as data: the ones that `trainer` trains from scratch. One description serves training
//! (libtorch), export (ONNX) and weight import.

use super::{Activation, Conv, Layer, Network, without_negligible};
use crate::array::Weights;
use crate::onnx::{GraphBuilder, Value};
use crate::resample::bilinear;
use crate::state::{StateError, array_of};

/// A convolution with bias and one channel group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainConv {
    /// `{name}.weight` has shape out × in × height × width, `{name}.bias` out.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Stride on both axes.
    pub stride: usize,
    /// Zero padding on all sides.
    pub padding: usize,
    /// Whether `max(x, 0)` follows.
    pub relu: bool,
}

impl ChainConv {
    /// Returns the shape of the weight.
    #[must_use]
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs, self.kernel[0], self.kernel[1]]
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainStep {
    /// A convolution, followed by ReLU if requested.
    Conv(ChainConv),
    /// The mean of each 2×2 window, stride 2; the zeros of the padding count.
    AveragePool {
        /// Zero padding on all sides.
        padding: usize,
    },
    /// Bilinear resizing with half-pixel centres.
    Resize {
        /// Height and width of the result.
        to: [usize; 2],
    },
    /// Saves the value for the next [`ChainStep::Join`].
    Fork,
    /// Adds the saved value; `max(x, 0)` follows.
    Join,
    /// While training, sets this share of the values to 0 and scales the others up; no effect in a finished model.
    Dropout(f64),
}

/// A sequence of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The steps, in order.
    pub steps: Vec<ChainStep>,
}

impl Chain {
    /// Returns the convolutions, in order.
    pub fn convs(&self) -> impl DoubleEndedIterator<Item = &ChainConv> {
        self.steps.iter().filter_map(|step| match step {
            ChainStep::Conv(conv) => Some(conv),
            _ => None,
        })
    }

    /// Counts the multiplications by a weight for one image of height and width `input`.
    #[must_use]
    pub fn multiplications(&self, input: [usize; 2]) -> usize {
        let mut side = input;
        let mut total = 0;
        for step in &self.steps {
            side = match step {
                ChainStep::Conv(conv) => {
                    let axis =
                        |axis: usize| (side[axis] + 2 * conv.padding - conv.kernel[axis]) / conv.stride + 1;
                    let to = [axis(0), axis(1)];
                    total += to[0] * to[1] * conv.weight_shape().iter().product::<usize>();
                    to
                }
                ChainStep::AveragePool { padding } => side.map(|n| (n + 2 * padding) / 2),
                ChainStep::Resize { to } => *to,
                ChainStep::Dropout(_) | ChainStep::Fork | ChainStep::Join => side,
            };
        }
        total
    }

    /// Converts the chain into a backbone with one level. Only convolutions with square kernels and pools can be
    /// converted; other steps are left out.
    pub(super) fn into_network(self, name: &'static str, mean: [f32; 3], std: [f32; 3]) -> Network {
        let mut net = Network { name, mean, std, norm_epsilon: 0.0, layers: vec![], levels: vec![] };
        let mut from = 0;
        for step in self.steps {
            from = match step {
                ChainStep::Conv(conv) => {
                    debug_assert_eq!(conv.kernel[0], conv.kernel[1]);
                    let activation = if conv.relu { Activation::Relu } else { Activation::None };
                    let (kernel, stride, pads) = (conv.kernel[0], conv.stride, (conv.padding, conv.padding));
                    let (inputs, outputs) = (conv.inputs, conv.outputs);
                    let (name, norm) = (conv.name, String::new());
                    let conv =
                        Conv { name, norm, inputs, outputs, kernel, stride, pads, groups: 1, activation };
                    net.push_conv(from, conv)
                }
                ChainStep::AveragePool { padding } => net.push(Layer::AveragePool { from, padding }),
                ChainStep::Resize { .. } | ChainStep::Dropout(_) | ChainStep::Fork | ChainStep::Join => from,
            };
        }
        net.levels = vec![from];
        net
    }

    /// Adds the chain's weights to `graph`. `prefix` precedes their names.
    ///
    /// # Errors
    /// Names the tensor that `weights` lacks or whose shape differs.
    pub fn add_constants(
        &self,
        weights: &Weights,
        graph: &mut GraphBuilder,
        prefix: &str,
    ) -> Result<ChainConstants, StateError> {
        let each = self.convs().map(|conv| {
            let mut constant = |part: &str, shape: &[usize]| {
                let name = format!("{prefix}{}.{part}", conv.name);
                let array = array_of(weights, &name, shape)?;
                Ok::<_, StateError>(graph.constant(&name, shape, &without_negligible(&array.data)))
            };
            Ok([constant("weight", &conv.weight_shape())?, constant("bias", &[conv.outputs])?])
        });
        each.collect::<Result<_, _>>().map(ChainConstants)
    }

    /// Adds the chain to `graph` and returns its result. `prefix` precedes the names of its weights.
    ///
    /// # Errors
    /// Names the tensor that `weights` lacks or whose shape differs.
    pub fn to_onnx(
        &self,
        weights: &Weights,
        graph: &mut GraphBuilder,
        input: &Value,
        prefix: &str,
    ) -> Result<Value, StateError> {
        let constants = self.add_constants(weights, graph, prefix)?;
        Ok(self.add(&constants, graph, input))
    }

    /// Adds the chain to a graph that already has its weights: a chain may be applied several times.
    #[must_use]
    pub fn add(&self, constants: &ChainConstants, graph: &mut GraphBuilder, input: &Value) -> Value {
        let mut x = input.clone();
        let mut kept = input.clone();
        let mut constants = constants.0.iter();
        for step in &self.steps {
            x = match step {
                ChainStep::Conv(conv) => match constants.next() {
                    Some([weight, bias]) => {
                        let y = graph.conv(&x, weight, bias, conv.stride, (conv.padding, conv.padding), 1);
                        if conv.relu { graph.relu(&y) } else { y }
                    }
                    None => x,
                },
                ChainStep::AveragePool { padding } => graph.average_pool(&x, *padding),
                ChainStep::Resize { to } => {
                    let [rows, columns] = [0, 1].map(|axis| bilinear(x.shape()[2 + axis], to[axis]));
                    graph.resample(&x, &rows, &columns)
                }
                ChainStep::Fork => {
                    kept = x.clone();
                    x
                }
                ChainStep::Join => {
                    let sum = graph.add(&x, &kept);
                    graph.relu(&sum)
                }
                ChainStep::Dropout(_) => x,
            };
        }
        x
    }
}

/// The weights of a chain in a graph: weight and bias of each convolution.
#[derive(Debug, Clone)]
pub struct ChainConstants(Vec<[Value; 2]>);
