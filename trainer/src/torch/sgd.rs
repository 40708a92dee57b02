//! Stochastic gradient descent with momentum and weight decay, with a state that can be saved.

use tch::Tensor;

/// The optimiser. No binding gives access to the momentum of libtorch's own, so a run could not be resumed.
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    /// One velocity per parameter, in the same order.
    pub velocities: Vec<Tensor>,
}

impl Sgd {
    /// Creates the optimiser for these parameters, with zero velocities.
    #[must_use]
    pub fn new(parameters: &[Tensor], momentum: f64, weight_decay: f64) -> Self {
        Self { momentum, weight_decay, velocities: parameters.iter().map(Tensor::zeros_like).collect() }
    }

    /// Performs a step: v ← momentum · v + gradient + decay · p; p ← p − rate · v. Then clears the gradients.
    pub fn step(&mut self, parameters: &mut [Tensor], rate: f64) {
        tch::no_grad(|| {
            for (p, v) in parameters.iter_mut().zip(&mut self.velocities) {
                let mut gradient = p.grad();
                if !gradient.defined() {
                    continue;
                }
                let _ = v.g_mul_scalar_(self.momentum);
                *v += &gradient;
                *v += &*p * self.weight_decay;
                *p -= &*v * rate;
                let _ = gradient.zero_();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn two_steps_by_hand() {
        let mut p = [Tensor::from_slice(&[1.0f32]).set_requires_grad(true)];
        let mut sgd = Sgd::new(&p, 0.9, 0.1);
        for expected in [1.0 - 0.5 * (2.0 + 0.1), f64::NAN] {
            let loss = (&p[0] * 2.0).sum(Kind::Float);
            loss.backward();
            sgd.step(&mut p, 0.5);
            if expected.is_finite() {
                assert!((p[0].double_value(&[0]) - expected).abs() < 1e-6);
            }
        }
        // v₂ = 0.9 · 2.1 + 2 + 0.1 · (−0.05) = 3.885; p₂ = −0.05 − 0.5 · 3.885
        assert!((p[0].double_value(&[0]) + 1.9925).abs() < 1e-6);
    }
}
