//! Models of a few nodes, run by both engines.

use judge::onnx::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use judge::{Engine, Network, Options};
use prost::Message;

pub const SHAPE: [usize; 4] = [1, 3, 40, 37];

/// A graph under construction. Values are named after their nodes.
#[derive(Default)]
pub struct Graph(GraphProto);

impl Graph {
    pub fn constant(&mut self, dims: &[i64], value: impl Fn(usize) -> f32) -> String {
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

    pub fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> String {
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
            ..Default::default()
        });
        name
    }

    /// Adds a convolution; weights are output × channel × row × column.
    pub fn conv(&mut self, x: &str, weights: [i64; 4], attributes: &[(&str, &[i64])]) -> String {
        let seed = self.0.node.len();
        let scale = 2.0 / ((weights[1] * weights[2] * weights[3]) as f32).sqrt();
        let filters = self.constant(&weights, |i| ((i * 7 + seed) as f32).sin() * scale);
        let bias = self.constant(&weights[..1], |i| (i as f32 - 3.0) * 0.02);
        self.node("Conv", &[x, &filters, &bias], attributes)
    }

    pub fn relu(&mut self, x: &str) -> String {
        self.node("Relu", &[x], &[])
    }

    pub fn integers(&mut self, values: &[i64]) -> String {
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

    pub fn sum_of_channels(&mut self, x: &str) -> String {
        let axes = self.integers(&[1]);
        self.node("ReduceSum", &[x, &axes], &[])
    }

    pub fn finish(mut self, outputs: &[&str]) -> Vec<u8> {
        let dim = SHAPE.iter().map(|&side| DimensionProto { dim_value: Some(side as i64) }).collect();
        let tensor_type = Some(TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) });
        self.0.input = vec![ValueInfoProto { name: "x".to_owned(), r#type: Some(TypeProto { tensor_type }) }];
        let output = |&name: &&str| ValueInfoProto { name: name.to_owned(), r#type: None };
        self.0.output = outputs.iter().map(output).collect();
        let set = OperatorSetIdProto { domain: String::new(), version: 17 };
        ModelProto { ir_version: 8, graph: Some(self.0), opset_import: vec![set], ..Default::default() }
            .encode_to_vec()
    }
}

pub fn image() -> Vec<f32> {
    (0..SHAPE.iter().product()).map(|i| ((i * 31 % 257) as f32 / 128.0) - 1.0).collect()
}

/// Asserts that both engines agree, on any number of threads. Returns the kernels.
pub fn agree(onnx: &[u8], outputs: &[&str]) -> Vec<String> {
    let plain = Options { engine: Engine::Plain, ..Options::default() };
    let mut plain = Network::load_with(onnx, SHAPE, outputs, plain).unwrap();
    assert!(plain.replacements().is_empty());
    let expected = plain.run(&image()).unwrap();
    let mut first = None;
    let mut kernels = Vec::new();
    for threads in [1, 2, 3] {
        let mut network = Network::load(onnx, SHAPE, outputs, threads).unwrap();
        assert_eq!(network.output_shapes(), plain.output_shapes());
        for _ in 0..3 {
            let found = network.run(&image()).unwrap();
            for ((found, expected), name) in found.iter().zip(&expected).zip(outputs) {
                let largest = expected.iter().fold(0f32, |max, x| max.max(x.abs()));
                for (a, b) in found.iter().zip(expected) {
                    assert!(
                        (a - b).abs() <= 1e-5 * largest,
                        "{name}: {a} instead of {b}, largest value {largest}"
                    );
                }
            }
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{threads} threads change bits");
        }
        kernels = network.replacements().iter().map(|r| r.kernel.clone()).collect();
    }
    kernels
}
