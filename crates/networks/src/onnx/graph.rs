//! A graph builder that tracks each value's shape, so that the shapes in the file are right by construction.

use judge::onnx::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// A value of the graph: its name and its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

impl Value {
    /// The value's shape, such as `[1, 64, 56, 56]`.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// Builds one graph, node by node.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    graph: GraphProto,
    values: usize,
}

/// An attribute's value.
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
}

impl GraphBuilder {
    /// Starts an empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() }, values: 0 }
    }

    /// Declares an input of 32-bit floats.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Value {
        let value = Value { name: name.to_owned(), shape: shape.to_vec() };
        self.graph.input.push(value_info(&value));
        value
    }

    /// Declares an output: `value` under the name `name`.
    pub fn output(&mut self, name: &str, value: &Value) {
        let output = self.name(value, name);
        self.graph.output.push(value_info(&output));
    }

    /// Adds a constant tensor of 32-bit floats, row-major.
    pub fn constant(&mut self, name: &str, shape: &[usize], data: &[f32]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len(), "constant {name}");
        self.tensor(name, shape, FLOAT, data.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// Adds a constant tensor of 64-bit integers, row-major.
    pub fn integer_constant(&mut self, name: &str, shape: &[usize], data: &[i64]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len(), "constant {name}");
        self.tensor(name, shape, INT64, data.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn tensor(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> Value {
        let (name, dims) = (name.to_owned(), to_i64(shape));
        let value = Value { name: name.clone(), shape: shape.to_vec() };
        self.graph.initializer.push(TensorProto {
            dims,
            data_type,
            name,
            raw_data,
            ..TensorProto::default()
        });
        value
    }

    /// Adds a scalar constant.
    pub fn scalar(&mut self, x: f32) -> Value {
        let name = self.fresh_name("scalar");
        self.constant(&name, &[], &[x])
    }

    /// Adds a constant vector of 64-bit integers, such as axes or sizes.
    pub(super) fn integers(&mut self, data: &[i64]) -> Value {
        let name = self.fresh_name("integers");
        self.integer_constant(&name, &[data.len()], data)
    }

    /// Appends nodes and constants from elsewhere; the names of their values must differ from this graph's.
    pub fn append(&mut self, graph: GraphProto) {
        self.graph.node.extend(graph.node);
        self.graph.initializer.extend(graph.initializer);
    }

    /// Refers to a value of appended nodes, whose shape the caller knows.
    #[must_use]
    pub fn existing_value(&self, name: &str, shape: &[usize]) -> Value {
        Value { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// Adds an alias of `value` under another name.
    pub fn name(&mut self, value: &Value, name: &str) -> Value {
        let named = Value { name: name.to_owned(), shape: value.shape.clone() };
        self.push("Identity", &[value], &[&named], &[]);
        named
    }

    /// Declares a value of appended nodes to be an output, of any type and shape.
    pub fn declare_output(&mut self, name: &str) {
        self.graph.output.push(ValueInfoProto { name: name.to_owned(), r#type: None });
    }

    /// Returns the graph alone, for a model whose metadata differ from those that [`Self::finish`] writes.
    #[must_use]
    pub fn into_graph(self) -> GraphProto {
        self.graph
    }

    /// Returns the finished model's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "nominal".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            functions: vec![],
        }
        .encode_to_vec()
    }

    /// Adds a node with one output of shape `shape`.
    pub(super) fn node(
        &mut self,
        op: &str,
        inputs: &[&Value],
        shape: Vec<usize>,
        attributes: &[(&str, Attribute<'_>)],
    ) -> Value {
        let output = Value { name: self.fresh_name(&op.to_lowercase()), shape };
        self.push(op, inputs, &[&output], attributes);
        output
    }

    /// Adds a node with the given outputs.
    pub(super) fn push(
        &mut self,
        op: &str,
        inputs: &[&Value],
        outputs: &[&Value],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let names = |values: &[&Value]| values.iter().map(|v| v.name.clone()).collect();
        self.graph.node.push(NodeProto {
            input: names(inputs),
            output: names(outputs),
            name: format!("{}_node", outputs[0].name),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: String::new(),
        });
    }

    /// Returns an unused name.
    pub(super) fn fresh_name(&mut self, stem: &str) -> String {
        self.values += 1;
        format!("{stem}_{}", self.values)
    }
}

fn attribute(name: &str, value: &Attribute<'_>) -> AttributeProto {
    // The types are those of `AttributeProto.AttributeType`.
    let mut attribute = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Attribute::Int(i) => {
            attribute.i = Some(*i);
            attribute.r#type = 2;
        }
        Attribute::Ints(ints) => {
            attribute.ints = ints.to_vec();
            attribute.r#type = 7;
        }
    }
    attribute
}

fn value_info(value: &Value) -> ValueInfoProto {
    let dim = value.shape.iter().map(|&n| DimensionProto { dim_value: Some(n as i64) }).collect();
    let tensor_type = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: value.name.clone(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

/// Converts lengths to the file's type.
pub(super) fn to_i64(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut g = GraphBuilder::new("round");
        let x = g.input("image", &[1, 3, 4, 4]);
        let y = g.clip(&x, 0.0, 6.0);
        g.output("y", &y);
        let model = ModelProto::decode(g.finish().as_slice()).unwrap();
        let graph = model.graph.unwrap();
        assert_eq!(model.opset_import[0].version, 17);
        assert_eq!(graph.node[0].op_type, "Clip");
        assert_eq!(graph.output[0].name, "y");
        // A zero bound is a zero in the file, not a missing value.
        assert_eq!(graph.initializer[0].raw_data, 0f32.to_le_bytes());
    }
}
