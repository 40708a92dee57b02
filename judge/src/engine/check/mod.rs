//! Checks an ONNX model before tract reads it.
//!
//! tract indexes, divides and allocates by what the file says: a pool without a window, padding of 2⁶¹ or a side of 2⁴⁰
//! makes it panic, run forever or abort the program. Everything that a file can say is bounded here, from the messages
//! alone; what only becomes known with the shapes is left to [`reader`](super::reader).

mod attributes;
mod operators;
mod tensor;

use std::collections::HashMap;

use tract_core::internal::*;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

/// Maximum number of nodes, of inputs, and of constants in a model. The largest networks of the field have a few thousand.
const MAX_NODES: usize = 10_000;
/// The supported versions of ONNX's operator set. Older ones have different rules for broadcasting.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 7..=24;
/// Maximum number of values in a tensor: a gigabyte of 32-bit floats.
pub(super) const MAX_VALUES: usize = 1 << 28;

/// Returns whether an integer can be a size or a position: larger ones are not meaningful in any operator.
const fn is_size(value: i64) -> bool {
    value.unsigned_abs() <= i32::MAX as u64
}

/// Returns whether an integer means that a slice extends to the end: one of the two extremes or, as torch writes it, the
/// one next to the lowest.
const fn is_end(value: i64) -> bool {
    value.unsigned_abs() >= i64::MAX as u64
}

/// Checks everything except the shapes of the inputs.
///
/// # Errors
/// The problem, with the name of the node or constant.
pub(super) fn model(model: &ModelProto) -> TractResult<()> {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let set = model.opset_import.iter().find(|set| standard(&set.domain)).map(|set| set.version);
    ensure!(
        set.is_some_and(|set| OPERATOR_SETS.contains(&set)),
        "it uses operator set {}; sets {} to {} are supported",
        set.map_or_else(|| "none".to_owned(), |set| set.to_string()),
        OPERATOR_SETS.start(),
        OPERATOR_SETS.end()
    );
    ensure!(model.functions.is_empty(), "it defines functions; export it with the functions inlined");
    graph(model.graph.as_ref().context("it has no graph")?)
}

fn graph(graph: &GraphProto) -> TractResult<()> {
    let (nodes, inputs, constants) = (graph.node.len(), graph.input.len(), graph.initializer.len());
    ensure!(
        nodes.max(inputs).max(constants) <= MAX_NODES,
        "it has {nodes} nodes, {inputs} inputs and {constants} constants; the maximum is {MAX_NODES} each"
    );
    ensure!(graph.sparse_initializer.is_empty(), "it has sparse constants, which are not supported");
    let mut values = Values::default();
    for constant in &graph.initializer {
        tensor::check(constant).with_context(|| format!("constant `{}`", constant.name))?;
        values.define(&constant.name, Some(constant))?;
    }
    // Older files list their constants among the inputs as well.
    for input in &graph.input {
        if values.constant(&input.name).is_none() {
            values.define(&input.name, None)?;
        }
    }
    for node in &graph.node {
        let result = node.output.first().filter(|_| node.name.is_empty());
        check(node, &mut values)
            .with_context(|| format!("node `{}` ({})", result.unwrap_or(&node.name), node.op_type))?;
    }
    for output in &graph.output {
        ensure!(values.0.contains_key(output.name.as_str()), "no node produces its output `{}`", output.name);
    }
    Ok(())
}

fn check<'a>(node: &'a NodeProto, values: &mut Values<'a>) -> TractResult<()> {
    ensure!(
        matches!(node.domain.as_str(), "" | "ai.onnx") && operators::is_known(&node.op_type),
        "the engine does not support this operator"
    );
    for name in node.input.iter().filter(|name| !name.is_empty()) {
        ensure!(values.0.contains_key(name.as_str()), "input `{name}` is not produced by any earlier node");
    }
    attributes::check(node, values)?;
    let constant = node.attribute.iter().find_map(|attribute| attribute.t.as_ref());
    let constant = constant.filter(|_| node.op_type == "Constant");
    ensure!(!node.output.is_empty(), "it has no outputs");
    node.output.iter().filter(|name| !name.is_empty()).try_for_each(|name| values.define(name, constant))
}

/// The values defined so far, each under a unique name, with its tensor if it is a constant.
#[derive(Default)]
struct Values<'a>(HashMap<&'a str, Option<&'a TensorProto>>);

impl<'a> Values<'a> {
    fn define(&mut self, name: &'a str, constant: Option<&'a TensorProto>) -> TractResult<()> {
        ensure!(!name.is_empty(), "a value has no name");
        ensure!(self.0.insert(name, constant).is_none(), "the value `{name}` is defined twice");
        Ok(())
    }

    fn constant(&self, name: &str) -> Option<&'a TensorProto> {
        self.0.get(name).copied().flatten()
    }
}
