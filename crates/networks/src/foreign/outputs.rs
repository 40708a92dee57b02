//! Finds which of a foreign model's values are the anomaly map and the score.

use judge::onnx::{GraphProto, NodeProto};

use super::error::ForeignError;

/// Common names of the map and of the score.
const MAPS: [&str; 3] = ["anomaly_map", "anomaly_maps", "map"];
const SCORES: [&str; 5] = ["pred_score", "score", "anomaly_score", "image_score", "pred_scores"];

/// Maximum number of nodes from the end of a scaling back to its clipping.
const SCALING_NODES: usize = 4;

/// A value that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The name that the model gives it.
    pub name: String,
    /// The value to use.
    pub value: String,
    /// Whether that is the value before it is scaled to 0..1.
    pub is_unscaled: bool,
}

/// Finds the anomaly map.
pub(super) fn find_map(graph: &GraphProto, requested: Option<&str>) -> Result<Found, ForeignError> {
    let found = find(graph, requested, &MAPS)?;
    found.ok_or_else(|| ForeignError::Outputs { what: "anomaly map", found: names(graph) })
}

/// Finds the score; `None` if the model has none and none was named.
pub(super) fn find_score(graph: &GraphProto, requested: Option<&str>) -> Result<Option<Found>, ForeignError> {
    find(graph, requested, &SCORES)
}

/// Takes a value that the user named as it is; one found by its name, before its scaling.
fn find(graph: &GraphProto, requested: Option<&str>, known: &[&str]) -> Result<Option<Found>, ForeignError> {
    if let Some(requested) = requested {
        let is_there = graph.node.iter().any(|node| node.output.iter().any(|output| output == requested));
        if !is_there {
            return Err(ForeignError::Value { wanted: requested.to_owned(), found: names(graph) });
        }
        return Ok(Some(Found {
            name: requested.to_owned(),
            value: requested.to_owned(),
            is_unscaled: false,
        }));
    }
    let is_output = |name: &&&str| graph.output.iter().any(|output| output.name == ***name);
    Ok(known.iter().find(is_output).map(|&name| {
        let raw = before_scaling(graph, name);
        let is_unscaled = raw.is_some();
        Found { name: name.to_owned(), value: raw.unwrap_or_else(|| name.to_owned()), is_unscaled }
    }))
}

/// Returns the value that `name` is scaled from. anomalib ends its exports in `Where(there is a range, scaled, raw)`, and
/// clips the scaled values at 0 and 1: all good parts below its range would get the same score, and no threshold could be
/// calibrated.
fn before_scaling(graph: &GraphProto, name: &str) -> Option<String> {
    let choice = producer(graph, name).filter(|node| node.op_type == "Where")?;
    let [_, scaled, raw] = choice.input.as_slice() else { return None };
    let is_computed = producer(graph, raw).is_some_and(|node| node.op_type != "Constant");
    (is_computed && is_cut_off(graph, scaled, SCALING_NODES)).then(|| raw.clone())
}

/// Returns whether the value comes from a `Clip`, perhaps through a few nodes, and through either branch of a choice.
fn is_cut_off(graph: &GraphProto, name: &str, nodes: usize) -> bool {
    let Some(node) = producer(graph, name).filter(|_| nodes > 0) else { return false };
    let from = if node.op_type == "Where" { node.input.get(1..) } else { node.input.get(..1) };
    matches!(node.op_type.as_str(), "Clip" | "Min" | "Max")
        || from.unwrap_or_default().iter().any(|name| is_cut_off(graph, name, nodes - 1))
}

fn producer<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|output| output == name))
}

/// Returns the outputs' names, for people.
fn names(graph: &GraphProto) -> String {
    let names: Vec<String> = graph.output.iter().map(|output| format!("`{}`", output.name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
