//! Checks a node's attributes: sizes must be plausible for an image, and lists must have as many values as there are
//! axes.

use tract_core::internal::*;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::{Values, is_end, is_size, tensor};

/// Maximum for sides of windows, strides, dilations and padding.
const MAX_SIDE: i64 = 4096;
/// Maximum number of values in a list, and of characters in a text.
const MAX_VALUES: usize = 4096;
/// Maximum number of axes of a window.
const MAX_AXES: usize = 3;

pub(super) fn check(node: &NodeProto, values: &Values<'_>) -> TractResult<()> {
    for (index, attribute) in node.attribute.iter().enumerate() {
        let name = &attribute.name;
        let earlier = &node.attribute[..index];
        ensure!(earlier.iter().all(|earlier| earlier.name != *name), "attribute `{name}` appears twice");
        check_attribute(node, attribute)?;
    }
    match node.op_type.as_str() {
        "MaxPool" | "AveragePool" => check_window(node, None, true),
        "Conv" | "ConvTranspose" => {
            let weights = node.input.get(1).and_then(|name| values.constant(name));
            let axes = weights.map(|weights| weights.dims.len().saturating_sub(2));
            check_window(node, axes, false)
        }
        "Transpose" => check_permutation(ints(node, "perm")),
        "Pad" => check_padding(node, values),
        _ => Ok(()),
    }
}

fn check_attribute(node: &NodeProto, attribute: &AttributeProto) -> TractResult<()> {
    let name = &attribute.name;
    let kind = AttributeType::try_from(attribute.r#type).unwrap_or(AttributeType::Undefined);
    let count = attribute.ints.len().max(attribute.floats.len()).max(attribute.s.len());
    ensure!(count <= MAX_VALUES, "attribute `{name}` has {count} values; the maximum is {MAX_VALUES}");
    match kind {
        AttributeType::Float | AttributeType::Floats | AttributeType::String => Ok(()),
        AttributeType::Int => check_integer(node, name, attribute.i),
        AttributeType::Ints => attribute.ints.iter().try_for_each(|&value| check_integer(node, name, value)),
        AttributeType::Tensor => {
            let value = attribute.t.as_ref().with_context(|| format!("attribute `{name}` has no tensor"))?;
            tensor::check(value).with_context(|| format!("attribute `{name}`"))
        }
        _ => {
            bail!("attribute `{name}` is a graph or of another unsupported type; export the model without it")
        }
    }
}

fn check_integer(node: &NodeProto, name: &str, value: i64) -> TractResult<()> {
    let fits = match name {
        "kernel_shape" | "strides" | "dilations" | "blocksize" => (1..=MAX_SIDE).contains(&value),
        "pads" | "output_padding" => (0..=MAX_SIDE).contains(&value),
        "group" | "num_groups" => (1..=1 << 20).contains(&value),
        "axis" | "axes" | "perm" => (-16..16).contains(&value),
        "starts" | "ends" | "value_int" | "value_ints" if is_end(value) => true,
        _ => is_size(value),
    };
    ensure!(fits, "attribute `{name}` is {value}, which {} does not accept", node.op_type);
    Ok(())
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    let found = node.attribute.iter().find(|attribute| attribute.name == name)?;
    (found.r#type == AttributeType::Ints as i32).then_some(found.ints.as_slice())
}

/// Checks that a window has a side for every axis, and as many strides, dilations and paddings.
fn check_window(node: &NodeProto, axes: Option<usize>, is_pool: bool) -> TractResult<()> {
    let kernel = ints(node, "kernel_shape");
    ensure!(!is_pool || kernel.is_some(), "attribute `kernel_shape` is missing");
    let Some(axes) = kernel.map(<[i64]>::len).or(axes) else { return Ok(()) };
    ensure!((1..=MAX_AXES).contains(&axes), "its window has {axes} axes; expected 1 to {MAX_AXES}");
    for (name, of_each) in [("strides", 1), ("dilations", 1), ("output_padding", 1), ("pads", 2)] {
        let found = ints(node, name).map_or(of_each * axes, <[i64]>::len);
        ensure!(found == of_each * axes, "attribute `{name}` has {found} values for {axes} axes");
    }
    let (Some(kernel), Some(pads)) = (kernel.filter(|_| is_pool), ints(node, "pads")) else { return Ok(()) };
    let dilations = ints(node, "dilations");
    for (index, &padding) in pads.iter().enumerate() {
        let axis = index % axes;
        let side = (kernel[axis] - 1) * dilations.map_or(1, |dilations| dilations[axis]) + 1;
        ensure!(padding < side, "its padding of {padding} is not smaller than its window of {side}");
    }
    Ok(())
}

fn check_permutation(order: Option<&[i64]>) -> TractResult<()> {
    let Some(order) = order else { return Ok(()) };
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    ensure!(
        sorted.into_iter().eq(0..order.len() as i64),
        "attribute `perm` {order:?} is not a permutation of its axes"
    );
    Ok(())
}

/// Padding by a constant has the same bounds as a window's; tract refuses any other.
fn check_padding(node: &NodeProto, values: &Values<'_>) -> TractResult<()> {
    let Some(pads) = node.input.get(1).and_then(|name| values.constant(name)) else { return Ok(()) };
    let large = tensor::integers(pads).find(|pad| pad.unsigned_abs() > MAX_SIDE as u64);
    ensure!(large.is_none(), "its padding of {} is too large", large.unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_goes_on_to_the_end_in_each_way_that_it_is_written() {
        let node = NodeProto { op_type: "Slice".to_owned(), ..NodeProto::default() };
        for end in [i64::MAX, i64::MIN, -i64::MAX] {
            for name in ["starts", "ends", "value_int", "value_ints"] {
                check_integer(&node, name, end).unwrap();
                check_integer(&node, name, end / 2).unwrap_err();
            }
            check_integer(&node, "axis", end).unwrap_err();
            let tensor = tract_onnx::pb::TensorProto {
                dims: vec![1],
                data_type: tract_onnx::pb::tensor_proto::DataType::Int64 as i32,
                int64_data: vec![end],
                ..Default::default()
            };
            tensor::check(&tensor).unwrap();
        }
    }
}
