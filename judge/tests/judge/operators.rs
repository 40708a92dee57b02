//! Each ONNX operator that the engine supports, on a few numbers whose result can be checked by hand.

use judge::onnx::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use judge::{EngineError, Network};
use prost::Message;

/// Two channels of 2 × 3.
const SHAPE: [usize; 4] = [1, 2, 2, 3];
const X: [f32; 12] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0];

#[derive(Clone)]
struct Node(NodeProto, Vec<TensorProto>);

fn node(operator: &str) -> Node {
    let (output, name) = (vec!["y".to_owned()], "node".to_owned());
    let input = vec!["x".to_owned()];
    Node(NodeProto { input, output, name, op_type: operator.to_owned(), ..Default::default() }, vec![])
}

impl Node {
    fn ints(mut self, name: &str, ints: &[i64]) -> Self {
        let attribute =
            AttributeProto { name: name.to_owned(), ints: ints.to_vec(), r#type: 7, ..Default::default() };
        self.0.attribute.push(attribute);
        self
    }

    fn int(mut self, name: &str, i: i64) -> Self {
        self.0.attribute.push(AttributeProto {
            name: name.to_owned(),
            i: Some(i),
            r#type: 2,
            ..Default::default()
        });
        self
    }

    fn text(mut self, name: &str, text: &str) -> Self {
        let s = Some(text.as_bytes().to_vec());
        self.0.attribute.push(AttributeProto { name: name.to_owned(), s, r#type: 3, ..Default::default() });
        self
    }

    fn constant(mut self, tensor: TensorProto) -> Self {
        let name = format!("constant{}", self.1.len());
        self.0.input.push(name.clone());
        self.1.push(TensorProto { name, ..tensor });
        self
    }

    fn floats(self, dims: &[i64], values: &[f32]) -> Self {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(TensorProto { dims: dims.to_vec(), data_type: FLOAT, raw_data, ..Default::default() })
    }

    /// Adds integers as the typed list that other programs write.
    fn integers(self, values: &[i64]) -> Self {
        let (dims, int64_data) = (vec![values.len() as i64], values.to_vec());
        self.constant(TensorProto { dims, data_type: INT64, int64_data, ..Default::default() })
    }

    fn load(&self) -> Result<Network, EngineError> {
        Network::load(&model(&[self]), SHAPE, &["y"], 1)
    }

    /// Returns shape and values for the input [`X`].
    fn of_x(&self) -> (Vec<usize>, Vec<f32>) {
        let mut network = self.load().unwrap();
        (network.output_shapes()[0].clone(), network.run(&X).unwrap().remove(0))
    }

    fn refusal(&self) -> String {
        let loaded = self.load().map(|network| network.output_shapes().to_vec());
        loaded.map_or_else(|error| error.to_string(), |shapes| format!("it gives {shapes:?}"))
    }
}

fn model(nodes: &[&Node]) -> Vec<u8> {
    let dim = SHAPE.iter().map(|&side| DimensionProto { dim_value: Some(side as i64) }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) });
    let input = ValueInfoProto { name: "x".to_owned(), r#type: Some(TypeProto { tensor_type }) };
    let graph = GraphProto {
        node: nodes.iter().map(|node| node.0.clone()).collect(),
        initializer: nodes.iter().flat_map(|node| node.1.clone()).collect(),
        input: vec![input],
        output: vec![ValueInfoProto { name: "y".to_owned(), r#type: None }],
        ..Default::default()
    };
    let set = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![set], ..Default::default() }
        .encode_to_vec()
}

#[test]
fn values_one_by_one() {
    type Case = (Node, fn(f32) -> f32);
    let cases: [Case; 9] = [
        (node("Identity"), |x| x),
        (node("Relu"), |x| x.max(0.0)),
        (node("Abs"), f32::abs),
        (node("Neg"), |x| -x),
        (node("Exp"), f32::exp),
        (node("Clip").floats(&[], &[-2.5]).floats(&[], &[4.0]), |x| x.clamp(-2.5, 4.0)),
        (node("Max").floats(&[1], &[0.5]), |x| x.max(0.5)),
        (node("Min").floats(&[], &[0.5]), |x| x.min(0.5)),
        (node("Div").floats(&[1, 1, 1], &[4.0]), |x| x / 4.0),
    ];
    for (node, expected) in cases {
        let (shape, values) = node.of_x();
        assert_eq!(shape, SHAPE, "{}", node.0.op_type);
        for (x, y) in X.iter().zip(values) {
            assert!((y - expected(*x)).abs() <= 1e-6 * y.abs(), "{} of {x} is {y}", node.0.op_type);
        }
    }
    for (operator, expected) in [("Sqrt", f32::sqrt as fn(f32) -> f32), ("Log", f32::ln)] {
        let (_, values) = node(operator).of_x();
        for (x, y) in X.iter().zip(values) {
            assert!(
                expected(*x).is_nan() && y.is_nan() || (y - expected(*x)).abs() < 1e-6,
                "{operator} of {x}: {y}"
            );
        }
    }
}

#[test]
fn fewer_axes_line_up_from_the_back_and_channels_by_their_side() {
    let (_, values) = node("Add").floats(&[3], &[10.0, 20.0, 30.0]).of_x();
    assert_eq!(values[..6], [11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
    let (_, values) = node("Mul").floats(&[1, 2, 1, 1], &[1.0, -1.0]).of_x();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let (_, values) = node("Sub").floats(&[2, 1, 1], &[1.0, -1.0]).of_x();
    assert_eq!((values[0], values[6]), (0.0, 0.0));
}

#[test]
fn convolutions() {
    // The sum of both channels' differences to the right neighbour, plus the bias.
    let difference = node("Conv").floats(&[1, 2, 1, 2], &[-1.0, 1.0, -1.0, 1.0]).floats(&[1], &[0.5]);
    assert_eq!(difference.of_x(), (vec![1, 1, 2, 2], vec![0.5; 4]));
    let padded =
        node("Conv").floats(&[1, 2, 3, 3], &[1.0; 18]).ints("pads", &[1, 1, 1, 1]).ints("strides", &[1, 2]);
    assert_eq!(padded.of_x(), (vec![1, 1, 2, 2], vec![0.0; 4]));
    let grouped = node("Conv").int("group", 2).floats(&[2, 1, 1, 1], &[2.0, 3.0]);
    assert_eq!(grouped.of_x().1, X.map(|x| if x > 0.0 { 2.0 * x } else { 3.0 * x }));
    let apart = node("Conv").int("group", 2).floats(&[2, 1, 1, 2], &[1.0; 4]).ints("dilations", &[1, 2]);
    assert_eq!(apart.of_x(), (vec![1, 2, 2, 1], vec![4.0, 10.0, -4.0, -10.0]));
}

#[test]
fn pools() {
    let largest = node("MaxPool").ints("kernel_shape", &[2, 2]).ints("strides", &[1, 1]);
    assert_eq!(largest.of_x(), (vec![1, 2, 1, 2], vec![5.0, 6.0, -1.0, -2.0]));
    let mean = node("AveragePool").ints("kernel_shape", &[2, 2]).ints("pads", &[0, 1, 0, 0]);
    // Padding is left out of the mean unless requested.
    assert_eq!(mean.of_x().1, [2.5, 3.0, 4.0, -2.5, -3.0, -4.0]);
    assert_eq!(mean.int("count_include_pad", 1).of_x().1[0], 1.25);
}

#[test]
fn reductions() {
    let sum = node("ReduceSum").integers(&[1]);
    assert_eq!(sum.of_x(), (vec![1, 1, 2, 3], vec![0.0; 6]));
    let mean = node("ReduceMean").ints("axes", &[-1, 1]).int("keepdims", 0);
    assert_eq!(mean.of_x(), (vec![1, 2], vec![0.0, 0.0]));
    assert_eq!(node("ReduceMean").ints("axes", &[2, 3]).of_x(), (vec![1, 2, 1, 1], vec![3.5, -3.5]));
    assert_eq!(node("ReduceMax").int("keepdims", 0).of_x(), (vec![], vec![6.0]));
    assert_eq!(node("ReduceMin").ints("axes", &[3]).of_x().1, [1.0, 4.0, -3.0, -6.0]);
}

#[test]
fn shapes_and_orders() {
    assert_eq!(node("Reshape").integers(&[0, -1, 2]).of_x(), (vec![1, 6, 2], X.to_vec()));
    let transposed = node("Transpose").ints("perm", &[0, 2, 3, 1]);
    assert_eq!(transposed.of_x().0, [1, 2, 3, 2]);
    assert_eq!(transposed.of_x().1[..4], [1.0, -1.0, 2.0, -2.0]);
    assert_eq!(node("Transpose").of_x().0, [3, 2, 2, 1]);
    let mut twice = node("Concat").int("axis", 1);
    twice.0.input.push("x".to_owned());
    assert_eq!(twice.of_x(), (vec![1, 4, 2, 3], [X, X].concat()));
    assert_eq!(node("Gather").int("axis", -1).integers(&[2, 0]).of_x().1[..4], [3.0, 1.0, 6.0, 4.0]);
    assert_eq!(
        node("TopK").integers(&[2]).of_x(),
        (vec![1, 2, 2, 2], vec![3.0, 2.0, 6.0, 5.0, -1.0, -2.0, -4.0, -5.0])
    );
    assert_eq!(node("TopK").int("largest", 0).int("axis", 1).integers(&[1]).of_x().1, X[6..]);
}

#[test]
fn matrix_products_on_either_side() {
    let by_columns = node("MatMul").floats(&[3, 1], &[1.0, 0.0, -1.0]);
    assert_eq!(by_columns.of_x(), (vec![1, 2, 2, 1], vec![-2.0, -2.0, 2.0, 2.0]));
    let mut by_rows = node("MatMul").floats(&[1, 2], &[1.0, 1.0]);
    by_rows.0.input.reverse();
    assert_eq!(by_rows.of_x(), (vec![1, 2, 1, 3], vec![5.0, 7.0, 9.0, -5.0, -7.0, -9.0]));
}

#[test]
fn what_foreign_models_have() {
    assert_eq!(node("Sigmoid").of_x().0, SHAPE);
    let rounded_up =
        node("MaxPool").ints("kernel_shape", &[2, 2]).ints("strides", &[2, 2]).int("ceil_mode", 1);
    assert_eq!(rounded_up.of_x(), (vec![1, 2, 1, 2], vec![5.0, 6.0, -1.0, -3.0]));
    let weights = node("Conv").floats(&[1, 2, 1, 2], &[1.0; 4]);
    assert_eq!(weights.clone().text("auto_pad", "SAME_UPPER").of_x(), (vec![1, 1, 2, 3], vec![0.0; 6]));
    assert_eq!(node("Clip").floats(&[], &[0.0]).of_x().1, X.map(|x| x.max(0.0)));
    assert_eq!(node("GlobalAveragePool").of_x(), (vec![1, 2, 1, 1], vec![3.5, -3.5]));
    let ones = [1.0; 2];
    let normalised = node("BatchNormalization")
        .floats(&[2], &ones)
        .floats(&[2], &[1.0; 2])
        .floats(&[2], &[0.0; 2])
        .floats(&[2], &ones);
    for (x, y) in X.iter().zip(normalised.of_x().1) {
        assert!((y - (x + 1.0)).abs() < 1e-4, "{x} becomes {y}");
    }
    let twice = node("Resize").floats(&[0], &[]).floats(&[4], &[1.0, 1.0, 2.0, 2.0]).text("mode", "linear");
    assert_eq!(twice.of_x().0, [1, 2, 4, 6]);
    let padded = node("Pad").integers(&[0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(padded.of_x().1[..5], [0.0, 1.0, 2.0, 3.0, 0.0]);
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let weights = || node("Conv").floats(&[1, 2, 1, 1], &[0.0; 2]);
    let cases = [
        (node("NonMaxSuppression"), "not support"),
        (node("RandomNormalLike"), "not support"),
        (node("If"), "not support"),
        (node("Conv").floats(&[1, 3, 1, 1], &[0.0; 3]), "Conv"),
        (weights().floats(&[2], &[0.0; 2]), "Conv"),
        (weights().ints("strides", &[0, 1]), "`strides` is 0"),
        (weights().int("group", 0), "`group` is 0"),
        (weights().ints("pads", &[1, 1]), "`pads` has 2 values for 2 axes"),
        (weights().ints("pads", &[1 << 61, 0, 0, 0]), "`pads` is 2305843009213693952"),
        (node("MaxPool"), "`kernel_shape` is missing"),
        (node("MaxPool").ints("kernel_shape", &[]), "0 axes"),
        (node("MaxPool").ints("kernel_shape", &[2]), "1 axes, but its image has 4"),
        (node("MaxPool").ints("kernel_shape", &[2, 9]), "larger than its image"),
        (node("AveragePool").ints("kernel_shape", &[2, 2]).ints("pads", &[0, 0, 0, 2]), "not smaller"),
        (node("AveragePool").ints("kernel_shape", &[2, 2]).ints("dilations", &[1, 1 << 40]), "dilations"),
        (node("Reshape").integers(&[5, -1]), "Reshap"),
        (node("Reshape").integers(&[0, 0, 0, 0, 0]), "Reshap"),
        (node("Transpose").ints("perm", &[0, 1, 1, 2]), "permutation"),
        (node("TopK").integers(&[4]), "4 of 3"),
        (node("ReduceSum").integers(&[4]), "axis"),
        (node("Add"), "Add"),
        (node("Expand").integers(&[1 << 20, 1 << 20, 2, 3]), "values"),
        (node("Expand").integers(&[1 << 40, 1, 1, 1]), "not a valid size"),
        (node("Tile").integers(&[1, 1, 1 << 30, 1]), "values"),
        (node("Pad").integers(&[0, 0, 0, 1 << 30, 0, 0, 0, 1]), "padding of 1073741824"),
        (node("Resize").floats(&[0], &[]).floats(&[4], &[1.0, 1.0, 1e12, 1.0]), "values"),
        (
            node("Add").constant(TensorProto { dims: vec![1 << 40], data_type: FLOAT, ..Default::default() }),
            "shape",
        ),
        (
            node("Add").constant(TensorProto { dims: vec![-1], data_type: FLOAT, ..Default::default() }),
            "shape",
        ),
        (node("Add").constant(TensorProto { dims: vec![1], data_type: 8, ..Default::default() }), "type 8"),
        (node("Add").floats(&[2], &[1.0]), "4 bytes"),
    ];
    for (node, part) in cases {
        let refusal = node.refusal();
        assert!(refusal.contains(part), "{}, {part}: {refusal}", node.0.op_type);
        // The node, its result or its constant, whichever is named first.
        let names_it = ["`node`", "`y`", "\"y\"", "`constant0`"].iter().any(|name| refusal.contains(name));
        assert!(names_it, "{}, {part}: {refusal}", node.0.op_type);
    }
}

/// A constant expression is evaluated while the model is read, but not one that takes a terabyte.
#[test]
fn constants_that_grow_are_refused_before_they_do() {
    let mut grown = node("ConstantOfShape").integers(&[1 << 20, 1 << 20]);
    grown.0.input.remove(0);
    assert!(grown.refusal().contains("values"), "{}", grown.refusal());
    let mut outer =
        node("MatMul").floats(&[1 << 16, 1], &[1.0; 1 << 16]).floats(&[1, 1 << 16], &[1.0; 1 << 16]);
    outer.0.input.remove(0);
    assert!(outer.refusal().contains("values"), "{}", outer.refusal());
}

#[test]
fn a_model_that_computes_for_minutes_is_refused() {
    let mut large = node("Resize").floats(&[0], &[]).floats(&[4], &[1.0, 1.0, 4096.0, 4096.0]);
    large.0.output = vec!["large".to_owned()];
    let mut mean = node("AveragePool").ints("kernel_shape", &[4096, 4096]);
    mean.0.input = vec!["large".to_owned()];
    let refusal = Network::load(&model(&[&large, &mean]), SHAPE, &["y"], 1).unwrap_err().to_string();
    assert!(refusal.contains("`y`, the model takes") && refusal.contains("multiply-adds"), "{refusal}");
}
