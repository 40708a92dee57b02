//! ONNX messages → tract's typed graph, for one fixed input shape.
//!
//! tract has an ONNX reader of its own. It knows every operator there is and infers shapes in all directions; that is
//! five megabytes of a board's program for the two dozen operators that judged models are made of, and a slower start.

use std::collections::HashMap;

use prost::Message;
use tract_core::internal::*;

use super::operators;
use super::{EngineError, in_one_line, in_words};
use crate::onnx::{FLOAT, GraphProto, INT64, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// A model under construction, with every value that the ONNX file names.
pub(super) struct Graph {
    pub model: TypedModel,
    values: HashMap<String, OutletId>,
    announced: Vec<String>,
}

impl Graph {
    /// Reads a model whose one input is `input` (batch, channels, height, width).
    ///
    /// # Errors
    /// [`EngineError`]: no ONNX, an operator or a kind of value that the engine doesn't know, another input.
    pub fn read(onnx: &[u8], input: [usize; 4]) -> Result<Self, EngineError> {
        let proto = ModelProto::decode(onnx).map_err(|e| EngineError::Model(e.to_string()))?;
        let graph = proto.graph.ok_or_else(|| EngineError::Model("it holds no graph".to_owned()))?;
        let name = declared_input(&graph, input)?.to_owned();
        let mut read = Self {
            model: TypedModel::default(),
            values: HashMap::new(),
            announced: graph.output.iter().map(|output| output.name.clone()).collect(),
        };
        read.fill(&graph, name, input).map_err(|e| EngineError::Model(in_one_line(&e)))?;
        Ok(read)
    }

    fn fill(&mut self, graph: &GraphProto, name: String, input: [usize; 4]) -> TractResult<()> {
        let source = self.model.add_source(&name, f32::fact(input))?;
        self.values.insert(name, source);
        for initializer in &graph.initializer {
            let constant = tensor(initializer).with_context(|| format!("constant `{}`", initializer.name))?;
            let outlet = self.model.add_const(&initializer.name, constant)?;
            self.values.insert(initializer.name.clone(), outlet);
        }
        for node in &graph.node {
            self.add(node).with_context(|| format!("node `{}` ({})", node.name, node.op_type))?;
        }
        let nowhere = self.announced.iter().find(|name| !self.values.contains_key(*name));
        if let Some(name) = nowhere {
            bail!("no node gives its output `{name}`");
        }
        Ok(())
    }

    fn add(&mut self, node: &NodeProto) -> TractResult<()> {
        let given = |name: &String| {
            self.values.get(name).copied().ok_or_else(|| format_err!("its input `{name}` comes from nowhere"))
        };
        // An empty name stands for an optional input that isn't given. None of the known operators has one before
        // another that is.
        let inputs = node.input.iter().filter(|name| !name.is_empty()).map(given);
        let inputs: TVec<OutletId> = inputs.collect::<TractResult<_>>()?;
        let first = node.output.first().map_or(node.name.as_str(), String::as_str);
        let name = self.model.unique_name(first).into_owned();
        let outlets = operators::wire(&mut self.model, &name, node, &inputs)?;
        ensure!(node.output.len() <= outlets.len(), "it has {} outputs", node.output.len());
        for (name, outlet) in node.output.iter().zip(outlets) {
            self.values.insert(name.clone(), outlet);
        }
        Ok(())
    }

    /// The value of that name.
    ///
    /// # Errors
    /// [`EngineError::OutputMissing`], with the outputs that the file announces.
    pub fn value(&self, name: &str) -> Result<OutletId, EngineError> {
        self.values.get(name).copied().ok_or_else(|| {
            let names: Vec<String> = self.announced.iter().map(|name| format!("`{name}`")).collect();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            EngineError::OutputMissing { wanted: name.to_owned(), found }
        })
    }
}

/// The name of the graph's one input that is not a constant, if it takes values of the shape `wanted`.
fn declared_input(graph: &GraphProto, wanted: [usize; 4]) -> Result<&str, EngineError> {
    // Older files list their constants among the inputs, too.
    let constant = |input: &&ValueInfoProto| graph.initializer.iter().any(|c| c.name == input.name);
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(|input| !constant(input)).collect();
    let &[input] = inputs.as_slice() else {
        return Err(EngineError::Input(format!("{} inputs", inputs.len())));
    };
    let Some(kind) = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
        return Err(EngineError::Input("an input that is no tensor".to_owned()));
    };
    if kind.elem_type != FLOAT {
        return Err(EngineError::Input(format!("an input of ONNX's type {}", kind.elem_type)));
    }
    let Some(shape) = &kind.shape else { return Ok(&input.name) };
    // Dimensions without a value (an exported batch size, for example) take what the recipe gives.
    let takes = |(dim, want): (Option<i64>, usize)| dim.is_none_or(|n| n == want as i64);
    let dims = shape.dim.iter().map(|dim| dim.dim_value);
    if shape.dim.len() == wanted.len() && dims.clone().zip(wanted).all(takes) {
        return Ok(&input.name);
    }
    let model: Vec<String> = dims.map(|dim| dim.map_or_else(|| "?".to_owned(), |n| n.to_string())).collect();
    Err(EngineError::InputShape { model: model.join("×"), recipe: in_words(&wanted) })
}

fn tensor(proto: &TensorProto) -> TractResult<Tensor> {
    let dims = proto.dims.iter().map(|&dim| usize::try_from(dim)).collect::<Result<TVec<usize>, _>>()?;
    let count = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    let raw = proto.raw_data.as_slice();
    match proto.data_type {
        FLOAT if raw.is_empty() => shaped(&dims, count, proto.float_data.clone()),
        FLOAT => shaped(&dims, count, from_bytes(raw, f32::from_le_bytes)?),
        INT64 if raw.is_empty() => shaped(&dims, count, proto.int64_data.clone()),
        INT64 => shaped(&dims, count, from_bytes(raw, i64::from_le_bytes)?),
        other => bail!("it is of ONNX's type {other}; floats (1) and 64-bit integers (7) are known"),
    }
}

fn shaped<T: Datum + Copy>(dims: &[usize], count: Option<usize>, values: Vec<T>) -> TractResult<Tensor> {
    ensure!(count == Some(values.len()), "it holds {} values, not {dims:?}", values.len());
    Tensor::from_shape(dims, &values)
}

fn from_bytes<T, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> TractResult<Vec<T>> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    ensure!(rest.is_empty(), "{} bytes are no whole number of values", bytes.len());
    Ok(chunks.iter().map(|&chunk| read(chunk)).collect())
}
