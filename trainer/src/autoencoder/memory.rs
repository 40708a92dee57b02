//! A bottleneck with a memory (Gong et al.: *Memorizing Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised
//! Anomaly Detection*, ICCV 2019): what passes is a sparse mixture of remembered prototypes.

use networks::onnx::{GraphBuilder, Value};
use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use crate::torch::{load_tensor, to_array};

/// The prototypes' name in a run's state and in a model.
const PROTOTYPES: &str = "memory";
/// Lengths and sums count as at least this.
const FLOOR: f64 = 1e-6;

/// The prototypes, prototypes × channels.
#[derive(Debug)]
pub struct Memory {
    /// One row each.
    pub prototypes: Tensor,
}

impl Memory {
    /// Creates random prototypes. Uses libtorch's global generator.
    #[must_use]
    pub fn random(count: usize, channels: usize, device: Device) -> Self {
        let shape = [count as i64, channels as i64];
        let prototypes = Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_device(device);
        Self { prototypes: prototypes.set_requires_grad(true) }
    }

    /// Replaces each vector z of N×C×h×w by w · prototypes, and returns the entropy of w, N×1×h×w, beside it. With p the softmax of the
    /// cosines of z and the prototypes, and λ = 1 / prototypes: w = max(p − λ, 0) p / (|p − λ| + ε), scaled to the sum 1. The paper allows
    /// λ from 1 to 3 / prototypes; at 1, something is always left.
    pub fn address(&self, z: &Tensor) -> [Tensor; 2] {
        let weight = |rows: &Tensor| rows.unsqueeze(-1).unsqueeze(-1);
        let convolve =
            |x: &Tensor, weight: &Tensor| x.conv2d(weight, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
        let cosines = convolve(&unit_length(z), &weight(&unit_length(&self.prototypes)));
        let likeness = cosines.softmax(1, cosines.kind());
        let excess = (&likeness - self.least()).relu();
        let shrunk = &excess * &likeness / (&excess + FLOOR);
        let sum = shrunk.sum_dim_intlist([1i64].as_slice(), true, shrunk.kind());
        let weights = shrunk / sum.clamp_min(FLOOR);
        let logs = (&weights + FLOOR).log();
        let entropy = -(&weights * logs).sum_dim_intlist([1i64].as_slice(), true, weights.kind());
        [convolve(&weights, &weight(&self.prototypes.tr())), entropy]
    }

    /// Adds [`Self::address`] to a model, without the entropy.
    pub fn add(&self, g: &mut GraphBuilder, z: &Value) -> Value {
        let convolve = |g: &mut GraphBuilder, x: &Value, rows: &Tensor, what: &str| {
            let array = to_array(rows);
            let (outputs, inputs) = (array.shape[0], array.shape[1]);
            let name = format!("{PROTOTYPES}.{what}");
            let weight = g.constant(&name, &[outputs, inputs, 1, 1], &array.data);
            let bias = g.constant(&format!("{name}.bias"), &[outputs], &vec![0.0; outputs]);
            g.conv(x, &weight, &bias, 1, (0, 0), 1)
        };
        let square = g.mul(z, z);
        let length = g.sum_channels(&square);
        let length = g.sqrt(&length);
        let [floor, least] = [FLOOR, self.least()].map(|value| g.scalar(value as f32));
        let length = g.max(&length, &floor);
        let direction = g.div(z, &length);
        let cosines = convolve(g, &direction, &unit_length(&self.prototypes), "directions");
        // A cosine is at most 1: no overflow.
        let exponentials = g.exp(&cosines);
        let sum = g.sum_channels(&exponentials);
        let likeness = g.div(&exponentials, &sum);
        let excess = g.sub(&likeness, &least);
        let excess = g.relu(&excess);
        let product = g.mul(&excess, &likeness);
        let floored = g.add(&excess, &floor);
        let shrunk = g.div(&product, &floored);
        let sum = g.sum_channels(&shrunk);
        let sum = g.max(&sum, &floor);
        let weights = g.div(&shrunk, &sum);
        convolve(g, &weights, &self.prototypes.tr(), "prototypes")
    }

    /// The likeness below which a prototype doesn't count.
    fn least(&self) -> f64 {
        1.0 / self.prototypes.size()[0] as f64
    }

    /// Adds the prototypes to a state.
    pub fn add_to(&self, state: &mut Weights) {
        state.insert(PROTOTYPES.to_owned(), to_array(&self.prototypes));
    }

    /// Loads what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If it is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        load_tensor(state, PROTOTYPES, &mut self.prototypes)
    }
}

/// Scales vectors along axis 1 to length 1.
fn unit_length(x: &Tensor) -> Tensor {
    let square = (x * x).sum_dim_intlist([1i64].as_slice(), true, x.kind());
    // The floor comes before the root, whose slope at 0 is infinite.
    x / square.clamp_min(FLOOR * FLOOR).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_papers_in_64_bit_floats() {
        tch::manual_seed(3);
        let memory = Memory::random(5, 3, Device::Cpu);
        let z = Tensor::randn([1, 3, 1, 1], (Kind::Float, Device::Cpu));
        let vector: Vec<f64> = (0..3).map(|c| z.double_value(&[0, c, 0, 0])).collect();
        let row = |n: i64| -> Vec<f64> { (0..3).map(|c| memory.prototypes.double_value(&[n, c])).collect() };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |n| dot(&row(n), &vector) / (dot(&row(n), &row(n)) * dot(&vector, &vector)).sqrt();
        let exponentials: Vec<f64> = (0..5).map(|n| cosine(n).exp()).collect();
        let total: f64 = exponentials.iter().sum();
        let shrunk: Vec<f64> = exponentials
            .iter()
            .map(|e| {
                let excess = (e / total - 0.2).max(0.0);
                excess * (e / total) / (excess + FLOOR)
            })
            .collect();
        let sum: f64 = shrunk.iter().sum();
        let weights: Vec<f64> = shrunk.iter().map(|w| w / sum).collect();
        assert!(weights.contains(&0.0) && weights.iter().any(|w| *w > 0.3), "{weights:?}");
        let [mixed, entropy] = memory.address(&z);
        for c in 0..3 {
            let expected: f64 = (0..5).map(|n| weights[n as usize] * row(n)[c as usize]).sum();
            assert!((mixed.double_value(&[0, c, 0, 0]) - expected).abs() < 1e-5);
        }
        let expected = -weights.iter().map(|w| w * (w + FLOOR).ln()).sum::<f64>();
        assert!((entropy.double_value(&[0, 0, 0, 0]) - expected).abs() < 1e-5);
    }

    #[test]
    fn whatever_is_asked_for_a_prototype_is_remembered() {
        let memory = Memory::random(50, 4, Device::Cpu);
        let z = Tensor::cat(
            &[
                Tensor::randn([1, 4, 8, 8], (Kind::Float, Device::Cpu)) * 1e4,
                Tensor::zeros([1, 4, 8, 8], (Kind::Float, Device::Cpu)),
            ],
            0,
        );
        let [mixed, entropy] = memory.address(&z);
        let largest = memory.prototypes.abs().max().double_value(&[]);
        assert!(mixed.abs().max().double_value(&[]) <= largest * (1.0 + 1e-5));
        let sparse = mixed.narrow(0, 0, 1).abs().mean(Kind::Double).double_value(&[]);
        assert!(sparse > 0.0 && entropy.isfinite().all().int64_value(&[]) == 1);
        let z = z.set_requires_grad(true);
        memory.address(&z)[0].sum(Kind::Float).backward();
        assert!(
            z.grad().isfinite().all().int64_value(&[]) == 1,
            "a vector of zeros has a gradient that isn't finite"
        );
    }
}
