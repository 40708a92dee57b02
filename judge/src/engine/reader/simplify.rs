//! Removes from tract's typed graph what its translation from ONNX has added.

use std::collections::HashMap;

use tract_core::internal::*;
use tract_core::ops::cast::Cast;
use tract_core::ops::identity::Identity;

/// Returns the graph as it was meant: a node that changes nothing is replaced by its input, constant expressions become
/// constants, a change of shape is a single node, and each node has the model's name for its result, if there is one.
///
/// # Errors
/// tract refuses the new graph, which would be a bug here.
pub(super) fn simplify(model: &TypedModel) -> TractResult<TypedModel> {
    let mut target = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
    let mut outlets_of: HashMap<OutletId, OutletId> = HashMap::new();
    let inputs = model.input_outlets()?;
    // An input that is never read must still remain an input.
    let unread = inputs.iter().map(|input| input.node);
    let mut order = model.eval_order()?;
    order.extend(unread.filter(|id| !order.contains(id)).collect::<Vec<_>>());
    for id in order {
        let node = model.node(id);
        let outlets = if inputs.contains(&id.into()) {
            tvec![target.add_source(&node.name, node.outputs[0].fact.clone())?]
        } else {
            let inputs: TVec<OutletId> = node.inputs.iter().map(|input| outlets_of[input]).collect();
            simplify_node(model, node, &mut target, &inputs)?
        };
        outlets_of
            .extend(outlets.into_iter().enumerate().map(|(slot, outlet)| (OutletId::new(id, slot), outlet)));
    }
    let outputs: Vec<OutletId> = model.output_outlets()?.iter().map(|output| outlets_of[output]).collect();
    target.select_output_outlets(&outputs)?;
    Ok(target)
}

fn simplify_node(
    model: &TypedModel,
    node: &TypedNode,
    target: &mut TypedModel,
    inputs: &[OutletId],
) -> TractResult<TVec<OutletId>> {
    if let &[input] = inputs {
        let fact = target.outlet_fact(input)?;
        let same = node.op_as::<Cast>().is_some_and(|cast| cast.to == fact.datum_type);
        if same || node.op_is::<Identity>() {
            return Ok(tvec![input]);
        }
        // Axis operations on a constant: tract folds only those of a few values, and patterns look for constants.
        if let (Some(constant), true) = (&fact.konst, node.op_is::<AxisOp>())
            && let Some(values) = node.op.eval_out_of_plan(tvec![constant.clone().into_tvalue()])?
            && let [value] = &values[..]
        {
            let value = value.clone().into_arc_tensor();
            return Ok(tvec![target.add_const(&node.name, value)?]);
        }
    }
    if is_reshaping(node) {
        if is_halfway(model, node)? {
            return Ok(inputs.into());
        }
        // Steps before it may have been left out.
        let [input] = inputs else { bail!("it has {} inputs", inputs.len()) };
        let from = target.outlet_fact(*input)?.shape.to_tvec();
        if from != model.node_input_facts(node.id)?[0].shape.to_tvec() {
            let op = AxisOp::Reshape(0, from, node.outputs[0].fact.shape.to_tvec());
            return target.wire_node(name(model, node, target), op, inputs);
        }
    }
    target.wire_node(name(model, node, target), node.op.clone(), inputs)
}

/// Returns whether the node changes an image's shape but not the order of its values.
fn is_reshaping(node: &TypedNode) -> bool {
    matches!(node.op_as(), Some(AxisOp::Add(_) | AxisOp::Rm(_) | AxisOp::Reshape(..)))
}

/// Returns whether its only reader is another change of shape: tract splits one into several.
fn is_halfway(model: &TypedModel, node: &TypedNode) -> TractResult<bool> {
    let reader = match &node.outputs[0].successors[..] {
        [reader] if !model.output_outlets()?.contains(&node.id.into()) => model.node(reader.node),
        _ => return Ok(false),
    };
    Ok(is_reshaping(reader))
}

fn name(model: &TypedModel, node: &TypedNode, target: &TypedModel) -> String {
    let name = match &node.outputs[..] {
        [_] => model.outlet_label(node.id.into()).unwrap_or(&node.name),
        _ => &node.name,
    };
    target.unique_name(name.to_owned()).into_owned()
}
