//! Converts tract's images, windows and padding for kernels.

use kernels::{ConvSpec, Shape};
use tract_core::internal::*;
use tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_core::ops::nn::DataFormat;

/// Returns the padding before and after, for both axes.
pub(super) fn padding(spec: &PoolSpec) -> Option<[[usize; 2]; 2]> {
    match &spec.padding {
        PaddingSpec::Valid => Some([[0, 0], [0, 0]]),
        // Windows that extend past the end would give another size.
        PaddingSpec::Explicit(before, after) | PaddingSpec::ExplicitOnnxPool(before, after, false) => {
            match (before.as_slice(), after.as_slice()) {
                (&[top, left], &[bottom, right]) => Some([[top, bottom], [left, right]]),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns the shape of one planar image; `None` for anything else.
pub(super) fn image_shape(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Shape>> {
    let fact = model.outlet_fact(outlet)?;
    let floats = fact.datum_type == f32::datum_type();
    Ok(match fact.shape.as_concrete() {
        Some(&[1, channels, height, width]) if floats => Some(Shape { height, width, channels }),
        _ => None,
    })
}

/// Returns the window of a pool or a convolution as a depthwise convolution's; `None` if no kernel has such a window.
pub(super) fn window_spec(spec: &PoolSpec, input: Shape) -> Option<ConvSpec> {
    let kernel: [usize; 2] = spec.kernel_shape.as_slice().try_into().ok()?;
    let stride: [usize; 2] = spec.strides().as_ref().try_into().ok()?;
    let plain = spec.data_format == DataFormat::NCHW && spec.dilations().iter().all(|&d| d == 1);
    let padding = padding(spec).filter(|_| plain)?;
    Some(ConvSpec { stride, padding, depthwise: true, ..ConvSpec::new(input, input.channels, kernel) })
}

/// Returns the geometry of a convolution; `None` if no kernel can compute its kind.
pub(super) fn conv_spec(conv: &Conv, input: Shape) -> Option<ConvSpec> {
    let spec = window_spec(&conv.pool_spec, input)?;
    let outputs = conv.pool_spec.output_channels;
    let depthwise = conv.group == input.channels && conv.group == outputs && conv.group > 1;
    let known = conv.q_params.is_none() && conv.kernel_fmt == KernelFormat::OIHW;
    (known && (conv.group == 1 || depthwise)).then_some(ConvSpec { outputs, depthwise, ..spec })
}
