//! The flow of one level of the teacher.

use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use super::coupling::{Coupling, CouplingLayout};
use super::encoding::encoding;
use super::options::{Context, Options};
use super::whitening::Whitening;

/// The shape of a level's flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelLayout {
    /// Channels of the level.
    pub channels: usize,
    /// Rows and columns of the level.
    pub grid: [usize; 2],
    /// What a block knows.
    pub context: Context,
    /// Number of blocks.
    pub couplings: usize,
}

impl LevelLayout {
    /// Returns the layout for a level of this shape, 1×C×h×w.
    #[must_use]
    pub fn of(options: &Options, shape: &[usize]) -> Self {
        let side = |axis: usize| shape.get(axis).copied().unwrap_or_default();
        Self {
            channels: side(1),
            grid: [side(2), side(3)],
            context: options.context,
            couplings: options.couplings.into(),
        }
    }
}

/// A flow from a level's features to a standard Gaussian.
#[derive(Debug)]
pub struct LevelFlow {
    /// The fixed first step.
    pub whitening: Whitening,
    /// The blocks, in order.
    pub couplings: Vec<Coupling>,
    /// The encodings of rows and of columns.
    pub encodings: [Tensor; 2],
    channels: usize,
}

impl LevelFlow {
    /// Creates a flow without whitening whose blocks only rotate. Uses libtorch's global generator.
    #[must_use]
    pub fn new(layout: LevelLayout, kind: Kind, device: Device) -> Self {
        let LevelLayout { channels, grid, context, couplings } = layout;
        let coupling = |_| Coupling::new(CouplingLayout { channels, context }, kind, device);
        Self {
            whitening: Whitening::identity(channels, kind, device),
            couplings: (0..couplings).map(coupling).collect(),
            encodings: grid.map(|length| encoding(length).to_kind(kind).to_device(device)),
            channels,
        }
    }

    /// Returns the number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Transforms features (N×C×h×w) to the Gaussian's; also returns the summands of the logarithm of the Jacobian's determinant, N×1×h×w,
    /// without the whitening's, which is constant.
    pub fn forward(&self, features: &Tensor) -> [Tensor; 2] {
        let x = self.whitening.forward(features);
        let none = x.narrow(1, 0, 1).zeros_like();
        self.couplings.iter().fold([x, none], |[x, sum], coupling| {
            let [y, log_determinant] = coupling.forward(&x, &self.encodings);
            [y, sum + log_determinant]
        })
    }

    /// Computes the negative log-likelihood at each position, for each channel, up to a constant: N×1×h×w.
    pub fn negative_log_likelihood(&self, features: &Tensor) -> Tensor {
        let [z, log_determinant] = self.forward(features);
        let squares = z.square().sum_dim_intlist([1i64].as_slice(), true, z.kind());
        (squares * 0.5 - log_determinant) / self.channels as f64
    }

    /// Returns the parameters, in a fixed order.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.couplings.iter().flat_map(Coupling::parameters)
    }

    /// Returns the parameters, in the order of [`Self::parameters`].
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.couplings.iter_mut().flat_map(Coupling::parameters_mut)
    }

    /// Adds every tensor to `state`, its name prefixed with `prefix`.
    pub fn add_to(&self, state: &mut Weights, prefix: &str) {
        self.whitening.add_to(state, &format!("{prefix}whitening."));
        for (index, coupling) in self.couplings.iter().enumerate() {
            coupling.add_to(state, &format!("{prefix}coupling_{}.", index + 1));
        }
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights, prefix: &str) -> Result<(), StateError> {
        self.whitening.load(state, &format!("{prefix}whitening."))?;
        for (index, coupling) in self.couplings.iter_mut().enumerate() {
            coupling.load(state, &format!("{prefix}coupling_{}.", index + 1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Context; 3] = [Context::Position, Context::Neighbours, Context::Both];

    /// Returns a flow in 64-bit floats whose blocks scale and shift, some up to the clamp.
    fn flow(context: Context, channels: usize, grid: [usize; 2]) -> LevelFlow {
        tch::manual_seed(11);
        let layout = LevelLayout { channels, grid, context, couplings: 3 };
        let mut flow = LevelFlow::new(layout, Kind::Double, Device::Cpu);
        tch::no_grad(|| {
            for coupling in &mut flow.couplings {
                let _ = coupling.second.iter_mut().map(|x| x.normal_(0.0, 0.5)).collect::<Vec<_>>();
            }
        });
        flow
    }

    fn features(channels: usize, [rows, columns]: [usize; 2]) -> Tensor {
        Tensor::randn([1, channels as i64, rows as i64, columns as i64], (Kind::Double, Device::Cpu))
    }

    #[test]
    fn the_determinant_is_that_of_the_jacobian() {
        // An odd number of channels has halves of different lengths.
        for (channels, grid) in [(4, [2, 3]), (5, [3, 2])] {
            for context in ALL {
                let flow = flow(context, channels, grid);
                let x = features(channels, grid).set_requires_grad(true);
                let [z, log_determinant] = flow.forward(&x);
                let z = z.flatten(0, -1);
                let count = z.size()[0];
                let rows: Vec<Tensor> = (0..count)
                    .map(|output| {
                        Tensor::run_backward(&[z.get(output)], &[&x], true, false).remove(0).flatten(0, -1)
                    })
                    .collect();
                let (_, by_autograd) = Tensor::stack(&rows, 0).slogdet();
                let [ours, autograd] =
                    [log_determinant.sum(Kind::Double), by_autograd].map(|x| x.double_value(&[]));
                assert!((ours - autograd).abs() < 1e-9, "{context:?}: {ours} against {autograd}");
                assert!(ours.abs() > 0.1, "{context:?}: the blocks don't scale");
            }
        }
    }

    #[test]
    fn every_block_can_be_inverted() {
        for context in ALL {
            let flow = flow(context, 6, [4, 5]);
            let x = features(6, [4, 5]);
            let [z, _] = flow.forward(&x);
            let back =
                flow.couplings.iter().rev().fold(z.shallow_clone(), |z, c| c.inverse(&z, &flow.encodings));
            let difference = (&back - &x).abs().max().double_value(&[]);
            assert!(difference < 1e-10, "{context:?}: {difference:e}");
            assert!((z - x).abs().max().double_value(&[]) > 0.1);
        }
    }

    #[test]
    fn a_scale_is_clamped_softly_whatever_the_features() {
        let flow = flow(Context::Position, 6, [4, 5]);
        let [z, log_determinant] = flow.forward(&(features(6, [4, 5]) * 1e6));
        // Three channels are scaled in each of three blocks.
        let largest = log_determinant.abs().max().double_value(&[]);
        assert!(largest <= 9.0 * super::super::coupling::CLAMP + 1e-9, "{largest}");
        assert!(z.isfinite().all().int64_value(&[]) == 1);
    }

    #[test]
    fn the_position_changes_the_likelihood_only_if_it_is_known() {
        for context in [Context::Position, Context::Neighbours] {
            let flow = flow(context, 4, [16, 16]);
            let x = features(4, [1, 1]).expand([1, 4, 16, 16], false);
            let seen = flow.negative_log_likelihood(&x);
            // Six convolutions reach six positions far; the padding is farther away.
            let [here, there] = [[0, 0, 7, 7], [0, 0, 7, 8]].map(|at| seen.double_value(&at));
            let differ = (here - there).abs() > 1e-6;
            assert_eq!(differ, context == Context::Position, "{context:?}: {here} and {there}");
        }
    }

    #[test]
    fn a_saved_flow_is_the_same_flow() {
        let layout = LevelLayout { channels: 5, grid: [3, 4], context: Context::Both, couplings: 2 };
        let flow = LevelFlow::new(layout, Kind::Float, Device::Cpu);
        let mut state = Weights::new();
        flow.add_to(&mut state, "level_1.");
        let mut other = LevelFlow::new(layout, Kind::Float, Device::Cpu);
        other.load(&state, "level_1.").unwrap();
        let mut again = Weights::new();
        other.add_to(&mut again, "level_1.");
        assert!(state == again);
        state.remove("level_1.coupling_2.rows");
        let missing = other.load(&state, "level_1.").unwrap_err();
        assert_eq!(missing, StateError::missing("level_1.coupling_2.rows"));
    }
}
