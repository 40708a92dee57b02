//! A convolution of the model: its geometry and its constants.

use kernels::bottleneck::BottleneckStage;
use kernels::{ConvSpec, Epilogue, Layout};
use tract_core::internal::*;
use tract_core::ops::cnn::Conv;

use super::shapes::{conv_spec, image_shape};

/// The first convolution reads an image with at most this many channels as planar, without a conversion.
const PLANAR_CHANNELS: usize = 4;

/// Geometry, weights and bias of a convolution that kernels may compute.
#[derive(Debug)]
pub(super) struct ConvConstants {
    spec: ConvSpec,
    weights: Arc<Tensor>,
    bias: Vec<f32>,
}

impl ConvConstants {
    /// Returns those of node `conv`; `None` if no kernel can compute it. A planar image with few channels is read as it is,
    /// any other channels last.
    pub fn of(
        model: &TypedModel,
        conv: usize,
        is_channels_last: impl Fn(OutletId) -> bool,
    ) -> TractResult<Option<Self>> {
        let node = model.node(conv);
        let (Some(conv), &[input, weights, bias]) = (node.op_as::<Conv>(), &node.inputs[..]) else {
            return Ok(None);
        };
        let constant = |outlet| -> TractResult<Option<Arc<Tensor>>> {
            let constant = model.outlet_fact(outlet)?.konst.clone();
            Ok(constant.filter(|constant| constant.datum_type() == f32::datum_type()))
        };
        let is_planar = !is_channels_last(input);
        let (Some(input), Some(weights), Some(bias)) =
            (image_shape(model, input)?, constant(weights)?, constant(bias)?)
        else {
            return Ok(None);
        };
        let Some(mut spec) = conv_spec(conv, input) else { return Ok(None) };
        if is_planar && spec.input.channels <= PLANAR_CHANNELS && !spec.depthwise {
            spec.layout = Layout::Planar;
        }
        let bias = match bias.try_as_plain_ram()?.as_slice::<f32>()? {
            &[single] => vec![single; spec.outputs],
            values => values.to_vec(),
        };
        Ok(Some(Self { spec, weights, bias }))
    }

    pub fn stage(&self, epilogue: Epilogue) -> TractResult<BottleneckStage<'_>> {
        let weights = self.weights.try_as_plain_ram()?.as_slice::<f32>()?;
        Ok(BottleneckStage { spec: self.spec, weights, bias: &self.bias, epilogue })
    }
}
