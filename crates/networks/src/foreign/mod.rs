//! Turns third-party anomaly models, such as anomalib's exports, into models that the judge accepts.
//!
//! | file | what it does |
//! |---|---|
//! | `external` | loads weights stored beside the file |
//! | `outputs` | finds which of the model's values are the map and the score |
//! | `normalisation` | the normalisation of the image |
//! | `graph` | renames, prunes and wraps the graph |
//! | `error` | why a model can't be adopted |
//!
//! The result has the input `image` (1×3×H×W, RGB 0..1) and the outputs `anomaly_map` (1×1×H×W) and `score` (1), like any
//! model of a bundle. Between them are the nodes of the foreign model that these outputs need, unchanged.

mod error;
mod external;
mod graph;
mod normalisation;
mod outputs;

use std::path::Path;

use judge::onnx::{FLOAT, GraphProto, ModelProto, ValueInfoProto};
use judge::{Network, ReadError, read_regular_file};
use prost::Message as _;
use shared_format::Size;

pub use self::error::ForeignError;
use self::graph::Wrapped;
pub use self::normalisation::Normalisation;

/// Maximum size of a model's file: that of any protobuf message.
const MAX_BYTES: u64 = 2 << 30;

/// How to adopt a model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AdoptOptions<'a> {
    /// The value that is the anomaly map; found by its name if not given.
    pub map: Option<&'a str>,
    /// The value that is the score; if not given, found by its name, or else the map's largest value.
    pub score: Option<&'a str>,
    /// The normalisation that the model expects of an RGB image in 0..1; none if not given.
    pub normalisation: Option<Normalisation>,
}

/// An adopted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// The model that the judge accepts.
    pub onnx: Vec<u8>,
    /// The foreign model's value that is the map.
    pub map: String,
    /// The foreign model's value that is the score; `None` for the map's largest value.
    pub score: Option<String>,
    /// Whether a scaling of map and score to 0..1, which clips values, was removed.
    pub unscaled: bool,
}

/// A foreign model.
#[derive(Debug, Clone)]
pub struct ForeignModel {
    model: ModelProto,
    graph: GraphProto,
    input: ValueInfoProto,
}

impl ForeignModel {
    /// Reads a model and the files that hold its weights.
    ///
    /// # Errors
    /// See [`ForeignError`].
    pub fn read(path: &Path) -> Result<Self, ForeignError> {
        let no_onnx = |reason: String| ForeignError::Onnx { path: path.to_owned(), reason };
        let bytes = read_regular_file(path, MAX_BYTES).map_err(|e| match e {
            ReadError::Io(source) => ForeignError::Io { path: path.to_owned(), source },
            e => no_onnx(e.to_string()),
        })?;
        let mut model = ModelProto::decode(bytes.as_slice()).map_err(|e| no_onnx(e.to_string()))?;
        let mut graph = model.graph.take().ok_or_else(|| no_onnx("it has no graph".to_owned()))?;
        if let Some(function) = model.functions.first() {
            return Err(ForeignError::Functions(function.name.clone()));
        }
        external::gather(&mut graph, path)?;
        let input = only_input(&graph)?.clone();
        Ok(Self { model, graph, input })
    }

    /// Returns the size that the model takes, if it takes only one size.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        match dimensions(&self.input)[..] {
            [_, _, Some(height), Some(width)] => Some(Size { width, height }),
            _ => None,
        }
    }

    /// Makes the adopted model for images of this size.
    ///
    /// # Errors
    /// See [`ForeignError`].
    pub fn adopt(&self, options: &AdoptOptions<'_>, input: Size) -> Result<Adopted, ForeignError> {
        let dimensions = dimensions(&self.input);
        let fits = |dimension: Option<&Option<u32>>, side| !matches!(dimension, Some(Some(n)) if *n != side);
        if !(fits(dimensions.get(2), input.height) && fits(dimensions.get(3), input.width)) {
            let side = |axis: usize, other: u32| dimensions.get(axis).copied().flatten().unwrap_or(other);
            let model = Size { width: side(3, input.width), height: side(2, input.height) };
            return Err(ForeignError::Size { model, wanted: input });
        }
        let map = outputs::find_map(&self.graph, options.map)?;
        let score = outputs::find_score(&self.graph, options.score)?;
        let unscaled = map.is_unscaled || score.as_ref().is_some_and(|score| score.is_unscaled);
        let wrapped = Wrapped::new(&self.graph, &self.input.name, input, options.normalisation);
        let sides = [1, 3, input.height as usize, input.width as usize];
        let values = [Some(&map), score.as_ref()].into_iter().flatten();
        let values: Vec<&str> = values.map(|output| output.value.as_str()).collect();
        let names: Vec<String> = values.iter().map(|value| graph::internal_name(value)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let network = Network::load(&self.encoded(wrapped.with_values(&values)), sides, &names, 1)?;
        let graph = wrapped.with_outputs(&values, network.output_shapes())?;
        let score = score.map(|score| score.name);
        Ok(Adopted { onnx: self.encoded(graph), map: map.name, score, unscaled })
    }

    fn encoded(&self, graph: GraphProto) -> Vec<u8> {
        ModelProto { graph: Some(graph), ..self.model.clone() }.encode_to_vec()
    }
}

/// Returns the only input that isn't a constant, if it can be an image.
fn only_input(graph: &GraphProto) -> Result<&ValueInfoProto, ForeignError> {
    // Older files also list their constants as inputs.
    let is_constant = |input: &&ValueInfoProto| graph.initializer.iter().any(|c| c.name == input.name);
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(|input| !is_constant(input)).collect();
    let &[input] = inputs.as_slice() else {
        return Err(ForeignError::Input(format!("{} inputs", inputs.len())));
    };
    let kind = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    match kind {
        Some(kind) if kind.elem_type == FLOAT => {}
        Some(kind) => return Err(ForeignError::Input(format!("values of ONNX type {}", kind.elem_type))),
        None => return Err(ForeignError::Input("an input that isn't a tensor".to_owned())),
    }
    match dimensions(input)[..] {
        [batch, channels, _, _] if batch.is_none_or(|n| n == 1) && channels.is_none_or(|n| n == 3) => {
            Ok(input)
        }
        ref other => {
            let sides = other.iter().map(|side| side.map_or_else(|| "?".to_owned(), |n| n.to_string()));
            Err(ForeignError::Input(format!("an input of {}", sides.collect::<Vec<_>>().join("×"))))
        }
    }
}

/// Returns the lengths of the axes that the file fixes.
fn dimensions(input: &ValueInfoProto) -> Vec<Option<u32>> {
    let kind = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let shape = kind.and_then(|kind| kind.shape.as_ref());
    let axes = shape.into_iter().flat_map(|shape| &shape.dim);
    axes.map(|axis| axis.dim_value.and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0)).collect()
}
