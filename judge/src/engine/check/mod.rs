//! What is checked of an ONNX model before tract reads it.
//!
//! tract indexes, divides and allocates by what the file says: a pool without a window, padding of 2⁶¹ or a side of 2⁴⁰
//! makes it panic, run for ever or abort the program. Whatever a file can say is held within bounds here, by the
//! messages alone; what only shows once shapes are known is left to [`reader`](super::reader).

mod attributes;
mod operators;
mod tensor;

use std::collections::HashMap;

use tract_core::internal::*;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

/// Nodes, inputs, and constants of one model. The largest networks of the field have a few thousand.
const MOST_NODES: usize = 10_000;
/// The versions of ONNX's operator set that are read. Older ones have other rules for broadcasting.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 7..=24;
/// Values of one tensor: a gigabyte of 32-bit floats.
pub(super) const MOST_VALUES: usize = 1 << 28;

/// Whether an integer can be a size or a place of something: larger ones mean nothing in any operator.
const fn is_size(value: i64) -> bool {
    value.unsigned_abs() <= i32::MAX as u64
}

/// Whether an integer says that a slice goes on to the end: one of the two extremes or, as torch writes it, the one beside
/// the lowest.
const fn is_end(value: i64) -> bool {
    value.unsigned_abs() >= i64::MAX as u64
}

/// Checks everything but the inputs' shapes.
///
/// # Errors
/// What is wrong, with the node's or the constant's name.
pub(super) fn model(model: &ModelProto) -> TractResult<()> {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let set = model.opset_import.iter().find(|set| standard(&set.domain)).map(|set| set.version);
    ensure!(
        set.is_some_and(|set| OPERATOR_SETS.contains(&set)),
        "it is of operator set {}; sets {} to {} are known",
        set.map_or_else(|| "none".to_owned(), |set| set.to_string()),
        OPERATOR_SETS.start(),
        OPERATOR_SETS.end()
    );
    ensure!(model.functions.is_empty(), "it defines functions; export it with them written out");
    graph(model.graph.as_ref().context("it holds no graph")?)
}

fn graph(graph: &GraphProto) -> TractResult<()> {
    let (nodes, inputs, constants) = (graph.node.len(), graph.input.len(), graph.initializer.len());
    ensure!(
        nodes.max(inputs).max(constants) <= MOST_NODES,
        "it has {nodes} nodes, {inputs} inputs and {constants} constants, more than {MOST_NODES}"
    );
    ensure!(graph.sparse_initializer.is_empty(), "it has sparse constants");
    let mut values = Values::default();
    for constant in &graph.initializer {
        tensor::check(constant).with_context(|| format!("constant `{}`", constant.name))?;
        values.define(&constant.name, Some(constant))?;
    }
    // Older files list their constants among the inputs, too.
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
        ensure!(values.0.contains_key(output.name.as_str()), "no node gives its output `{}`", output.name);
    }
    Ok(())
}

fn check<'a>(node: &'a NodeProto, values: &mut Values<'a>) -> TractResult<()> {
    ensure!(
        matches!(node.domain.as_str(), "" | "ai.onnx") && operators::is_known(&node.op_type),
        "the engine doesn't know this operator"
    );
    for name in node.input.iter().filter(|name| !name.is_empty()) {
        ensure!(values.0.contains_key(name.as_str()), "its input `{name}` comes from nowhere");
    }
    attributes::check(node, values)?;
    let constant = node.attribute.iter().find_map(|attribute| attribute.t.as_ref());
    let constant = constant.filter(|_| node.op_type == "Constant");
    ensure!(!node.output.is_empty(), "it gives nothing");
    node.output.iter().filter(|name| !name.is_empty()).try_for_each(|name| values.define(name, constant))
}

/// The values that are defined so far, each by a name of its own, with the tensor where it is a constant.
#[derive(Default)]
struct Values<'a>(HashMap<&'a str, Option<&'a TensorProto>>);

impl<'a> Values<'a> {
    fn define(&mut self, name: &'a str, constant: Option<&'a TensorProto>) -> TractResult<()> {
        ensure!(!name.is_empty(), "it has a value without a name");
        ensure!(self.0.insert(name, constant).is_none(), "the value `{name}` is given twice");
        Ok(())
    }

    fn constant(&self, name: &str) -> Option<&'a TensorProto> {
        self.0.get(name).copied().flatten()
    }
}
