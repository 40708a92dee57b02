//! A [`Network`] run by libtorch: frozen with folded weights, or trainable with live BatchNorm.

use networks::{Activation, Conv, Layer, Network, StateError, Weights, array_of};
use tch::{Kind, Tensor};

use super::device::Compute;
use super::tensors::{channels_last, from_array, to_array};

/// A frozen network: convolutions with bias.
#[derive(Debug)]
pub struct Frozen {
    network: Network,
    kind: Kind,
    /// Weight and bias of each convolution, in order.
    convs: Vec<(Tensor, Tensor)>,
}

impl Frozen {
    /// Creates the network from folded weights; it computes in `compute`'s number format.
    ///
    /// # Panics
    /// If `weights` lacks a tensor of `network`; [`networks::fold`] returns all of them.
    #[must_use]
    pub fn new(network: &Network, weights: &Weights, compute: Compute) -> Self {
        let load = |conv: &Conv, part: &str| {
            from_array(&weights[&format!("{}.{part}", conv.name)])
                .to_device(compute.device)
                .to_kind(compute.kind)
        };
        let convs =
            network.convs().map(|conv| (channels_last(&load(conv, "weight")), load(conv, "bias"))).collect();
        Self { network: network.clone(), kind: compute.kind, convs }
    }

    /// Returns the number format that it computes in and expects of images.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Computes the feature levels of `image` (N×3×H×W, RGB 0..1, already normalised).
    #[must_use]
    pub fn levels(&self, image: &Tensor) -> Vec<Tensor> {
        tch::no_grad(|| {
            run(&self.network, image, |index, conv, x| {
                let (weight, bias) = &self.convs[index];
                convolve(conv, x, weight, Some(bias))
            })
        })
    }
}

/// A trainable network: convolutions without bias, each followed by BatchNorm.
#[derive(Debug)]
pub struct Trainable {
    network: Network,
    compute: Compute,
    /// For each convolution: weight, BatchNorm scale, BatchNorm shift.
    pub parameters: Vec<Tensor>,
    /// For each convolution: running mean and running variance.
    pub statistics: Vec<Tensor>,
}

impl Trainable {
    /// Creates random weights (He et al., 2015: normal, fan-out), with BatchNorm at identity. Uses libtorch's global generator.
    #[must_use]
    pub fn random(network: &Network, compute: Compute) -> Self {
        let options = (Kind::Float, compute.device);
        let (mut parameters, mut statistics) = (vec![], vec![]);
        for conv in network.convs() {
            let shape = conv.weight_shape().map(|n| n as i64);
            let fan_out = (conv.kernel * conv.kernel * conv.outputs / conv.groups) as f64;
            let weight = Tensor::randn(shape, (Kind::Float, tch::Device::Cpu)) * (2.0 / fan_out).sqrt();
            let outputs = conv.outputs as i64;
            parameters.push(channels_last(&weight.to_device(compute.device)).set_requires_grad(true));
            parameters.push(Tensor::ones([outputs], options).set_requires_grad(true));
            parameters.push(Tensor::zeros([outputs], options).set_requires_grad(true));
            statistics.push(Tensor::zeros([outputs], options));
            statistics.push(Tensor::ones([outputs], options));
        }
        Self { network: network.clone(), compute, parameters, statistics }
    }

    /// Computes the feature levels of `image` (N×3×H×W, normalised). In training, BatchNorm uses the batch's statistics and moves the
    /// running ones by `momentum`; with `None` it uses the running ones.
    #[must_use]
    pub fn levels(&self, image: &Tensor, momentum: Option<f64>) -> Vec<Tensor> {
        run(&self.network, image, |index, conv, x| {
            let (p, s) = (&self.parameters[3 * index..], &self.statistics[2 * index..]);
            let (weight, gamma, beta, mean, variance) = (&p[0], &p[1], &p[2], &s[0], &s[1]);
            let y = convolve(conv, x, &weight.to_kind(self.compute.kind), None::<&Tensor>);
            let epsilon = f64::from(self.network.norm_epsilon);
            let (train, momentum) = (momentum.is_some(), momentum.unwrap_or(0.0));
            y.batch_norm(Some(gamma), Some(beta), Some(mean), Some(variance), train, momentum, epsilon, false)
        })
    }

    /// Returns the number format of the convolutions, also expected of images.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.compute.kind
    }

    /// Changes the number format of the convolutions.
    pub fn set_kind(&mut self, kind: Kind) {
        self.compute.kind = kind;
    }

    /// Returns every tensor under its published name.
    #[must_use]
    pub fn state(&self) -> Weights {
        let mut state = Weights::new();
        for (name, tensor) in self.names().into_iter().zip(self.parameters.iter().chain(&self.statistics)) {
            state.insert(name, to_array(tensor));
        }
        state
    }

    /// Loads what [`Self::state`] returned.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        let names = self.names();
        for (name, tensor) in names.into_iter().zip(self.parameters.iter_mut().chain(&mut self.statistics)) {
            load_tensor(state, &name, tensor)?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        let parameters = self.network.convs().flat_map(|conv| {
            [format!("{}.weight", conv.name), format!("{}.weight", conv.norm), format!("{}.bias", conv.norm)]
        });
        let statistics = self
            .network
            .convs()
            .flat_map(|conv| [format!("{}.running_mean", conv.norm), format!("{}.running_var", conv.norm)]);
        parameters.chain(statistics).collect()
    }
}

/// Copies `state`'s array `name` into `tensor`.
///
/// # Errors
/// If it is missing or has the wrong shape.
pub(crate) fn load_tensor(state: &Weights, name: &str, tensor: &mut Tensor) -> Result<(), StateError> {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let array = array_of(state, name, &shape)?;
    tch::no_grad(|| tensor.copy_(&from_array(array)));
    Ok(())
}

fn run(
    network: &Network,
    image: &Tensor,
    mut convolution: impl FnMut(usize, &Conv, &Tensor) -> Tensor,
) -> Vec<Tensor> {
    let mut values: Vec<Tensor> = vec![image.shallow_clone()];
    let mut index = 0;
    for layer in &network.layers {
        let value = match layer {
            Layer::Conv { from, conv } => {
                let y = convolution(index, conv, &values[*from]);
                index += 1;
                activate(y, conv.activation)
            }
            Layer::MaxPool { from, kernel, stride, padding } => {
                let square = |n: usize| [n as i64; 2];
                values[*from].max_pool2d(square(*kernel), square(*stride), square(*padding), [1, 1], false)
            }
            Layer::AveragePool { from, padding } => average_pool(&values[*from], *padding),
            Layer::Add { a, b, activation } => activate(&values[*a] + &values[*b], *activation),
        };
        values.push(value);
    }
    network.levels.iter().map(|&level| values[level].shallow_clone()).collect()
}

fn convolve(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let square = |n: usize| [n as i64; 2];
    let (before, after) = conv.pads;
    if before == after {
        return x.conv2d(weight, bias, square(conv.stride), square(before), [1, 1], conv.groups as i64);
    }
    let (before, after) = (before as i64, after as i64);
    let padded = x.constant_pad_nd([before, after, before, after]);
    padded.conv2d(weight, bias, square(conv.stride), [0, 0], [1, 1], conv.groups as i64)
}

/// Computes the mean of each 2×2 window with stride 2; the zeros of the padding count.
pub(super) fn average_pool(x: &Tensor, padding: usize) -> Tensor {
    x.avg_pool2d([2, 2], [2, 2], [padding as i64; 2], false, true, None)
}

/// Applies the activation, in place if backpropagation needs only the result.
fn activate(mut x: Tensor, activation: Activation) -> Tensor {
    match activation {
        Activation::None => x,
        Activation::Relu => x.relu_(),
        Activation::Relu6 => x.relu6(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use networks::fold;
    use tch::Device;

    #[test]
    fn a_trained_network_gives_the_same_levels_after_folding() {
        tch::set_num_threads(1);
        let compute = Compute { device: Device::Cpu, kind: Kind::Float };
        for network in Network::backbones() {
            tch::manual_seed(4);
            let trained = Trainable::random(&network, compute);
            let image = Tensor::randn([4, 3, 64, 96], (Kind::Float, Device::Cpu));
            // Moves the running statistics away from their initial values.
            for _ in 0..5 {
                tch::no_grad(|| drop(trained.levels(&image, Some(0.3))));
            }
            let live = tch::no_grad(|| trained.levels(&image, None));
            let folded =
                Frozen::new(&network, &fold(&network, &trained.state()).unwrap(), compute).levels(&image);
            for (live, folded) in live.iter().zip(&folded) {
                let largest = live.abs().max().double_value(&[]);
                let difference = (live - folded).abs().max().double_value(&[]);
                assert!(difference < 1e-4 * largest, "{}: {difference:e} of {largest:e}", network.name);
            }
        }
    }
}
