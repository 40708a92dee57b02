//! Wraps a foreign graph between our input and our outputs.

use std::collections::HashSet;

use judge::onnx::{GraphProto, NodeProto};
use shared_format::Size;

use super::error::ForeignError;
use super::normalisation::Normalisation;
use crate::onnx::GraphBuilder;
use crate::resample::bilinear;

/// Returns a value's name in the adopted graph, where it can't clash with ours.
pub(super) fn internal_name(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("foreign/{name}") }
}

/// A foreign graph with renamed values, which takes our image.
#[derive(Debug, Clone)]
pub(super) struct Wrapped {
    graph: GraphProto,
    size: Size,
    image: String,
    normalisation: Option<Normalisation>,
}

impl Wrapped {
    /// Wraps a graph; `image` is the foreign input.
    pub fn new(graph: &GraphProto, image: &str, size: Size, normalisation: Option<Normalisation>) -> Self {
        let mut graph = graph.clone();
        rename(&mut graph);
        // Shapes of another batch size would contradict ours; the engine infers them.
        graph.value_info.clear();
        graph.input.clear();
        graph.output.clear();
        Self { graph, size, image: internal_name(image), normalisation }
    }

    /// Returns the graph up to these foreign values.
    pub fn with_values(&self, values: &[&str]) -> GraphProto {
        let mut graph = self.start(values);
        for value in values {
            graph.declare_output(&internal_name(value));
        }
        graph.into_graph()
    }

    /// Returns the graph with our outputs: the map is the first of the foreign values; the score is the second, or the
    /// map's largest value.
    pub fn with_outputs(&self, values: &[&str], shapes: &[Vec<usize>]) -> Result<GraphProto, ForeignError> {
        let mut g = self.start(values);
        let map_name = values.first().copied().unwrap_or_default().to_owned();
        let shape = shapes.first().cloned().unwrap_or_default();
        let is_map = shape.iter().rev().skip(2).all(|&side| side == 1) && shape.iter().product::<usize>() > 1;
        let (&[.., rows, columns], true) = (&shape[..], is_map) else {
            return Err(ForeignError::Map { name: map_name, shape });
        };
        let map = g.existing_value(&internal_name(&map_name), &shape);
        let map = g.reshape(&map, &[1, 1, rows, columns]);
        let score = match (values.get(1), shapes.get(1)) {
            (Some(name), Some(shape)) if shape.iter().product::<usize>() == 1 => {
                g.existing_value(&internal_name(name), shape)
            }
            (Some(name), Some(shape)) => {
                return Err(ForeignError::Score { name: (*name).to_owned(), shape: shape.clone() });
            }
            _ => g.largest(&map),
        };
        let score = g.reshape(&score, &[1]);
        let (height, width) = (self.size.height as usize, self.size.width as usize);
        let map = if (rows, columns) == (height, width) {
            map
        } else {
            g.resample(&map, &bilinear(rows, height), &bilinear(columns, width))
        };
        g.output("anomaly_map", &map);
        g.output("score", &score);
        Ok(g.into_graph())
    }

    /// Starts a graph with our image, its normalisation, and the foreign nodes that the values need.
    fn start(&self, values: &[&str]) -> GraphBuilder {
        let mut g = GraphBuilder::new("adopted");
        let image = g.input("image", &[1, 3, self.size.height as usize, self.size.width as usize]);
        let prepared = match self.normalisation {
            None => image,
            Some(Normalisation { mean, std }) => {
                let mean = g.constant("mean", &[1, 3, 1, 1], &mean);
                let std = g.constant("std", &[1, 3, 1, 1], &std);
                let centred = g.sub(&image, &mean);
                g.div(&centred, &std)
            }
        };
        g.name(&prepared, &self.image);
        let wanted: Vec<String> = values.iter().map(|value| internal_name(value)).collect();
        g.append(needed(&self.graph, &wanted));
        g
    }
}

/// Returns the nodes and constants that the values depend on, in order.
fn needed(graph: &GraphProto, values: &[String]) -> GraphProto {
    let mut names: HashSet<&str> = values.iter().map(String::as_str).collect();
    let mut nodes = vec![];
    // ONNX nodes are in order of evaluation.
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|output| names.contains(output.as_str())) {
            reads(node, &mut names);
            nodes.push(node.clone());
        }
    }
    nodes.reverse();
    let constants = graph.initializer.iter().filter(|constant| names.contains(constant.name.as_str()));
    GraphProto { node: nodes, initializer: constants.cloned().collect(), ..GraphProto::default() }
}

/// Adds the inputs of a node and of the graphs in its attributes.
fn reads<'a>(node: &'a NodeProto, names: &mut HashSet<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    for inner in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
        inner.node.iter().for_each(|node| reads(node, names));
        names.extend(inner.output.iter().map(|output| output.name.as_str()));
    }
}

fn rename(graph: &mut GraphProto) {
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(|name| *name = internal_name(name));
        node.name = internal_name(&node.name);
        for inner in node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs)) {
            rename(inner);
        }
    }
    graph.initializer.iter_mut().for_each(|constant| constant.name = internal_name(&constant.name));
    let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    values.for_each(|value| value.name = internal_name(&value.name));
}
