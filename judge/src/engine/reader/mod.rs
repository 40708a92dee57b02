//! Reads ONNX bytes into tract's typed graph, for one fixed input shape.

mod limits;
mod simplify;
mod split;

use std::collections::HashSet;

use prost::Message;
use prost::bytes::Bytes;
use tract_core::internal::*;
use tract_onnx::Onnx;
use tract_onnx::model::ParseResult;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::type_proto::{self, Tensor as TensorType};
use tract_onnx::pb::{GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto};
use tract_onnx::tract_hir::infer::InferenceModelExt;

use super::{EngineError, check, describe_shape, in_one_line};

/// A model that has been read.
pub(super) struct ParsedModel {
    pub(super) model: TypedModel,
    /// Per frame.
    pub(super) multiply_adds: u64,
}

/// Decodes a model and checks everything that needs no shapes. The bytes are freed as soon as they have been decoded.
///
/// # Errors
/// [`EngineError::Model`]: not ONNX, or an unsupported feature.
pub(super) fn decode(onnx: Vec<u8>) -> Result<ModelProto, EngineError> {
    // Prost copies every constant twice from a slice, once from `Bytes`. The bytes, the constants and the packed weights together would
    // not fit into a small board's memory, so the bytes are given away.
    let proto =
        ModelProto::decode(Bytes::from(onnx)).map_err(|error| EngineError::Model(error.to_string()))?;
    check::model(&proto).map_err(unreadable)?;
    Ok(proto)
}

/// Returns whether the model has an output of this name.
pub(super) fn has_output(model: &ModelProto, name: &str) -> bool {
    model.graph.iter().flat_map(|graph| &graph.output).any(|output| output.name == name)
}

/// Splits a model for all tiles of a frame, whose only input is `input` (tiles, channels, height, width), at the value `at`: into a
/// model from one tile to `at`, and one from all tiles' `at` to the model's outputs. Returns the whole model if it has no such value.
///
/// # Errors
/// [`EngineError`]: a different input, or the second part needs more than the first one's result.
pub(super) fn split(mut model: ModelProto, input: [usize; 4], at: &str) -> Result<SplitModel, EngineError> {
    let Some(graph) = model.graph.as_mut().filter(|graph| split::has_value(graph, at)) else {
        return Ok(SplitModel::Whole(Box::new(model)));
    };
    declared_input(graph, input)?;
    let [tile, frame] = split::split(model, at);
    check::model(&frame).map_err(unreadable)?;
    Ok(SplitModel::Parts(Box::new(tile), Box::new(frame)))
}

/// A model for the tiles of a frame.
pub(super) enum SplitModel {
    /// It judges one tile.
    Whole(Box<ModelProto>),
    /// The parts for a tile and for the frame.
    Parts(Box<ModelProto>, Box<ModelProto>),
}

/// Reads a model whose only input is `input` (batch, channels, height, width), as far as the named `outputs` need it.
///
/// # Errors
/// [`EngineError`]: a feature that no machine could compute, a different input, or a missing output.
pub(super) fn read(
    mut proto: ModelProto,
    input: [usize; 4],
    outputs: &[&str],
) -> Result<ParsedModel, EngineError> {
    let Some(graph) = &mut proto.graph else {
        return Err(EngineError::Model("it has no graph".to_owned()));
    };
    let input = declared_input(graph, input)?;
    let declared: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    normalise_graph(graph, input);
    let ParseResult { mut model, outlets_by_name, .. } =
        framework().parse(&proto, None).map_err(unreadable)?;
    drop(proto);
    let outlets = outputs
        .iter()
        .map(|&name| outlets_by_name.get(name).copied().ok_or_else(|| missing(name, &declared)));
    let outlets: Vec<OutletId> = outlets.collect::<Result<_, _>>()?;
    model.select_output_outlets(&outlets).map_err(unreadable)?;
    let model = model.into_typed().and_then(|model| simplify::simplify(&model)).map_err(unreadable)?;
    let multiply_adds = limits::count_multiply_adds(&model).map_err(unreadable)?;
    Ok(ParsedModel { model, multiply_adds })
}

fn unreadable(error: TractError) -> EngineError {
    EngineError::Model(in_one_line(&error))
}

fn missing(wanted: &str, declared: &[String]) -> EngineError {
    let names: Vec<String> = declared.iter().map(|name| format!("`{name}`")).collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    EngineError::OutputMissing { wanted: wanted.to_owned(), found }
}

/// Returns tract's reader, with every operator within [`limits`].
fn framework() -> Onnx {
    let mut framework = tract_onnx::onnx();
    framework.op_register = limits::wrap_operators(framework.op_register);
    framework
}

/// Returns the graph's only input that is not a constant, with the shape `wanted` if it accepts that.
fn declared_input(graph: &GraphProto, wanted: [usize; 4]) -> Result<ValueInfoProto, EngineError> {
    // Older files list their constants among the inputs as well.
    let constants: HashSet<&str> = graph.initializer.iter().map(|constant| constant.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
    let inputs: Vec<&ValueInfoProto> = inputs.collect();
    let &[input] = inputs.as_slice() else {
        return Err(EngineError::Input(format!("{} inputs", inputs.len())));
    };
    let Some(type_proto::Value::TensorType(kind)) =
        input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Err(EngineError::Input("an input that is not a tensor".to_owned()));
    };
    if kind.elem_type != DataType::Float as i32 {
        return Err(EngineError::Input(format!("an input of ONNX data type {}", kind.elem_type)));
    }
    // Dimensions without a value (an exported batch size, for example) take the recipe's.
    let dims = kind.shape.iter().flat_map(|shape| &shape.dim).map(|dim| match dim.value {
        Some(dimension::Value::DimValue(side)) => Some(side),
        _ => None,
    });
    let takes = |(dim, want): (Option<i64>, usize)| dim.is_none_or(|side| side == want as i64);
    let rank = kind.shape.as_ref().map_or(wanted.len(), |shape| shape.dim.len());
    if rank != wanted.len() || !dims.clone().zip(wanted).all(takes) {
        let model: Vec<String> =
            dims.map(|dim| dim.map_or_else(|| "?".to_owned(), |side| side.to_string())).collect();
        return Err(EngineError::InputShape { model: model.join("×"), recipe: describe_shape(&wanted) });
    }
    let value = |side: usize| Some(dimension::Value::DimValue(side as i64));
    let dim = wanted.map(|side| Dimension { value: value(side), ..Dimension::default() }).to_vec();
    let kind = TensorType { elem_type: kind.elem_type, shape: Some(TensorShapeProto { dim }) };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(kind)), ..TypeProto::default() };
    Ok(ValueInfoProto { r#type: Some(kind), ..input.clone() })
}

/// Removes from the messages what the engine infers by itself, and gives every node the name of its result, by which
/// people know it.
fn normalise_graph(graph: &mut GraphProto, input: ValueInfoProto) {
    graph.input = vec![input];
    graph.value_info.clear();
    for output in &mut graph.output {
        output.r#type = None;
    }
    for node in &mut graph.node {
        // tract wants all of an operator's outputs, ONNX lists only those that are read.
        if node.op_type == "TopK" {
            let unread =
                node.output.iter().find(|name| !name.is_empty()).map(|name| format!("{name}.unread"));
            node.output.resize_with(2, String::new);
            node.output.iter_mut().filter(|name| name.is_empty()).for_each(|name| {
                name.clone_from(unread.as_ref().unwrap_or(&node.name));
            });
        }
        if let Some(result) = node.output.iter().find(|name| !name.is_empty()) {
            node.name.clone_from(result);
        }
    }
}
