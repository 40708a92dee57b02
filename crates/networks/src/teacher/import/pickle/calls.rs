//! The calls in a checkpoint's pickle.

use std::rc::Rc;

use super::{PickleValue, TensorRef, malformed};
use crate::teacher::WeightFileError;

/// Maximum number of a weight's axes.
const MAX_AXES: usize = 8;

/// What a call returns.
pub(super) enum Called {
    Value(PickleValue),
    /// A new dict, made of the pairs in this list if there is one.
    Dict(Option<PickleValue>),
}

/// Returns the type and key of a storage. torch refers to a storage by a persistent id: ("storage", type, key, device,
/// elements).
pub(super) fn storage(id: &PickleValue) -> Result<(Rc<str>, Rc<str>), WeightFileError> {
    if let PickleValue::Tuple(parts, _) = id
        && let [PickleValue::Text(word), PickleValue::Global(kind), PickleValue::Text(key), ..] = &parts[..]
        && &**word == "storage"
    {
        let kind = kind.strip_prefix("torch ").unwrap_or(kind);
        return Ok((kind.into(), key.clone()));
    }
    Err(malformed())
}

/// Returns the result of a call, for the calls that state dicts use.
pub(super) fn call(callable: &PickleValue, arguments: &PickleValue) -> Result<Called, WeightFileError> {
    let (PickleValue::Global(name), PickleValue::Tuple(arguments, _)) = (callable, arguments) else {
        return Ok(Called::Value(PickleValue::Opaque));
    };
    Ok(match &**name {
        "collections OrderedDict" => Called::Dict(arguments.first().cloned()),
        "torch._utils _rebuild_parameter" => Called::Value(arguments.first().cloned().ok_or_else(malformed)?),
        "torch._utils _rebuild_tensor_v2" => Called::Value(PickleValue::Tensor(Rc::new(tensor(arguments)?))),
        _ => Called::Value(PickleValue::Opaque),
    })
}

/// Parses the arguments (storage, offset, shape, strides, …).
fn tensor(arguments: &[PickleValue]) -> Result<TensorRef, WeightFileError> {
    let [PickleValue::Storage(kind, key), offset, shape, strides, ..] = arguments else {
        return Err(malformed());
    };
    let numbers = |value: &PickleValue| match value {
        PickleValue::Tuple(items, _) if items.len() <= MAX_AXES => {
            items.iter().map(count).collect::<Result<Vec<_>, _>>()
        }
        _ => Err(malformed()),
    };
    let (shape, strides) = (numbers(shape)?, numbers(strides)?);
    if shape.len() != strides.len() {
        return Err(malformed());
    }
    Ok(TensorRef { kind: kind.clone(), key: key.clone(), offset: count(offset)?, shape, strides })
}

fn count(value: &PickleValue) -> Result<usize, WeightFileError> {
    match value {
        PickleValue::Int(n) => usize::try_from(*n).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}
