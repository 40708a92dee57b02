//! The calls in a checkpoint's pickle.

use std::rc::Rc;

use super::{TensorRef, Value, malformed};
use crate::teacher::WeightFileError;

/// Maximum number of a weight's axes.
const MAX_AXES: usize = 8;

/// What a call returns.
pub(super) enum Called {
    Value(Value),
    /// A new dict, made of the pairs in this list if there is one.
    Dict(Option<Value>),
}

/// Returns the type and key of a storage. torch refers to a storage by a persistent id: ("storage", type, key, device,
/// elements).
pub(super) fn storage(id: &Value) -> Result<(Rc<str>, Rc<str>), WeightFileError> {
    if let Value::Tuple(parts, _) = id
        && let [Value::Text(word), Value::Global(kind), Value::Text(key), ..] = &parts[..]
        && &**word == "storage"
    {
        let kind = kind.strip_prefix("torch ").unwrap_or(kind);
        return Ok((kind.into(), key.clone()));
    }
    Err(malformed())
}

/// Returns the result of a call, for the calls that state dicts use.
pub(super) fn call(callable: &Value, arguments: &Value) -> Result<Called, WeightFileError> {
    let (Value::Global(name), Value::Tuple(arguments, _)) = (callable, arguments) else {
        return Ok(Called::Value(Value::Opaque));
    };
    Ok(match &**name {
        "collections OrderedDict" => Called::Dict(arguments.first().cloned()),
        "torch._utils _rebuild_parameter" => Called::Value(arguments.first().cloned().ok_or_else(malformed)?),
        "torch._utils _rebuild_tensor_v2" => Called::Value(Value::Tensor(Rc::new(tensor(arguments)?))),
        _ => Called::Value(Value::Opaque),
    })
}

/// Parses the arguments (storage, offset, shape, strides, …).
fn tensor(arguments: &[Value]) -> Result<TensorRef, WeightFileError> {
    let [Value::Storage(kind, key), offset, shape, strides, ..] = arguments else {
        return Err(malformed());
    };
    let numbers = |value: &Value| match value {
        Value::Tuple(items, _) if items.len() <= MAX_AXES => {
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

fn count(value: &Value) -> Result<usize, WeightFileError> {
    match value {
        Value::Int(n) => usize::try_from(*n).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}
