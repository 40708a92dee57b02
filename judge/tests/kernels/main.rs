//! The project's kernels in a model against tract alone.
// The settings for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use judge::onnx::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use judge::{Engine, Network};
use prost::Message;
use shared_format::Arithmetic;

const SHAPE: [usize; 4] = [1, 3, 40, 37];

/// A graph under construction. Values are named by their nodes.
#[derive(Default)]
struct Graph(GraphProto);

impl Graph {
    fn constant(&mut self, dims: &[i64], value: impl Fn(usize) -> f32) -> String {
        let name = format!("constant{}", self.0.initializer.len());
        let count = dims.iter().product::<i64>() as usize;
        let raw_data = (0..count).flat_map(|i| value(i).to_le_bytes()).collect();
        let dims = dims.to_vec();
        self.0.initializer.push(TensorProto {
            name: name.clone(),
            dims,
            data_type: FLOAT,
            raw_data,
            ..Default::default()
        });
        name
    }

    fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> String {
        let name = format!("{}{}", kind.to_lowercase(), self.0.node.len());
        let attribute = attributes.iter().map(|&(name, ints)| match ints {
            &[i] if name != "axes" => {
                AttributeProto { name: name.to_owned(), i: Some(i), r#type: 2, ..Default::default() }
            }
            ints => {
                AttributeProto { name: name.to_owned(), ints: ints.to_vec(), r#type: 7, ..Default::default() }
            }
        });
        self.0.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: kind.to_owned(),
            attribute: attribute.collect(),
        });
        name
    }

    /// Weights are output × channel × row × column.
    fn conv(&mut self, x: &str, weights: [i64; 4], attributes: &[(&str, &[i64])]) -> String {
        let seed = self.0.node.len();
        let scale = 2.0 / ((weights[1] * weights[2] * weights[3]) as f32).sqrt();
        let filters = self.constant(&weights, |i| ((i * 7 + seed) as f32).sin() * scale);
        let bias = self.constant(&weights[..1], |i| (i as f32 - 3.0) * 0.02);
        self.node("Conv", &[x, &filters, &bias], attributes)
    }

    fn relu(&mut self, x: &str) -> String {
        self.node("Relu", &[x], &[])
    }

    fn integers(&mut self, values: &[i64]) -> String {
        let name = format!("integers{}", self.0.initializer.len());
        self.0.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: INT64,
            int64_data: values.to_vec(),
            ..Default::default()
        });
        name
    }

    fn sum_of_channels(&mut self, x: &str) -> String {
        let axes = self.integers(&[1]);
        self.node("ReduceSum", &[x, &axes], &[])
    }

    fn finish(mut self, outputs: &[&str]) -> Vec<u8> {
        let dim = SHAPE.iter().map(|&side| DimensionProto { dim_value: Some(side as i64) }).collect();
        let tensor_type = Some(TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) });
        self.0.input = vec![ValueInfoProto { name: "x".to_owned(), r#type: Some(TypeProto { tensor_type }) }];
        let output = |&name: &&str| ValueInfoProto { name: name.to_owned(), r#type: None };
        self.0.output = outputs.iter().map(output).collect();
        ModelProto { ir_version: 8, graph: Some(self.0), ..Default::default() }.encode_to_vec()
    }
}

fn image() -> Vec<f32> {
    (0..SHAPE.iter().product()).map(|i| ((i * 31 % 257) as f32 / 128.0) - 1.0).collect()
}

/// Both engines agree, on any number of threads. Returns the kernels.
fn agree(onnx: &[u8], outputs: &[&str]) -> Vec<String> {
    let mut plain = Network::load_with(Engine::Plain, Arithmetic::Single, onnx, SHAPE, outputs, 1).unwrap();
    assert!(plain.replaced().is_empty());
    let expected = plain.run(&image()).unwrap();
    let mut first = None;
    let mut kernels = Vec::new();
    for threads in [1, 2, 3] {
        let mut network = Network::load(onnx, SHAPE, outputs, threads).unwrap();
        assert_eq!(network.output_shapes(), plain.output_shapes());
        for _ in 0..3 {
            let found = network.run(&image()).unwrap();
            for ((found, expected), name) in found.iter().zip(&expected).zip(outputs) {
                let most = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
                for (a, b) in found.iter().zip(expected) {
                    assert!((a - b).abs() <= 1e-5 * most, "{name}: {a} instead of {b}, at most {most}");
                }
            }
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{threads} threads change bits");
        }
        kernels = network.replaced().iter().map(|r| r.kernel.clone()).collect();
    }
    kernels
}

/// The attributes of a maximum as ResNet has it.
const HALVING: [(&str, &[i64]); 3] =
    [("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[1, 1, 1, 1])];

#[test]
fn a_residual_network_becomes_kernels() {
    let mut g = Graph::default();
    let x = g.conv("x", [32, 3, 7, 7], &[("strides", &[2, 2]), ("pads", &[3, 3, 3, 3])]);
    let x = g.relu(&x);
    let x = g.node("MaxPool", &[&x], &HALVING);
    let y = g.conv(&x, [32, 32, 3, 3], &[("pads", &[1, 1, 1, 1])]);
    let y = g.relu(&y);
    let y = g.conv(&y, [32, 32, 3, 3], &[("pads", &[1, 1, 1, 1])]);
    let y = g.node("Add", &[&y, &x], &[]);
    let y = g.relu(&y);
    let z = g.conv(&y, [48, 32, 1, 1], &[("strides", &[2, 2])]);
    let sum = g.sum_of_channels(&z);
    let kernels = agree(&g.finish(&[&sum, &y]), &[&sum, &y]);
    assert_eq!(
        kernels,
        [
            "Winograd F(4×4, 4×4), ReLU, maximum",
            "Winograd F(4×4, 3×3), ReLU",
            "Winograd F(4×4, 3×3), residual, ReLU",
            "direct"
        ]
    );
}

#[test]
fn a_depthwise_network_becomes_kernels() {
    let mut g = Graph::default();
    let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
    let x = g.conv("x", [20, 3, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
    let x = g.node("Clip", &[&x, &low, &high], &[]);
    let y = g.conv(&x, [20, 1, 5, 5], &[("group", &[20]), ("pads", &[2, 2, 2, 2])]);
    let y = g.node("Clip", &[&y, &low, &high], &[]);
    let y = g.conv(&y, [20, 20, 1, 1], &[]);
    let y = g.node("Add", &[&x, &y], &[]);
    let kernels = agree(&g.finish(&[&y]), &[&y]);
    assert_eq!(kernels, ["direct, ReLU6", "depthwise, ReLU6", "pointwise, residual"]);
}

/// Inverted bottlenecks, and the name of what they give.
fn bottlenecks() -> (Vec<u8>, String) {
    let mut g = Graph::default();
    let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
    let mut x = g.conv("x", [16, 3, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
    for (wide, kernel, stride, outputs) in [(96, 3, 1, 16), (64, 5, 2, 24), (40, 3, 1, 24)] {
        let inputs = if wide == 40 { 24 } else { 16 };
        let y = g.conv(&x, [wide, inputs, 1, 1], &[]);
        let y = g.node("Clip", &[&y, &low, &high], &[]);
        let around = (kernel - stride) / 2;
        let pads = [around, around, kernel - stride - around, kernel - stride - around];
        let attributes: [(&str, &[i64]); 3] =
            [("group", &[wide]), ("pads", &pads), ("strides", &[stride, stride])];
        let y = g.conv(&y, [wide, 1, kernel, kernel], &attributes);
        let y = g.node("Clip", &[&y, &low, &high], &[]);
        let y = g.conv(&y, [outputs, wide, 1, 1], &[]);
        x = if inputs == outputs { g.node("Add", &[&y, &x], &[]) } else { y };
    }
    (g.finish(&[&x]), x)
}

#[test]
fn inverted_bottlenecks_become_kernels() {
    let (onnx, x) = bottlenecks();
    let kernels = agree(&onnx, &[&x]);
    // 40 channels are no whole number of blocks: three kernels instead of one.
    let expected = [
        "direct",
        "bottleneck, residual",
        "bottleneck",
        "pointwise, ReLU6",
        "depthwise, ReLU6",
        "pointwise, residual",
    ];
    assert_eq!(kernels, expected);
}

#[test]
fn bottlenecks_alone_compute_with_sixteen_bits_where_that_is_asked_for() {
    let (onnx, x) = bottlenecks();
    let run = |engine, arithmetic| {
        let mut network = Network::load_with(engine, arithmetic, &onnx, SHAPE, &[&x], 1).unwrap();
        (network.run(&image()).unwrap().concat(), network.replaced().to_vec())
    };
    let (single, replaced) = run(Engine::Kernels, Arithmetic::Single);
    assert!(replaced.iter().all(|r| r.arithmetic == Arithmetic::Single));
    let (half, replaced) = run(Engine::Kernels, Arithmetic::Half);
    let in_half = replaced.iter().filter(|r| r.arithmetic == Arithmetic::Half);
    let words: Vec<&str> = in_half.map(|r| r.kernel.as_str()).collect();
    assert_eq!(words, ["bottleneck in 16 bits, residual", "bottleneck in 16 bits"]);
    let most = single.iter().fold(0f32, |most, x| most.max(x.abs()));
    let apart = single.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(apart > 1e-5 * most && apart < 2e-2 * most, "{apart} of {most}");
    // tract computes with 32 bits whatever is asked for.
    assert_eq!(run(Engine::Plain, Arithmetic::Half), run(Engine::Plain, Arithmetic::Single));
}

#[test]
fn a_first_convolution_and_the_block_behind_it_become_one_kernel() {
    for channels in [3, 8] {
        let mut g = Graph::default();
        let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
        // Eight channels come from a kernel of their own, channels last.
        let image = if channels == 3 { "x".to_owned() } else { g.conv("x", [8, 3, 2, 2], &[]) };
        let x = g.conv(&image, [32, channels, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
        let x = g.node("Clip", &[&x, &low, &high], &[]);
        let x = g.conv(&x, [32, 1, 3, 3], &[("group", &[32]), ("pads", &[1; 4])]);
        let x = g.node("Clip", &[&x, &low, &high], &[]);
        let x = g.conv(&x, [16, 32, 1, 1], &[]);
        let kernels = agree(&g.finish(&[&x]), &[&x]);
        assert_eq!(kernels, if channels == 3 { &["bottleneck"][..] } else { &["direct", "bottleneck"] });
    }
}

#[test]
fn a_difference_becomes_a_kernel() {
    for read_by_others in [false, true] {
        let mut g = Graph::default();
        let x = g.conv("x", [24, 3, 4, 4], &[]);
        let y = g.conv("x", [24, 3, 4, 4], &[]);
        let difference = g.node("Sub", &[&x, &y], &[]);
        let square = g.node("Mul", &[&difference, &difference], &[]);
        let distance = g.sum_of_channels(&square);
        if read_by_others {
            let outputs = [&distance[..], &difference];
            assert_eq!(agree(&g.finish(&outputs), &outputs), ["direct", "direct"]);
        } else {
            assert_eq!(agree(&g.finish(&[&distance]), &[&distance]), ["direct", "direct", "distance"]);
        }
    }
}

#[test]
fn pooling_and_distances_become_kernels() {
    let mut g = Graph::default();
    let floor = g.constant(&[1, 1, 1, 1], |_| 1e-6);
    let mut directions = Vec::new();
    for _ in 0..2 {
        let x = g.conv("x", [24, 3, 4, 4], &[]);
        let x = g.relu(&x);
        let x = g.node("AveragePool", &[&x], &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])]);
        let x = g.conv(&x, [40, 24, 4, 4], &[]);
        let square = g.node("Mul", &[&x, &x], &[]);
        let sum = g.sum_of_channels(&square);
        let length = g.node("Sqrt", &[&sum], &[]);
        let length = g.node("Max", &[&length, &floor], &[]);
        directions.push(g.node("Div", &[&x, &length], &[]));
    }
    let difference = g.node("Sub", &[&directions[0], &directions[1]], &[]);
    let square = g.node("Mul", &[&difference, &difference], &[]);
    let distance = g.sum_of_channels(&square);
    let kernels = agree(&g.finish(&[&distance]), &[&distance]);
    assert_eq!(kernels.iter().filter(|k| *k == "direct, ReLU, mean of 2×2").count(), 2, "{kernels:?}");
    assert_eq!(kernels.iter().filter(|k| *k == "Winograd F(4×4, 4×4)").count(), 2, "{kernels:?}");
    assert!(kernels.contains(&"distance of directions".to_owned()), "{kernels:?}");
}

#[test]
fn a_maximum_joins_the_convolution_before_it() {
    for read_by_others in [false, true] {
        let mut g = Graph::default();
        let x = g.conv("x", [24, 3, 3, 3], &[]);
        let x = g.conv(&x, [40, 24, 3, 3], &[("pads", &[1; 4])]);
        let x = g.relu(&x);
        let y = g.node("MaxPool", &[&x], &HALVING);
        if read_by_others {
            let kernels = agree(&g.finish(&[&y, &x]), &[&y, &x]);
            assert_eq!(kernels, ["direct", "Winograd F(4×4, 3×3), ReLU", "maximum"]);
        } else {
            let kernels = agree(&g.finish(&[&y]), &[&y]);
            assert_eq!(kernels, ["direct", "Winograd F(4×4, 3×3), ReLU, maximum"]);
        }
    }
    // A direct convolution leaves the maximum to its own kernel.
    let mut g = Graph::default();
    let x = g.conv("x", [24, 3, 3, 3], &[]);
    let y = g.node("MaxPool", &[&x], &HALVING);
    assert_eq!(agree(&g.finish(&[&y]), &[&y]), ["direct", "maximum"]);
}

#[test]
fn resizing_becomes_a_kernel() {
    let sparse = |width: usize| move |i: usize| if i / width == i % width / 2 { 0.5 } else { 0.0 };
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let rows = g.constant(&[20, 38], sparse(38));
    let columns = g.constant(&[35, 50], |i| if i / 50 == i % 50 { 1.0 } else { 0.0 });
    let y = g.node("MatMul", &[&rows, &x], &[]);
    let y = g.node("MatMul", &[&y, &columns], &[]);
    let (fewer_rows, fewer_columns) = (g.constant(&[9, 18], sparse(18)), g.constant(&[48, 30], sparse(30)));
    let y = g.conv(&y, [8, 16, 3, 3], &[]);
    // The columns before the rows, as the trainer's exporter writes it.
    let y = g.node("MatMul", &[&y, &fewer_columns], &[]);
    let y = g.node("MatMul", &[&fewer_rows, &y], &[]);
    assert_eq!(agree(&g.finish(&[&y]), &[&y]), ["direct", "resampling", "direct", "resampling"]);
}

/// As PatchCore's graph has them: features of two levels side by side, and the nearest of a bank's parts.
#[test]
fn means_and_minima_become_kernels() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let window = [("kernel_shape", &[3i64, 3][..]), ("strides", &[1, 1]), ("pads", &[1, 1, 1, 1])];
    let inside = g.node("AveragePool", &[&x], &[&window[..], &[("count_include_pad", &[0])]].concat());
    let padded = g.node("AveragePool", &[&x], &[&window[..], &[("count_include_pad", &[1])]].concat());
    let strided = [("kernel_shape", &[3i64, 2][..]), ("strides", &[2, 3]), ("pads", &[0, 1, 1, 0])];
    let strided = g.node("AveragePool", &[&x], &strided);
    let both = g.node("Concat", &[&inside, &padded], &[("axis", &[1])]);
    let parts: Vec<String> = (0..3).map(|_| g.conv(&both, [20, 32, 1, 1], &[])).collect();
    let least = g.node("Min", &[&parts[0], &parts[1]], &[]);
    let least = g.node("Min", &[&parts[2], &least], &[]);
    let least = g.node("ReduceMin", &[&least], &[("axes", &[1])]);
    // Read once more: this minimum is no part of the one over the channels.
    let twice = g.node("Min", &[&parts[0], &parts[2]], &[]);
    let own = g.node("ReduceMin", &[&twice], &[("axes", &[1])]);
    let outputs = [least.as_str(), &own, &twice, &strided];
    let kernels = agree(&g.finish(&outputs), &outputs);
    let count = |words: &str| kernels.iter().filter(|kernel| *kernel == words).count();
    assert_eq!(count("mean of windows"), 3, "{kernels:?}");
    assert_eq!(count("minimum over channels"), 2, "{kernels:?}");
}

/// The image's normalisation and the score, as every exported graph has them; and others that only look like that.
#[test]
fn normalisations_and_scores_become_kernels() {
    let mut g = Graph::default();
    let means = g.constant(&[1, 3, 1, 1], |i| 0.4 + i as f32 * 0.1);
    let factors = g.constant(&[1, 3, 1, 1], |i| 4.0 + i as f32);
    let centred = g.node("Sub", &["x", &means], &[]);
    let normalised = g.node("Mul", &[&centred, &factors], &[]);
    let reversed = g.node("Sub", &[&means, "x"], &[]);
    let reversed = g.node("Mul", &[&reversed, &factors], &[]);
    let map = g.conv(&normalised, [1, 3, 3, 3], &[]);
    let [channels, height, width] = [SHAPE[1], SHAPE[2], SHAPE[3]].map(|side| side as i64);
    let (whole, inner) = (channels * height * width, (height - 2) * (width - 2));
    let mean = |g: &mut Graph, x: &str, shape: &[i64], count: i64, largest: i64| {
        let shape = g.integers(shape);
        let flat = g.node("Reshape", &[x, &shape], &[]);
        let count = g.integers(&[count]);
        let top = g.node("TopK", &[&flat, &count], &[("axis", &[1]), ("largest", &[largest])]);
        g.node("ReduceMean", &[&top], &[("axes", &[1]), ("keepdims", &[0])])
    };
    let score = mean(&mut g, &map, &[1, inner], 20, 1);
    let smallest = mean(&mut g, &map, &[1, inner], 20, 0);
    let rows = mean(&mut g, &reversed, &[channels, whole / channels], 5, 1);
    let outputs = [score.as_str(), &smallest, &rows, &map];
    let kernels = agree(&g.finish(&outputs), &outputs);
    let count = |words: &str| kernels.iter().filter(|kernel| *kernel == words).count();
    assert_eq!(count("normalisation"), 1, "{kernels:?}");
    assert_eq!(count("mean of the largest"), 1, "{kernels:?}");
}

/// What no kernel computes stays tract's, in the middle of what they do.
#[test]
fn unusual_operations_stay_right() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let dilated = g.conv(&x, [16, 16, 3, 3], &[("dilations", &[2, 2])]);
    let grouped = g.conv(&dilated, [16, 4, 3, 3], &[("group", &[4])]);
    let long = g.conv(&grouped, [17, 16, 1, 5], &[("pads", &[0, 4, 0, 0]), ("strides", &[3, 1])]);
    // Read twice: neither the activation nor the sum belongs to the convolution alone.
    let relu = g.relu(&long);
    let both = g.node("Add", &[&long, &relu], &[]);
    let shift = g.constant(&[17, 1, 1], |i| i as f32);
    let shifted = g.node("Mul", &[&both, &shift], &[]);
    let low = g.constant(&[], |_| -0.25);
    let floor = g.node("Max", &[&low, &both], &[]);
    let cap = g.node("Min", &[&floor, &low], &[]);
    let outputs = [x.as_str(), &long, &relu, &shifted, &cap];
    let kernels = agree(&g.finish(&outputs), &outputs);
    assert_eq!(kernels, ["direct", "direct"]);
}

/// A convolution by computed weights, and a model without any.
#[test]
fn models_without_a_match_run() {
    let mut g = Graph::default();
    let shape = g.constant(&[2, 3, 1, 1], |i| i as f32);
    let weights = g.node("Exp", &[&shape], &[]);
    let y = g.node("Conv", &["x", &weights], &[]);
    let kernels = agree(&g.finish(&[&y]), &[&y]);
    assert!(kernels.len() <= 1, "{kernels:?}");

    let mut g = Graph::default();
    let y = g.relu("x");
    let y = g.node("MaxPool", &[&y], &[("kernel_shape", &[2, 2])]);
    assert!(agree(&g.finish(&[&y]), &[&y]).is_empty());
}

#[test]
fn a_profile_names_every_operation() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let x = g.relu(&x);
    let y = g.conv(&x, [16, 16, 3, 3], &[]);
    let mut network = Network::load(&g.finish(&[&y]), SHAPE, &[&y], 1).unwrap();
    let times = network.profile(&image(), 3).unwrap();
    assert!(times.iter().any(|t| t.name == y && t.operation == "Winograd F(4×4, 3×3)"), "{times:?}");
    assert!(network.profile(&[0.0], 1).is_err());
}
