//! Test fixtures: tiny ONNX models, bundles made of them, frames, JPEG bytes. Shared with edge-runtime's tests.
// Each test program uses only a part of it.
#![allow(dead_code)]

use std::path::Path;

use judge::{
    Frame, GOLDEN_FOLDER, MODEL_FILE, Pixels, Preparer, Scorer, THRESHOLD_FILE, encode_png, file_sha256,
};
use shared_format::{
    Alignment, Arithmetic, Colour, Evidence, FrameRange, Golden, ImageScore, Motion, Recipe, Reference,
    Sample, ScoreQuantiles, Size, ThresholdFile, Tiles, threshold_file,
};

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, field: u8, value: u64) -> Self {
        self.push_varint(u64::from(field) << 3);
        self.push_varint(value);
        self
    }

    fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        self.push_varint(u64::from(field) << 3 | 2);
        self.push_varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, field: u8, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    fn message(self, field: u8, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn node(kind: &str, input: &str, output: &str) -> Message {
    Message::default().text(1, input).text(2, output).text(3, output).text(4, kind)
}

fn max_over(axes: &[u64], keep: bool, input: &str, output: &str) -> Message {
    node("ReduceMax", input, output)
        .message(5, integers("axes", axes))
        .message(5, integer("keepdims", keep.into()))
}

/// Builds an attribute.
fn integers(name: &str, values: &[u64]) -> Message {
    let named = Message::default().text(1, name);
    values.iter().fold(named, |ints, &value| ints.varint(8, value)).varint(20, 7)
}

fn integer(name: &str, value: u64) -> Message {
    Message::default().text(1, name).varint(3, value).varint(20, 2)
}

/// Builds a constant tensor.
fn initializer(name: &str, shape: &[u64], values: &[f32]) -> Message {
    let dims = shape.iter().fold(Message::default(), |dims, &side| dims.varint(1, side));
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    dims.varint(2, 1).text(8, name).bytes(9, &bytes)
}

/// Builds a constant vector of 64-bit integers.
fn whole_numbers(name: &str, values: &[u64]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Message::default().varint(1, values.len() as u64).varint(2, 7).text(8, name).bytes(9, &bytes)
}

fn float_value(name: &str, shape: &[u64]) -> Message {
    let mut dims = Message::default();
    for &side in shape {
        dims = dims.message(1, Message::default().varint(1, side));
    }
    let tensor = Message::default().varint(1, 1).message(2, dims);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// Builds a model for side × side input: the map is the brightest channel after the element-wise `operations`, the
/// score the map's maximum. A bright spot in a dark frame is the defect.
pub fn onnx(side: u64, operations: &[&str]) -> Vec<u8> {
    onnx_with_outputs(side, operations, ["anomaly_map", "score"])
}

/// Like [`onnx`], but with a graph that declares outputs that its nodes don't produce, if the names differ.
pub fn onnx_with_outputs(side: u64, operations: &[&str], outputs: [&str; 2]) -> Vec<u8> {
    let mut graph = Message::default().message(1, max_over(&[1], true, "image", "peak"));
    let mut last = "peak".to_owned();
    for (i, operation) in operations.iter().enumerate() {
        let next = format!("step{i}");
        graph = graph.message(1, node(operation, &last, &next));
        last = next;
    }
    model(graph.message(1, node("Identity", &last, "anomaly_map")), side, outputs)
}

/// Builds a model like [`onnx`] that also has the output `score_map`: the square root of its map or, if `is_row`, one row of it.
pub fn onnx_with_score_map(side: u64, is_row: bool) -> Vec<u8> {
    let (rows, root) = if is_row {
        (1, max_over(&[2], true, "anomaly_map", "score_map"))
    } else {
        (side, node("Sqrt", "anomaly_map", "score_map"))
    };
    let graph = Message::default()
        .message(1, max_over(&[1], true, "image", "anomaly_map"))
        .message(1, root)
        .message(12, float_value("score_map", &[1, 1, rows, side]));
    model(graph, side, ["anomaly_map", "score"])
}

/// Builds a model whose graph has branches: the map is the matrix product of exp and root of the brightest channel,
/// less that channel. If the brightest value is 1 or more, an index is out of range and the model fails on the frame.
pub fn branching_onnx(side: u64) -> Vec<u8> {
    let to_integer = Message::default().text(1, "to").varint(3, 7).varint(20, 2);
    let graph = Message::default()
        .message(1, max_over(&[1], true, "image", "peak"))
        .message(1, max_over(&[1, 2, 3], false, "peak", "brightest"))
        .message(1, node("Cast", "brightest", "index").message(5, to_integer))
        .message(1, node("Gather", "peak", "chosen").text(1, "index"))
        .message(1, node("Exp", "chosen", "left"))
        .message(1, node("Sqrt", "peak", "right"))
        .message(1, node("MatMul", "left", "product").text(1, "right"))
        .message(1, node("Sub", "product", "anomaly_map").text(1, "peak"));
    model(graph, side, ["anomaly_map", "score"])
}

/// Builds a model with an inverted bottleneck, whose map is the mean of the channels, as accurately as the arithmetic
/// allows.
pub fn bottleneck_onnx(side: u64) -> Vec<u8> {
    const WIDE: u64 = 32;
    // Nine weights per channel, of which only the middle one counts.
    let middle: Vec<f32> = (0..9 * WIDE).map(|place| f32::from(u8::from(place % 9 == 4))).collect();
    let weights = [
        ("expand", [WIDE, 3, 1, 1], vec![1.0 / 3.0; 3 * WIDE as usize]),
        ("depthwise", [WIDE, 1, 3, 3], middle),
        ("project", [1, WIDE, 1, 1], vec![1.0 / WIDE as f32; WIDE as usize]),
    ];
    let mut graph = Message::default()
        .message(1, node("Conv", "image", "wide").text(1, "expand"))
        .message(1, node("Relu", "wide", "positive"))
        .message(
            1,
            node("Conv", "positive", "filtered")
                .text(1, "depthwise")
                .message(5, integer("group", WIDE))
                .message(5, integers("pads", &[1; 4])),
        )
        .message(1, node("Relu", "filtered", "rectified"))
        .message(1, node("Conv", "rectified", "anomaly_map").text(1, "project"));
    for (name, shape, values) in weights {
        graph = graph.message(5, initializer(name, &shape, &values));
    }
    model(graph, side, ["anomaly_map", "score"])
}

/// Builds a model with windows and with operators whose constants are sizes: the map is a resized reduction of the
/// image.
pub fn window_onnx(side: u64) -> Vec<u8> {
    let half = side / 2;
    let pool = |kind, input, output, pads: &[u64]| {
        node(kind, input, output)
            .message(5, integers("kernel_shape", &[3, 3]))
            .message(5, integers("strides", &[2, 2]))
            .message(5, integers("pads", pads))
    };
    let matrix = |name, shape: [u64; 2]| {
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| (i % 3) as f32 / 4.0).collect();
        initializer(name, &shape, &values)
    };
    let graph = Message::default()
        .message(1, max_over(&[1], true, "image", "peak"))
        .message(1, pool("MaxPool", "peak", "largest", &[1, 1, 1, 1]))
        .message(1, pool("AveragePool", "peak", "mean", &[1, 1, 1, 1]))
        .message(1, node("Concat", "largest", "both").text(1, "mean").message(5, integer("axis", 1)))
        .message(1, node("Transpose", "both", "last").message(5, integers("perm", &[0, 2, 3, 1])))
        .message(1, node("Transpose", "last", "first").message(5, integers("perm", &[0, 3, 1, 2])))
        .message(1, node("Expand", "first", "expanded").text(1, "sides"))
        .message(1, node("Slice", "expanded", "slice").text(1, "starts").text(1, "ends").text(1, "axes"))
        .message(1, node("Pad", "slice", "padded").text(1, "pads"))
        .message(1, node("Reshape", "padded", "square").text(1, "sides_of_one"))
        .message(1, node("MatMul", "rows", "tall").text(1, "square"))
        .message(1, node("MatMul", "tall", "anomaly_map").text(1, "columns"))
        .message(5, whole_numbers("sides", &[1, 2, half, half]))
        .message(5, whole_numbers("starts", &[0]))
        .message(5, whole_numbers("ends", &[1]))
        .message(5, whole_numbers("axes", &[1]))
        .message(5, whole_numbers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]))
        .message(5, whole_numbers("sides_of_one", &[1, 1, half + 2, half + 2]))
        .message(5, matrix("rows", [side, half + 2]))
        .message(5, matrix("columns", [half + 2, side]));
    model(graph, side, ["anomaly_map", "score"])
}

/// Builds a model that judges `tiles` tiles in a row together: the map is the brightest channel less the value that `subtracted` names,
/// which may be one of the tiles' (`tile_features`, `peak`), or the input.
pub fn joint_onnx(side: u64, tiles: u64, subtracted: &str) -> Vec<u8> {
    let graph = Message::default()
        .message(1, max_over(&[1], true, "image", "peak"))
        .message(1, node("Identity", "peak", "tile_features"))
        .message(1, max_over(&[1, 2, 3], true, subtracted, "own"))
        .message(1, node("Sub", "tile_features", "less").text(1, "own"))
        .message(1, node("Transpose", "less", "by_row").message(5, integers("perm", &[1, 2, 0, 3])))
        .message(1, node("Reshape", "by_row", "anomaly_map").text(1, "whole"))
        .message(5, whole_numbers("whole", &[1, 1, side, tiles * side]));
    model_of(graph, [tiles, side], [side, tiles * side], ["anomaly_map", "score"])
}

/// Adds the score, the input and the outputs to a graph from `image` to `anomaly_map`.
fn model(graph: Message, side: u64, outputs: [&str; 2]) -> Vec<u8> {
    model_of(graph, [1, side], [side, side], outputs)
}

fn model_of(
    graph: Message,
    [images, side]: [u64; 2],
    [height, width]: [u64; 2],
    outputs: [&str; 2],
) -> Vec<u8> {
    let graph = graph
        .message(1, max_over(&[1, 2, 3], false, "anomaly_map", "score"))
        .text(2, "tiny")
        .message(11, float_value("image", &[images, 3, side, side]))
        .message(12, float_value(outputs[0], &[1, 1, height, width]))
        .message(12, float_value(outputs[1], &[1]));
    let opset = Message::default().text(1, "").varint(2, 17);
    // The graph comes last, so that a model cut anywhere lacks a part of it.
    Message::default().varint(1, 8).message(8, opset).message(7, graph).0
}

pub fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

/// Returns a recipe for the whole frame at 64×64; frames of 32 to 200 pixels a side are admitted.
pub fn recipe() -> Recipe {
    Recipe {
        input: size(64, 64),
        roi: None,
        tiles: Tiles::ONE,
        colour: Colour::Rgb,
        frames: FrameRange { min: size(64, 64), max: size(100, 100) },
        alignment: None,
        ignore: None,
        reference_patch: None,
    }
}

/// Returns a dark grey frame with one bright square of 8 pixels at 16,24 (score `spot` / 255), or without it if `spot`
/// is 0.
pub fn frame(spot: u8) -> Frame {
    let mut values = vec![10; 64 * 64];
    if spot > 0 {
        for y in 24..32 {
            values[y * 64 + 16..y * 64 + 24].fill(spot);
        }
    }
    Frame::new(size(64, 64), Pixels::Grey8(values)).unwrap()
}

pub fn thresholds(onnx: &[u8], recipe: Recipe) -> ThresholdFile {
    let scores = ScoreQuantiles {
        min: 0.03,
        q05: 0.03,
        q25: 0.035,
        q50: 0.04,
        q75: 0.045,
        q95: 0.05,
        q99: 0.06,
        max: 0.07,
    };
    ThresholdFile {
        producer: "tests 1".try_into().unwrap(),
        method: "brightest".try_into().unwrap(),
        teacher: "".try_into().unwrap(),
        model_sha256: file_sha256(onnx),
        recipe,
        arithmetic: Arithmetic::Single,
        image_score: ImageScore::Model,
        image_threshold: 0.5,
        pixel_threshold: 0.4,
        score_tolerance: 1e-4,
        evidence: Evidence { normals: 99, rank: 1, sample: Sample::HeldOut, target_fpr: 0.01, scores },
        golden: [].into_iter().collect(),
        product_limit: None,
        defects: None,
    }
}

/// Writes a bundle with these golden frames, scored by the model itself.
pub fn write_bundle(folder: &Path, onnx: &[u8], golden: &[(&str, Frame)]) -> ThresholdFile {
    let recipe = recipe();
    let mut file = thresholds(onnx, recipe);
    let mut scorer = Scorer::new(onnx, recipe, 1).unwrap();
    std::fs::create_dir_all(folder.join(GOLDEN_FOLDER)).unwrap();
    file.golden = golden
        .iter()
        .map(|(name, frame)| {
            std::fs::write(folder.join(GOLDEN_FOLDER).join(name), encode_png(frame).unwrap()).unwrap();
            Golden { file: (*name).try_into().unwrap(), score: scorer.score(frame).unwrap().score }
        })
        .collect();
    std::fs::write(folder.join(MODEL_FILE), onnx).unwrap();
    write_thresholds(folder, &file);
    file
}

pub fn write_thresholds(folder: &Path, file: &ThresholdFile) {
    let mut buffer = [0; threshold_file::MAX_LEN];
    std::fs::write(folder.join(THRESHOLD_FILE), file.encode(&mut buffer).unwrap()).unwrap();
}

/// Writes the bundle that most tests use: one normal golden frame, one defective.
pub fn write_usual_bundle(folder: &Path) -> ThresholdFile {
    write_bundle(folder, &onnx(64, &[]), &[("normal.png", frame(0)), ("defective.png", frame(200))])
}

/// How to write a JPEG.
#[derive(Clone, Copy, Debug)]
pub struct JpegKind {
    pub grey: bool,
    pub subsampled: bool,
    pub progressive: bool,
    pub restart: u16,
}

pub const PLAIN: JpegKind = JpegKind { grey: false, subsampled: false, progressive: false, restart: 0 };

/// Encodes a textured JPEG.
pub fn jpeg(width: u16, height: u16, kind: JpegKind) -> Vec<u8> {
    let mut state = 1_u32;
    let count = usize::from(width) * usize::from(height) * if kind.grey { 1 } else { 3 };
    let values: Vec<u8> = (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            60 + (state >> 25) as u8
        })
        .collect();
    jpeg_of(&values, width, height, kind, None)
}

/// Encodes a JPEG of these values; `exif` becomes its EXIF segment.
pub fn jpeg_of(values: &[u8], width: u16, height: u16, kind: JpegKind, exif: Option<&[u8]>) -> Vec<u8> {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(kind.progressive);
    encoder.set_sampling_factor(if kind.subsampled { SamplingFactor::F_2_2 } else { SamplingFactor::F_1_1 });
    if kind.restart > 0 {
        encoder.set_restart_interval(kind.restart);
    }
    if let Some(exif) = exif {
        encoder.add_app_segment(1, [b"Exif\0\0", exif].concat()).unwrap();
    }
    let colour = if kind.grey { ColorType::Luma } else { ColorType::Rgb };
    encoder.encode(values, width, height, colour).unwrap();
    bytes
}

/// A 64×64 dark grey frame with marks to align to and a spot, all moved to the right.
pub fn marked(spot: u8, right: usize) -> Frame {
    let mut values = vec![10; 64 * 64];
    let mut fill = |from: [usize; 2], to: [usize; 2], value: u8| {
        (from[1]..to[1]).for_each(|y| values[y * 64 + from[0] + right..y * 64 + to[0] + right].fill(value));
    };
    fill([12, 12], [20, 44], 60);
    fill([24, 36], [48, 42], 90);
    fill([34, 18], [38, 22], spot);
    Frame::new(size(64, 64), Pixels::Grey8(values)).unwrap()
}

/// Returns an alignment with [`marked`] parts.
pub fn marked_alignment() -> Alignment {
    let mut planes = vec![];
    Preparer::new(recipe()).prepare(&marked(10, 0), &mut planes).unwrap();
    let luma: Vec<u8> =
        (0..32 * 32).map(|cell| (255.0 * planes[cell / 32 * 128 + cell % 32 * 2]) as u8).collect();
    let reference = Reference::new(32, 32, &luma).unwrap();
    Alignment { motion: Motion::Shift, least_likeness: 600, reference }
}
