//! Notices a network that gives nearly the same result for everything.

use bundle::seeded::Seeded;
use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use crate::torch::{load_tensor, to_array};

/// A spread below this share of the untrained network's is a collapse.
const LEAST: f64 = 1e-3;
/// Side of the grid of noise.
const SIDE: usize = 8;
/// Pictures of noise.
const COUNT: usize = 4;
const STREAM: u64 = 0xc011_a95e;
const SPREAD: &str = "noise.spread";

/// Noise in place of features, and the spread of an untrained network's results for it. A one-class network draws the results for good
/// parts together, which is its purpose; if those for noise come together as well, it has found the useless solution, a constant
/// (Ruff et al., ICML 2018, section 3.3).
#[derive(Debug)]
pub struct CollapseProbe {
    noise: Tensor,
    /// The spread of the untrained network's results.
    before: Tensor,
}

impl CollapseProbe {
    /// Creates a probe for features of `channels` channels with mean 0 and deviation 1.
    #[must_use]
    pub fn new(channels: usize, seed: u64, device: Device) -> Self {
        let mut random = Seeded::new(seed, STREAM);
        // The sum of twelve uniform numbers is nearly Gaussian, with deviation 1.
        let mut draw = || (0..12).map(|_| random.below(1 << 16) as f32 / 65_536.0).sum::<f32>() - 6.0;
        let values: Vec<f32> = (0..COUNT * channels * SIDE * SIDE).map(|_| draw()).collect();
        let shape = [COUNT as i64, channels as i64, SIDE as i64, SIDE as i64];
        let noise = Tensor::from_slice(&values).reshape(shape).to_device(device);
        Self { noise, before: Tensor::zeros([1], (Kind::Float, Device::Cpu)) }
    }

    /// Returns the noise, N×C×h×w.
    pub fn noise(&self) -> &Tensor {
        &self.noise
    }

    /// Sets the spread of the untrained network's results for the noise.
    pub fn start(&mut self, spread: f64) {
        self.before = Tensor::from_slice(&[spread as f32]);
    }

    /// Returns whether the network has collapsed, from the spread of its results for the noise.
    #[must_use]
    pub fn has_collapsed(&self, spread: f64) -> bool {
        spread <= LEAST * self.before.double_value(&[0])
    }

    /// Adds the spread to a state.
    pub fn add_to(&self, state: &mut Weights) {
        state.insert(SPREAD.to_owned(), to_array(&self.before));
    }

    /// Loads what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If it is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        load_tensor(state, SPREAD, &mut self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_noticed_and_a_small_spread_is_not_one() {
        let mut probe = CollapseProbe::new(3, 1, Device::Cpu);
        let spread = |factor: f64| {
            let results = probe.noise() * factor + 7.0;
            (&results - results.mean(Kind::Float)).square().mean(Kind::Double).double_value(&[])
        };
        let [usual, small, tiny, none] = [1.0, 0.1, 0.01, 0.0].map(spread);
        assert!((usual - 1.0).abs() < 0.1, "{usual}");
        probe.start(usual);
        assert!(!probe.has_collapsed(small) && probe.has_collapsed(tiny));
        let mut state = Weights::new();
        probe.add_to(&mut state);
        let mut other = CollapseProbe::new(3, 1, Device::Cpu);
        other.load(&state).unwrap();
        assert!(other.has_collapsed(none) && !other.has_collapsed(usual));
        assert_eq!(other.load(&Weights::new()), Err(StateError::missing(SPREAD)));
    }
}
