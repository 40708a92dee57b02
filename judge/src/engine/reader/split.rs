//! Splits a graph in two at one of its values.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::{self, Tensor as TensorType};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto};

/// Returns whether a node of the graph produces `value`.
pub(super) fn has_value(graph: &GraphProto, value: &str) -> bool {
    graph.node.iter().any(|node| node.output.iter().any(|name| name == value))
}

/// Splits a model at the value `at`: into what `at` needs, for one image instead of a batch, and everything else, whose input is `at`
/// with floats of any shape. Constants are moved, not copied, unless both parts need them.
pub(super) fn split(mut model: ModelProto, at: &str) -> [ModelProto; 2] {
    let GraphProto { node, initializer, mut input, output, name, .. } =
        model.graph.take().unwrap_or_default();
    let mut needed = HashSet::from([at.to_owned()]);
    let (mut before, mut after): (Vec<NodeProto>, Vec<NodeProto>) = (vec![], vec![]);
    // A node comes after those that it reads from.
    for node in node.into_iter().rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            before.push(node);
        } else {
            after.push(node);
        }
    }
    let read: HashSet<&String> = after.iter().flat_map(|node| &node.input).collect();
    let (constants, mut own): (Vec<TensorProto>, Vec<TensorProto>) =
        initializer.into_iter().partition(|constant| read.contains(&constant.name));
    let (shared, only_after): (Vec<TensorProto>, Vec<TensorProto>) =
        constants.into_iter().partition(|constant| needed.contains(&constant.name));
    let mut constants = only_after;
    constants.extend(shared.iter().cloned());
    own.extend(shared);
    input.retain(|input| !own.iter().chain(&constants).any(|constant| constant.name == input.name));
    input.iter_mut().for_each(any_batch);
    before.reverse();
    after.reverse();
    let tile = GraphProto {
        node: before,
        initializer: own,
        input,
        output: vec![value(at)],
        name: name.clone(),
        ..GraphProto::default()
    };
    let frame = GraphProto {
        node: after,
        initializer: constants,
        input: vec![value(at)],
        output,
        name,
        ..GraphProto::default()
    };
    [tile, frame].map(|graph| ModelProto { graph: Some(graph), ..model.clone() })
}

/// Removes the length of an input's first axis.
fn any_batch(input: &mut ValueInfoProto) {
    let Some(type_proto::Value::TensorType(kind)) =
        input.r#type.as_mut().and_then(|kind| kind.value.as_mut())
    else {
        return;
    };
    if let Some(batch) = kind.shape.as_mut().and_then(|shape| shape.dim.first_mut()) {
        batch.value = None;
    }
}

/// Declares a value of floats.
fn value(name: &str) -> ValueInfoProto {
    let kind = TensorType { elem_type: DataType::Float as i32, shape: None };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(kind)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(kind), ..ValueInfoProto::default() }
}
