//! An affine coupling block with a rotation before it.

use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use super::encoding::ENCODED;
use super::options::Context;
use crate::torch::{load_tensor, to_array};

/// The scale's logarithm stays within ± this (soft clamping, as in CFLOW-AD).
pub const CLAMP: f64 = 1.9;
/// Bounds of the hidden channels of a block that knows the position.
const HIDDEN: [usize; 2] = [64, 512];

/// The shape of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouplingLayout {
    /// Channels of the level.
    pub channels: usize,
    /// What the block knows.
    pub context: Context,
}

impl CouplingLayout {
    /// Returns the number of channels that pass unchanged.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.channels / 2
    }

    /// Returns the number of channels that are scaled and shifted.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.channels - self.kept()
    }

    /// Returns the side of the square kernels.
    #[must_use]
    pub fn kernel(&self) -> usize {
        if self.context == Context::Position { 1 } else { 3 }
    }

    /// Returns whether the block knows the position.
    #[must_use]
    pub fn knows_position(&self) -> bool {
        self.context != Context::Neighbours
    }

    /// Returns the number of hidden channels.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self.context {
            Context::Position => (2 * self.channels).clamp(HIDDEN[0], HIDDEN[1]),
            Context::Neighbours | Context::Both => self.changed(),
        }
    }
}

/// A block: x ↦ (a, b · exp(s) + t), with (a, b) = R x, R a fixed rotation, and (u, t) = conv(relu(conv(a) + position)), s = c tanh(u / c).
#[derive(Debug)]
pub struct Coupling {
    layout: CouplingLayout,
    /// R, channels × channels.
    pub rotation: Tensor,
    /// Weight and bias of the first convolution.
    pub first: [Tensor; 2],
    /// Weight and bias of the second, whose first half of outputs is u and whose second half is t.
    pub second: [Tensor; 2],
    /// The weights of a row's and of a column's encoding, hidden × [`ENCODED`] each.
    pub position: Option<[Tensor; 2]>,
}

impl Coupling {
    /// Creates a block that only rotates: its second convolution is 0. Uses libtorch's global generator.
    #[must_use]
    pub fn new(layout: CouplingLayout, kind: Kind, device: Device) -> Self {
        let [channels, kept, hidden, kernel] =
            [layout.channels, layout.kept(), layout.hidden(), layout.kernel()].map(|n| n as i64);
        let outputs = 2 * layout.changed() as i64;
        let random = |shape: &[i64], inputs: i64| {
            let values = Tensor::randn(shape, (Kind::Double, Device::Cpu)) / (inputs as f64).sqrt();
            values.to_kind(kind).to_device(device).set_requires_grad(true)
        };
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (kind, device)).set_requires_grad(true);
        let square = Tensor::randn([channels, channels], (Kind::Double, Device::Cpu));
        let (rotation, _) = Tensor::linalg_qr(&square, "reduced");
        let encoded = ENCODED as i64;
        Self {
            layout,
            rotation: rotation.to_kind(kind).to_device(device),
            first: [random(&[hidden, kept, kernel, kernel], kept * kernel * kernel), zeros(&[hidden])],
            second: [zeros(&[outputs, hidden, kernel, kernel]), zeros(&[outputs])],
            position: layout.knows_position().then(|| {
                // The squares of an encoding's values add up to half their number.
                [(); 2].map(|()| random(&[hidden, encoded], encoded))
            }),
        }
    }

    /// Returns the layout.
    #[must_use]
    pub fn layout(&self) -> CouplingLayout {
        self.layout
    }

    /// Transforms x, N×C×h×w; also returns the logarithm of the Jacobian's determinant as a sum over positions: its summands, N×1×h×w.
    pub fn forward(&self, x: &Tensor, encodings: &[Tensor; 2]) -> [Tensor; 2] {
        let [a, b] = self.halves(&x.conv2d(
            &self.rotation.unsqueeze(-1).unsqueeze(-1),
            None::<Tensor>,
            [1, 1],
            [0, 0],
            [1, 1],
            1,
        ));
        let [scale, shift] = self.scale_and_shift(&a, encodings);
        let log_determinant = scale.sum_dim_intlist([1i64].as_slice(), true, scale.kind());
        [Tensor::cat(&[a, b * scale.exp() + shift], 1), log_determinant]
    }

    /// Inverts [`Self::forward`].
    pub fn inverse(&self, y: &Tensor, encodings: &[Tensor; 2]) -> Tensor {
        let [a, b] = self.halves(y);
        let [scale, shift] = self.scale_and_shift(&a, encodings);
        let rotated = Tensor::cat(&[a, (b - shift) * (-scale).exp()], 1);
        rotated.conv2d(
            &self.rotation.tr().unsqueeze(-1).unsqueeze(-1),
            None::<Tensor>,
            [1, 1],
            [0, 0],
            [1, 1],
            1,
        )
    }

    fn halves(&self, x: &Tensor) -> [Tensor; 2] {
        let [kept, changed] = [self.layout.kept() as i64, self.layout.changed() as i64];
        [x.narrow(1, 0, kept), x.narrow(1, kept, changed)]
    }

    /// Computes s and t from the channels that are kept.
    fn scale_and_shift(&self, a: &Tensor, encodings: &[Tensor; 2]) -> [Tensor; 2] {
        let padding = [self.layout.kernel() as i64 / 2; 2];
        let convolved = |x: &Tensor, [weight, bias]: &[Tensor; 2]| {
            x.conv2d(weight, Some(bias), [1, 1], padding, [1, 1], 1)
        };
        let mut hidden = convolved(a, &self.first);
        if let Some([row, column]) = self.position_terms(encodings) {
            hidden = hidden + row + column;
        }
        let both = convolved(&hidden.relu_(), &self.second);
        let changed = self.layout.changed() as i64;
        let scale = (both.narrow(1, 0, changed) / CLAMP).tanh() * CLAMP;
        [scale, both.narrow(1, changed, changed)]
    }

    /// Returns what rows and columns add to the hidden channels: 1×hidden×h×1 and 1×hidden×1×w. A linear layer on the encoding of a position
    /// is the sum of one on its row's and one on its column's.
    #[must_use]
    pub fn position_terms(&self, [rows, columns]: &[Tensor; 2]) -> Option<[Tensor; 2]> {
        let [row, column] = self.position.as_ref()?;
        Some([row.matmul(rows).unsqueeze(0).unsqueeze(3), column.matmul(columns).unsqueeze(0).unsqueeze(2)])
    }

    /// Returns the parameters, in a fixed order.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.first.iter().chain(&self.second).chain(self.position.iter().flatten())
    }

    /// Returns the parameters, in the order of [`Self::parameters`].
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.first.iter_mut().chain(&mut self.second).chain(self.position.iter_mut().flatten())
    }

    /// Adds every tensor to `state`, its name prefixed with `prefix`.
    pub fn add_to(&self, state: &mut Weights, prefix: &str) {
        let tensors = self.parameters().chain([&self.rotation]);
        for (name, tensor) in self.names().zip(tensors) {
            state.insert(format!("{prefix}{name}"), to_array(tensor));
        }
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights, prefix: &str) -> Result<(), StateError> {
        let names: Vec<&str> = self.names().collect();
        load_tensor(state, &format!("{prefix}rotation"), &mut self.rotation)?;
        for (name, tensor) in names.into_iter().zip(self.parameters_mut()) {
            load_tensor(state, &format!("{prefix}{name}"), tensor)?;
        }
        Ok(())
    }

    /// Returns the names of the parameters, in order, and the rotation's.
    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let position = self.position.iter().flat_map(|_| ["rows", "columns"]).collect::<Vec<_>>();
        ["first.weight", "first.bias", "second.weight", "second.bias"]
            .into_iter()
            .chain(position)
            .chain(["rotation"])
    }
}
