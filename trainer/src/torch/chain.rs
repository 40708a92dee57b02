//! A trainable [`Chain`].

use networks::onnx::{GraphBuilder, Value};
use networks::{Chain, ChainConstants, ChainConv, ChainStep, StateError, Weights};
use tch::{Device, Kind, Tensor};

use super::device::Compute;
use super::network::{average_pool, load_tensor};
use super::tensors::{channels_last, to_array};

/// Convolutions with bias, trainable.
#[derive(Debug)]
pub struct TrainableChain {
    chain: Chain,
    kind: Kind,
    /// Weight and bias of each convolution, in order.
    pub parameters: Vec<Tensor>,
}

impl TrainableChain {
    /// Creates random weights, uniform within 1 / √(inputs of a position), as in torch's own layers. Uses libtorch's global
    /// generator.
    #[must_use]
    pub fn random(chain: Chain, compute: Compute) -> Self {
        let uniform = |shape: &[i64], bound: f64| {
            let unit = Tensor::rand(shape, (Kind::Float, Device::Cpu));
            ((unit * 2.0 - 1.0) * bound).to_device(compute.device)
        };
        let mut parameters = Vec::new();
        for conv in chain.convs() {
            let shape = conv.weight_shape().map(|n| n as i64);
            let bound = 1.0 / inputs(conv).sqrt();
            parameters.push(channels_last(&uniform(&shape, bound)).set_requires_grad(true));
            parameters.push(uniform(&shape[..1], bound).set_requires_grad(true));
        }
        Self { chain, kind: compute.kind, parameters }
    }

    /// Creates random weights that keep the variance of what passes through (He et al., 2015: normal, fan-in), with biases of 0: without
    /// BatchNorm, a short training doesn't get a deep chain going from [`Self::random`]. Uses libtorch's global generator.
    #[must_use]
    pub fn kept_variance(chain: Chain, compute: Compute) -> Self {
        let mut parameters = Vec::new();
        for conv in chain.convs() {
            let shape = conv.weight_shape().map(|n| n as i64);
            // ReLU removes half of the variance.
            let gain: f64 = if conv.relu { 2.0 } else { 1.0 };
            let weight = Tensor::randn(shape, (Kind::Float, Device::Cpu)) * (gain / inputs(conv)).sqrt();
            parameters.push(channels_last(&weight.to_device(compute.device)).set_requires_grad(true));
            let bias = Tensor::zeros([shape[0]], (Kind::Float, compute.device));
            parameters.push(bias.set_requires_grad(true));
        }
        Self { chain, kind: compute.kind, parameters }
    }

    /// Sets all biases to 0 and keeps them there: without biases, a network can't give the same result for all inputs.
    #[must_use]
    pub fn without_biases(mut self) -> Self {
        for bias in self.parameters.iter_mut().skip(1).step_by(2) {
            *bias = bias.zeros_like().detach();
        }
        self
    }

    /// Computes the result for `x` (N×C×H×W), in 32-bit floats. Dropout is active in training only and uses libtorch's global generator.
    pub fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        self.forward_with(&self.parameters, x, training)
    }

    /// Computes the result for `x` like [`Self::forward`], with weights that no gradient reaches.
    pub fn forward_frozen(&self, x: &Tensor) -> Tensor {
        let frozen: Vec<Tensor> = self.parameters.iter().map(Tensor::detach).collect();
        self.forward_with(&frozen, x, false)
    }

    fn forward_with(&self, parameters: &[Tensor], x: &Tensor, training: bool) -> Tensor {
        let mut x = x.to_kind(self.kind);
        let mut parameters = parameters.chunks_exact(2);
        let mut kept = x.shallow_clone();
        for step in &self.chain.steps {
            x = match (step, training) {
                (ChainStep::Conv(conv), _) => match parameters.next() {
                    Some([weight, bias]) => self.convolve(conv, &x, weight, bias),
                    _ => x,
                },
                (ChainStep::AveragePool { padding }, _) => average_pool(&x, *padding),
                (ChainStep::Resize { to }, _) => {
                    x.upsample_bilinear2d(to.map(|n| n as i64), false, None, None)
                }
                (ChainStep::Fork, _) => {
                    kept = x.shallow_clone();
                    x
                }
                (ChainStep::Join, _) => (x + &kept).relu(),
                (ChainStep::Dropout(share), true) => x.dropout(*share, true),
                (ChainStep::Dropout(_), false) => x,
            };
        }
        x.to_kind(Kind::Float)
    }

    fn convolve(&self, conv: &ChainConv, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
        let square = |n: usize| [n as i64; 2];
        let (weight, bias) = (weight.to_kind(self.kind), bias.to_kind(self.kind));
        let y = x.conv2d(&weight, Some(&bias), square(conv.stride), square(conv.padding), [1, 1], 1);
        if conv.relu { y.relu() } else { y }
    }

    /// Sets the number format of the convolutions.
    pub fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Returns the chain's description.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Adds the weights to a graph, to apply the chain there several times. `prefix` precedes their names.
    ///
    /// # Errors
    /// If a tensor's shape is not the chain's.
    pub fn add_constants(&self, g: &mut GraphBuilder, prefix: &str) -> Result<ChainConstants, StateError> {
        let mut weights = Weights::new();
        self.add_to(&mut weights, prefix);
        // The names in the graph are those in the state.
        self.chain.add_constants(&weights, g, prefix)
    }

    /// Adds the chain to a graph and returns its result. `prefix` precedes the names of its weights.
    ///
    /// # Errors
    /// If a tensor's shape is not the chain's.
    pub fn to_onnx(&self, g: &mut GraphBuilder, x: &Value, prefix: &str) -> Result<Value, StateError> {
        let constants = self.add_constants(g, prefix)?;
        Ok(self.chain.add(&constants, g, x))
    }

    /// Adds every tensor to `state`, its name prefixed with `prefix`.
    pub fn add_to(&self, state: &mut Weights, prefix: &str) {
        for (name, tensor) in self.names(prefix).into_iter().zip(&self.parameters) {
            state.insert(name, to_array(tensor));
        }
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights, prefix: &str) -> Result<(), StateError> {
        for (name, tensor) in self.names(prefix).into_iter().zip(&mut self.parameters) {
            load_tensor(state, &name, tensor)?;
        }
        Ok(())
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let parts = |conv: &ChainConv| ["weight", "bias"].map(|part| format!("{prefix}{}.{part}", conv.name));
        self.chain.convs().flat_map(parts).collect()
    }
}

/// Returns the number of values that each result of a convolution is computed from.
fn inputs(conv: &ChainConv) -> f64 {
    conv.weight_shape()[1..].iter().product::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use super::super::Frozen;
    use super::*;
    use networks::{AutoencoderGrid, PdnSize, autoencoder, trunk_student};

    #[test]
    fn a_chain_and_the_network_made_of_it_agree() {
        tch::set_num_threads(1);
        let compute = Compute { device: Device::Cpu, kind: Kind::Float };
        let image = Tensor::randn([2, 3, 128, 160], (Kind::Float, Device::Cpu));
        for size in PdnSize::ALL {
            let chain = TrainableChain::random(size.chain(size.features(), false), compute);
            let mut weights = Weights::new();
            chain.add_to(&mut weights, "");
            let frozen = Frozen::new(&size.teacher(), &weights, compute).levels(&image).remove(0);
            let features = tch::no_grad(|| chain.forward(&image, true));
            assert_eq!(features.size(), [2, size.features() as i64, 24, 32]);
            let difference = (&features - frozen).abs().max().double_value(&[]);
            assert!(difference < 1e-5 * features.abs().max().double_value(&[]), "{difference:e}");
        }
    }

    #[test]
    fn padding_gives_a_position_for_every_four_pixels() {
        tch::set_num_threads(1);
        let compute = Compute { device: Device::Cpu, kind: Kind::Float };
        let image = Tensor::zeros([1, 3, 256, 256], (Kind::Float, Device::Cpu));
        let distilled = TrainableChain::random(PdnSize::Xs.chain(5, true), compute);
        assert_eq!(tch::no_grad(|| distilled.forward(&image, true)).size(), [1, 5, 64, 64]);
    }

    #[test]
    fn the_autoencoder_has_the_grid_of_the_students_at_every_size() {
        tch::set_num_threads(1);
        let compute = Compute { device: Device::Cpu, kind: Kind::Float };
        for [height, width] in [[128, 128], [128, 512], [160, 256], [288, 224]] {
            let image = Tensor::zeros([1, 3, height, width], (Kind::Float, Device::Cpu));
            let sides = [height as usize, width as usize];
            for (grid, size) in [
                (AutoencoderGrid::Patches, [height / 4 - 8, width / 4 - 8]),
                (AutoencoderGrid::Eighth, [height / 8, width / 8]),
            ] {
                let autoencoder = TrainableChain::random(autoencoder(sides, 7, grid), compute);
                let features = tch::no_grad(|| autoencoder.forward(&image, false));
                assert_eq!(features.size(), [1, 7, size[0], size[1]]);
                assert!(features.equal(&tch::no_grad(|| autoencoder.forward(&image, false))));
                assert!(!features.equal(&tch::no_grad(|| autoencoder.forward(&image, true))), "no dropout");
            }
            let level = Tensor::zeros([1, 24, height / 4, width / 4], (Kind::Float, Device::Cpu));
            let student = TrainableChain::random(trunk_student(24, 14), compute);
            let features = tch::no_grad(|| student.forward(&level, true));
            assert_eq!(features.size(), [1, 14, height / 8, width / 8]);
        }
    }
}
