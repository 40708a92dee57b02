//! A graph builder that knows each value's shape, so that the shapes in the file are right by construction.

use judge::onnx::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

use crate::network::Array;
use crate::resample::Matrix;

const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// A value of the graph: its name and its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    name: String,
    shape: Vec<usize>,
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
enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
}

impl GraphBuilder {
    /// An empty graph.
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
        let output = Value { name: name.to_owned(), shape: value.shape.clone() };
        self.push("Identity", &[value], &[&output], &[]);
        self.graph.output.push(value_info(&output));
    }

    /// A constant tensor of 32-bit floats, row-major.
    pub fn constant(&mut self, name: &str, shape: &[usize], data: &[f32]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len(), "constant {name}");
        self.graph.initializer.push(TensorProto {
            dims: to_i64(shape),
            data_type: FLOAT,
            name: name.to_owned(),
            raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        Value { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// A constant vector of 64-bit integers, such as axes or sizes.
    fn integers(&mut self, data: &[i64]) -> Value {
        let name = self.fresh_name("integers");
        self.integer_constant(&name, &[data.len()], data)
    }

    /// 2-D convolution with bias. `weight` is out × in/groups × height × width, `pads` the padding before and after, the same
    /// on both axes.
    pub fn conv(
        &mut self,
        x: &Value,
        weight: &Value,
        bias: &Value,
        stride: usize,
        pads: (usize, usize),
        groups: usize,
    ) -> Value {
        let side = |axis: usize| (x.shape[axis] + pads.0 + pads.1 - weight.shape[axis]) / stride + 1;
        let shape = vec![x.shape[0], weight.shape[0], side(2), side(3)];
        let kernel = [weight.shape[2] as i64, weight.shape[3] as i64];
        let (before, after) = (pads.0 as i64, pads.1 as i64);
        let attributes = [
            ("dilations", Attribute::Ints(&[1, 1])),
            ("group", Attribute::Int(groups as i64)),
            ("kernel_shape", Attribute::Ints(&kernel)),
            ("pads", Attribute::Ints(&[before, before, after, after])),
            ("strides", Attribute::Ints(&[stride as i64, stride as i64])),
        ];
        self.node("Conv", &[x, weight, bias], shape, &attributes)
    }

    /// Square maximum pooling with the same padding on all sides.
    pub fn max_pool(&mut self, x: &Value, kernel: usize, stride: usize, padding: usize) -> Value {
        let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
        let shape = vec![x.shape[0], x.shape[1], side(x.shape[2]), side(x.shape[3])];
        let (k, s, p) = (kernel as i64, stride as i64, padding as i64);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[k, k])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[s, s])),
        ];
        self.node("MaxPool", &[x], shape, &attributes)
    }

    /// The mean over square windows of an odd `side`, with stride 1; at the borders over the positions that exist.
    pub fn local_mean(&mut self, x: &Value, side: usize) -> Value {
        let (k, p) = (side as i64, side as i64 / 2);
        let attributes = [
            ("count_include_pad", Attribute::Int(0)),
            ("kernel_shape", Attribute::Ints(&[k, k])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[1, 1])),
        ];
        self.node("AveragePool", &[x], x.shape.clone(), &attributes)
    }

    /// Puts values side by side along the channels (axis 1).
    pub fn concat_channels(&mut self, parts: &[Value]) -> Value {
        let Some(first) = parts.first() else { return self.constant("nothing", &[0], &[]) };
        let mut shape = first.shape.clone();
        shape[1] = parts.iter().map(|part| part.shape[1]).sum();
        let parts: Vec<&Value> = parts.iter().collect();
        self.node("Concat", &parts, shape, &[("axis", Attribute::Int(1))])
    }

    /// Product of matrices on the last two axes; leading axes are the same in both.
    pub fn mat_mul(&mut self, a: &Value, b: &Value) -> Value {
        let mut shape = a.shape.clone();
        let last = shape.len() - 1;
        shape[last] = b.shape[last];
        self.node("MatMul", &[a, b], shape, &[])
    }

    /// The same values in another shape.
    pub fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        debug_assert_eq!(x.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        let sides = self.integers(&to_i64(shape));
        self.node("Reshape", &[x, &sides], shape.to_vec(), &[])
    }

    /// The axes in another order.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|&axis| x.shape[axis]).collect();
        self.node("Transpose", &[x], shape, &[("perm", Attribute::Ints(&to_i64(order)))])
    }

    /// The mean of each 2×2 window, stride 2, with the same padding on all sides, whose zeros count.
    pub fn average_pool(&mut self, x: &Value, padding: usize) -> Value {
        let side = |n: usize| (n + 2 * padding) / 2;
        let shape = vec![x.shape[0], x.shape[1], side(x.shape[2]), side(x.shape[3])];
        let p = padding as i64;
        let attributes = [
            ("count_include_pad", Attribute::Int(1)),
            ("kernel_shape", Attribute::Ints(&[2, 2])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[2, 2])),
        ];
        self.node("AveragePool", &[x], shape, &attributes)
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &[x], x.shape.clone(), &[])
    }

    /// `min(max(x, low), high)`.
    pub fn clip(&mut self, x: &Value, low: f32, high: f32) -> Value {
        let low = self.scalar(low);
        let high = self.scalar(high);
        self.node("Clip", &[x, &low, &high], x.shape.clone(), &[])
    }

    /// `a + b`, broadcast.
    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Add", a, b)
    }

    /// `a - b`, broadcast.
    pub fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Sub", a, b)
    }

    /// `a * b`, broadcast.
    pub fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Mul", a, b)
    }

    /// `a / b`, broadcast.
    pub fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Div", a, b)
    }

    /// `max(a, b)`, broadcast.
    pub fn max(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Max", a, b)
    }

    /// `min(a, b)`, broadcast.
    pub fn min(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Min", a, b)
    }

    /// `√x`.
    pub fn sqrt(&mut self, x: &Value) -> Value {
        self.node("Sqrt", &[x], x.shape.clone(), &[])
    }

    /// The natural logarithm.
    pub fn log(&mut self, x: &Value) -> Value {
        self.node("Log", &[x], x.shape.clone(), &[])
    }

    /// `eˣ`.
    pub fn exp(&mut self, x: &Value) -> Value {
        self.node("Exp", &[x], x.shape.clone(), &[])
    }

    /// Sum over the channels (axis 1), which stays as an axis of length 1.
    pub fn sum_channels(&mut self, x: &Value) -> Value {
        let axes = self.integers(&[1]);
        let mut shape = x.shape.clone();
        shape[1] = 1;
        self.node("ReduceSum", &[x, &axes], shape, &[("keepdims", Attribute::Int(1))])
    }

    /// The smallest of the channels (axis 1), which stays as an axis of length 1.
    pub fn min_channels(&mut self, x: &Value) -> Value {
        let mut shape = x.shape.clone();
        shape[1] = 1;
        let attributes = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(1))];
        self.node("ReduceMin", &[x], shape, &attributes)
    }

    /// The mean of the `count` largest elements of all, as a vector of length 1.
    pub fn mean_of_largest(&mut self, x: &Value, count: usize) -> Value {
        let flat = self.reshape(x, &[1, x.shape.iter().product()]);
        let (largest, _) = self.top_k(&flat, count, true);
        self.mean_of_last(&largest)
    }

    /// The mean over the last axis, which goes.
    pub fn mean_of_last(&mut self, x: &Value) -> Value {
        let last = x.shape.len() - 1;
        let attributes = [("axes", Attribute::Ints(&[last as i64])), ("keepdims", Attribute::Int(0))];
        self.node("ReduceMean", &[x], x.shape[..last].to_vec(), &attributes)
    }

    /// The `count` largest, or smallest, along the last axis, in order, and their places as integers.
    pub fn top_k(&mut self, x: &Value, count: usize, largest: bool) -> (Value, Value) {
        let k = self.integers(&[count as i64]);
        let mut shape = x.shape.clone();
        let last = shape.len() - 1;
        shape[last] = count;
        let values = Value { name: self.fresh_name("topk"), shape: shape.clone() };
        let places = Value { name: self.fresh_name("topk_places"), shape };
        let attributes =
            [("axis", Attribute::Int(last as i64)), ("largest", Attribute::Int(i64::from(largest)))];
        self.push("TopK", &[x, &k], &[&values, &places], &attributes);
        (values, places)
    }

    /// The parts of `x` at integer `places` along `axis`, in whose stead come the axes of `places`.
    pub fn gather(&mut self, x: &Value, places: &Value, axis: usize) -> Value {
        let shape = [&x.shape[..axis], &places.shape[..], &x.shape[axis + 1..]].concat();
        self.node("Gather", &[x, places], shape, &[("axis", Attribute::Int(axis as i64))])
    }

    /// A constant tensor of 64-bit integers, row-major.
    pub fn integer_constant(&mut self, name: &str, shape: &[usize], data: &[i64]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len(), "constant {name}");
        self.graph.initializer.push(TensorProto {
            dims: to_i64(shape),
            data_type: INT64,
            name: name.to_owned(),
            raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        Value { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// `rows · x · columnsᵀ` on the last two axes: any separable resizing or smoothing.
    pub fn resample(&mut self, x: &Value, rows: &Matrix, columns: &Matrix) -> Value {
        let mut matrix = |matrix: &Matrix| {
            let Array { shape, data } = matrix.to_array();
            let name = self.fresh_name("matrix");
            self.constant(&name, &shape, &data)
        };
        let (rows, columns) = (matrix(rows), matrix(&columns.transposed()));
        let (height, width) = (rows.shape[0], columns.shape[1]);
        let half = self.node("MatMul", &[x, &columns], vec![x.shape[0], x.shape[1], x.shape[2], width], &[]);
        self.node("MatMul", &[&rows, &half], vec![x.shape[0], x.shape[1], height, width], &[])
    }

    /// The finished model's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "nominal".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        }
        .encode_to_vec()
    }

    /// A constant without axes.
    pub fn scalar(&mut self, x: f32) -> Value {
        let name = self.fresh_name("scalar");
        self.constant(&name, &[], &[x])
    }

    fn binary(&mut self, op: &str, a: &Value, b: &Value) -> Value {
        let shape = broadcast(&a.shape, &b.shape);
        self.node(op, &[a, b], shape, &[])
    }

    fn node(
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

    fn push(
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
        });
    }

    fn fresh_name(&mut self, stem: &str) -> String {
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

fn to_i64(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

/// NumPy's rule: shapes are aligned at their ends, and an axis of length 1 repeats.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank).map(|axis| at(a, axis).max(at(b, axis))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::bilinear;

    #[test]
    fn shapes_follow_the_operators() {
        let mut g = GraphBuilder::new("shapes");
        let x = g.input("image", &[1, 3, 64, 96]);
        let w = g.constant("w", &[8, 3, 7, 7], &vec![0.0; 8 * 3 * 49]);
        let b = g.constant("b", &[8], &[0.0; 8]);
        let c = g.conv(&x, &w, &b, 2, (3, 3), 1);
        assert_eq!(c.shape(), [1, 8, 32, 48]);
        let p = g.max_pool(&c, 3, 2, 1);
        assert_eq!(p.shape(), [1, 8, 16, 24]);
        assert_eq!(g.average_pool(&c, 0).shape(), [1, 8, 16, 24]);
        let w = g.constant("wide", &[2, 8, 16, 24], &vec![0.0; 2 * 8 * 16 * 24]);
        let b = g.constant("b2", &[2], &[0.0; 2]);
        assert_eq!(g.conv(&p, &w, &b, 1, (0, 0), 1).shape(), [1, 2, 1, 1]);
        let s = g.sum_channels(&p);
        let d = g.div(&p, &s);
        assert_eq!(d.shape(), [1, 8, 16, 24]);
        assert_eq!(g.mean_of_largest(&d, 4).shape(), [1]);
        assert_eq!(g.resample(&s, &bilinear(16, 64), &bilinear(24, 96)).shape(), [1, 1, 64, 96]);
    }

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
