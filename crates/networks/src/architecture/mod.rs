//! Convolutional networks as data: one description serves training (libtorch), export (ONNX) and weight import.

mod autoencoder;
mod chain;
mod codec;
mod efficientnet_lite;
mod export;
mod fold;
mod negligible;
mod pdn;
mod resnet;
mod trunk;

pub use autoencoder::{AutoencoderGrid, autoencoder};
pub use chain::{Chain, ChainConstants, ChainConv, ChainStep};
pub use codec::{feature_decoder, feature_encoder, head, picture_decoder, picture_encoder};
pub use efficientnet_lite::EfficientNetLite;
pub use export::{normalise, to_onnx};
pub use fold::{FoldError, fold};
pub use negligible::without_negligible;
pub use pdn::{PdnSize, name_sequential};
pub use resnet::ResNet;
pub use trunk::trunk_student;

/// The activation after a convolution or an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// A convolution followed by BatchNorm and an activation. After [`fold`] the BatchNorm is part of weight and bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// Name in the published weights; `{name}.weight` has shape out × in/groups × kernel × kernel.
    pub name: String,
    /// The BatchNorm's name in the published weights; empty if there is none.
    pub norm: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Stride on both axes.
    pub stride: usize,
    /// Zero padding before and after, the same on both axes.
    pub pads: (usize, usize),
    /// Channel groups; equal to `inputs` for a depthwise convolution.
    pub groups: usize,
    /// The activation that follows.
    pub activation: Activation,
}

impl Conv {
    /// Returns the shape of the weight: out × in/groups × kernel × kernel.
    #[must_use]
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel, self.kernel]
    }
}

/// One step of a network. `from`, `a` and `b` count values: 0 is the network's input, `i + 1` the result of layer `i`.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Convolution, BatchNorm, activation.
    Conv {
        /// The value it reads.
        from: usize,
        /// Its parameters.
        conv: Conv,
    },
    /// Maximum pooling.
    MaxPool {
        /// The value it reads.
        from: usize,
        /// Side of the square window.
        kernel: usize,
        /// Stride on both axes.
        stride: usize,
        /// Padding on all sides.
        padding: usize,
    },
    /// The mean of each 2×2 window, stride 2; the zeros of the padding count.
    AveragePool {
        /// The value it reads.
        from: usize,
        /// Zero padding on all sides.
        padding: usize,
    },
    /// Residual addition.
    Add {
        /// The first summand.
        a: usize,
        /// The second summand.
        b: usize,
        /// The activation that follows.
        activation: Activation,
    },
}

/// A backbone: from an RGB image (0..1, N×3×H×W, sides multiples of 32) to feature levels of decreasing resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The architecture's name, such as `resnet18`.
    pub name: &'static str,
    /// Subtracted from each channel of the image before the first layer.
    pub mean: [f32; 3],
    /// Divides each channel of the image after the mean is subtracted.
    pub std: [f32; 3],
    /// Added to the variance by every BatchNorm.
    pub norm_epsilon: f32,
    /// The steps, in order.
    pub layers: Vec<Layer>,
    /// The values that are the feature levels, finest first.
    pub levels: Vec<usize>,
}

impl Network {
    /// Returns the architecture with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|network| network.name == name)
    }

    /// Returns every architecture that can be a teacher.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Self::backbones();
        all.extend(PdnSize::ALL.map(PdnSize::teacher));
        all
    }

    /// Returns the architectures with BatchNorm and several levels, known from image classification.
    #[must_use]
    pub fn backbones() -> Vec<Self> {
        let residual = ResNet::ALL.into_iter().map(ResNet::network);
        residual.chain(EfficientNetLite::ALL.into_iter().map(EfficientNetLite::network)).collect()
    }

    /// Returns the convolutions, in order.
    pub fn convs(&self) -> impl Iterator<Item = &Conv> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Conv { conv, .. } => Some(conv),
            _ => None,
        })
    }

    /// Returns the channels of a value; `None` if there is no such value.
    #[must_use]
    pub fn channels(&self, value: usize) -> Option<usize> {
        match value.checked_sub(1) {
            None => Some(3),
            Some(layer) => match self.layers.get(layer)? {
                Layer::Conv { conv, .. } => Some(conv.outputs),
                Layer::MaxPool { from, .. } | Layer::AveragePool { from, .. } => self.channels(*from),
                Layer::Add { a, .. } => self.channels(*a),
            },
        }
    }

    /// Returns whether a value is never below 0.
    #[must_use]
    pub fn is_rectified(&self, value: usize) -> bool {
        match value.checked_sub(1).and_then(|layer| self.layers.get(layer)) {
            Some(Layer::Conv { conv: Conv { activation, .. }, .. } | Layer::Add { activation, .. }) => {
                *activation != Activation::None
            }
            Some(Layer::MaxPool { from, .. } | Layer::AveragePool { from, .. }) => self.is_rectified(*from),
            None => false,
        }
    }

    /// Appends a convolution and returns the index of its value.
    fn push_conv(&mut self, from: usize, conv: Conv) -> usize {
        self.push(Layer::Conv { from, conv })
    }

    /// Appends a layer and returns the index of its value.
    fn push(&mut self, layer: Layer) -> usize {
        self.layers.push(layer);
        self.layers.len()
    }
}
