//! Adam (Kingma, Ba, 2015) with a state that can be saved.

use networks::{StateError, Weights};
use tch::Tensor;

use super::network::load_tensor;
use super::tensors::to_array;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Weights and moments below this are negligible compared with [`EPSILON`], and are set to zero. Otherwise weight decay
/// and the moments' own decay shrink the values of a silent channel into the range of subnormal numbers, where
/// they stay (0.9 of a few units in the last place rounds to itself) and where a processor computes many times slower.
const NEGLIGIBLE: f64 = 1e-20;

/// Steps from one clearing to the next. Decay from [`NEGLIGIBLE`] to the first subnormal number (1e-38)
/// takes longer.
const CLEARING_INTERVAL: u64 = 16;

/// The optimiser. No binding gives access to the moments of libtorch's own, so a run could not be resumed.
#[derive(Debug)]
pub struct Adam {
    weight_decay: f64,
    /// Running mean and running mean square of each parameter's gradient.
    moments: Vec<(Tensor, Tensor)>,
}

impl Adam {
    /// Creates the optimiser for these parameters, with zero moments. `weight_decay` times the parameter is added to the gradient (as
    /// in the original, not as in AdamW).
    #[must_use]
    pub fn new<'a>(parameters: impl Iterator<Item = &'a Tensor>, weight_decay: f64) -> Self {
        let moments = parameters.map(|p| (p.zeros_like().detach(), p.zeros_like().detach())).collect();
        Self { weight_decay, moments }
    }

    /// Performs step number `step`, counted from 0, and clears the gradients.
    pub fn step<'a>(&mut self, parameters: impl Iterator<Item = &'a mut Tensor>, step: u64, rate: f64) {
        let correction = |beta: f64| 1.0 - beta.powf(step as f64 + 1.0);
        let (first, second) = (correction(BETA_1), correction(BETA_2));
        tch::no_grad(|| {
            for (p, (mean, square)) in parameters.zip(&mut self.moments) {
                let mut gradient = p.grad();
                if !gradient.defined() {
                    continue;
                }
                let decayed = &gradient + &*p * self.weight_decay;
                let _ = mean.g_mul_scalar_(BETA_1);
                *mean += &decayed * (1.0 - BETA_1);
                let _ = square.g_mul_scalar_(BETA_2);
                *square += &decayed * &decayed * (1.0 - BETA_2);
                let spread = (&*square / second).sqrt() + EPSILON;
                *p -= &*mean * (rate / first) / spread;
                let _ = gradient.zero_();
                if step.is_multiple_of(CLEARING_INTERVAL) {
                    clear_negligible(p);
                    clear_negligible(mean);
                    clear_negligible(square);
                }
            }
        });
    }

    /// Adds the moments to a checkpoint.
    pub fn add_to(&self, state: &mut Weights) {
        for (index, (mean, square)) in self.moments.iter().enumerate() {
            state.insert(mean_name(index), to_array(mean));
            state.insert(square_name(index), to_array(square));
        }
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        for (index, (mean, square)) in self.moments.iter_mut().enumerate() {
            load_tensor(state, &mean_name(index), mean)?;
            load_tensor(state, &square_name(index), square)?;
        }
        Ok(())
    }
}

fn clear_negligible(tensor: &mut Tensor) {
    let negligible = tensor.abs().less(NEGLIGIBLE);
    let _ = tensor.masked_fill_(&negligible, 0.0);
}

fn mean_name(index: usize) -> String {
    format!("adam.{index}.mean")
}

fn square_name(index: usize) -> String {
    format!("adam.{index}.square")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::{self, OptimizerConfig as _};
    use tch::{Device, Kind};

    #[test]
    fn ten_steps_are_those_of_libtorch() {
        let decay = 0.01;
        let store = nn::VarStore::new(Device::Cpu);
        let start = Tensor::from_slice(&[0.3f32, -2.0, 1.5]);
        let theirs = store.root().var_copy("p", &start);
        let mut library = nn::Adam { wd: decay, ..nn::Adam::default() }.build(&store, 0.1).unwrap();
        let mut ours = [start.copy().set_requires_grad(true)];
        let mut adam = Adam::new(ours.iter(), decay);
        let loss = |p: &Tensor| (p * p * p).sum(Kind::Float) + p.sin().sum(Kind::Float);
        for step in 0..10 {
            library.backward_step(&loss(&theirs));
            loss(&ours[0]).backward();
            adam.step(ours.iter_mut(), step, 0.1);
        }
        let difference = (&theirs - &ours[0]).abs().max().double_value(&[]);
        assert!(difference < 1e-5, "{difference:e}");
        assert!((&ours[0] - start).abs().min().double_value(&[]) > 0.1, "it did not move");
    }

    #[test]
    fn a_silent_channel_leaves_zeros_and_no_subnormal_numbers() {
        let mut parameters = [Tensor::from_slice(&[0.5f32, -0.25]).set_requires_grad(true)];
        let mut adam = Adam::new(parameters.iter(), 1e-5);
        for step in 0..4000 {
            // It has a gradient for ten steps; from then on only weight decay moves it.
            let factor = if step < 10 { 1e-4 } else { 0.0 };
            (&parameters[0] * factor).sum(Kind::Float).backward();
            adam.step(parameters.iter_mut(), step, 1e-2);
        }
        for tensor in [&parameters[0], &adam.moments[0].0, &adam.moments[0].1] {
            let values = Vec::<f32>::try_from(tensor).unwrap();
            assert!(values.iter().all(|v| *v == 0.0 || v.is_normal()), "{values:?}");
        }
    }
}
