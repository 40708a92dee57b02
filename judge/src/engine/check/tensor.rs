//! Checks a constant's shape, type and bytes.

use tract_core::internal::*;
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

use super::{MAX_VALUES, is_end, is_size};

/// Maximum number of axes; no image has more.
const MAX_AXES: usize = 16;

pub(super) fn check(tensor: &TensorProto) -> TractResult<()> {
    let external = tensor.data_location == Some(DataLocation::External as i32);
    ensure!(
        !external && tensor.external_data.is_empty() && tensor.segment.is_none(),
        "its values are in another file; export the model as one file"
    );
    let count = count(&tensor.dims)?;
    let kind = DataType::try_from(tensor.data_type);
    let (size, listed) = match kind {
        Ok(DataType::Float) => (4, tensor.float_data.len()),
        Ok(DataType::Double) => (8, tensor.double_data.len()),
        Ok(DataType::Int64) => (8, tensor.int64_data.len()),
        Ok(DataType::Int32) => (4, tensor.int32_data.len()),
        Ok(DataType::Float16) => (2, tensor.int32_data.len()),
        Ok(DataType::Int8 | DataType::Uint8 | DataType::Bool) => (1, tensor.int32_data.len()),
        _ => bail!("ONNX data type {} is not supported", tensor.data_type),
    };
    let raw = tensor.raw_data.len();
    let fits = if raw > 0 { count.checked_mul(size) == Some(raw) } else { count == listed };
    ensure!(
        fits,
        "it has {raw} bytes and {listed} listed values, which does not match its shape {:?}",
        tensor.dims
    );
    if matches!(kind, Ok(DataType::Int64)) {
        integers(tensor).try_for_each(check_integer)?;
    }
    Ok(())
}

/// Returns the values of a tensor of 64-bit integers that has passed the check.
pub(super) fn integers(tensor: &TensorProto) -> impl Iterator<Item = i64> {
    let (raw, _) = tensor.raw_data.as_chunks();
    raw.iter().map(|&bytes| i64::from_le_bytes(bytes)).chain(tensor.int64_data.iter().copied())
}

/// Returns the number of values of a shape.
fn count(dims: &[i64]) -> TractResult<usize> {
    let product = dims.iter().try_fold(1_usize, |product, &side| {
        let side = usize::try_from(side).ok().filter(|&side| side <= MAX_VALUES)?;
        product.checked_mul(side).filter(|&product| product <= MAX_VALUES)
    });
    let count = product.filter(|_| dims.len() <= MAX_AXES);
    count.ok_or_else(|| format_err!("its shape {dims:?} exceeds {MAX_VALUES} values or {MAX_AXES} axes"))
}

fn check_integer(value: i64) -> TractResult<()> {
    ensure!(is_size(value) || is_end(value), "it contains {value}, which is not a valid size");
    Ok(())
}
